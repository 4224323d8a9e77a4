import type { ListingStatus } from '@/graphql/generated';

export type ListingTypename = 'AuctionListing' | 'FixedPriceListing' | 'ServiceListing';

const kinds: Record<ListingTypename, string> = {
  AuctionListing: 'Auction',
  FixedPriceListing: 'Fixed price',
  ServiceListing: 'Service',
};

const statuses: Record<ListingStatus, string> = {
  PENDING: 'Being prepared',
  ACTIVE: 'Open',
  RESERVED: 'Reserved',
  SETTLING: 'Being settled',
  SOLD: 'Sold',
  CLOSED: 'Closed',
  CANCELLED: 'Withdrawn',
};

export function listingKindLabel(typename: ListingTypename): string {
  return kinds[typename];
}

export function listingStatusLabel(status: ListingStatus): string {
  return statuses[status];
}
