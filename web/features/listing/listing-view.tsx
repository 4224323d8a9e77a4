import Link from 'next/link';
import type { ReactNode } from 'react';
import { RequestForm } from '@/features/bookings/request-form';
import { isBroken, type PartError } from '@/graphql/errors';
import type { ListingPageQuery } from '@/graphql/generated';
import { Countdown } from '@/ui/countdown';
import { Icon } from '@/ui/icon';
import { LiveRefresh } from '@/ui/live-refresh';
import { LocalTime } from '@/ui/local-time';
import { Notice, SectionNotice } from '@/ui/notice';
import { Price } from '@/ui/price';
import { Stars } from '@/ui/stars';
import { BidHistory, ItemHistory } from './auction-history';
import { BidForm } from './bid-form';
import { bidText } from './bid-state';
import { listingKindLabel, listingStatusLabel } from './labels';
import { LiveAuction } from './live-auction';
import { ReserveForm } from './reserve-form';

type Listing = NonNullable<ListingPageQuery['listing']>;
export type Auction = Extract<Listing, { __typename: 'AuctionListing' }>;
type FixedPrice = Extract<Listing, { __typename: 'FixedPriceListing' }>;
type Service = Extract<Listing, { __typename: 'ServiceListing' }>;

type ListingViewProps = { listing: Listing; errors: PartError[]; bidding: Bidding };

/** What a form needs: who is not signed in is sent to do so; the key makes one bid, order or booking of one form. */
export type Bidding = { isSignedIn: boolean; viewerHandle: string | null; key: string };

/** A listing to read, to bid on, to reserve or to ask for. */
export function ListingView({ listing, errors, bidding }: ListingViewProps) {
  const picture = pictureOf(listing);
  return (
    <div className="shell py-6 md:py-10">
      <div className="grid gap-8 lg:grid-cols-2 lg:gap-14">
        <div className="card self-start overflow-hidden bg-raised">
          {picture ? (
            <img
              src={picture}
              alt=""
              width={800}
              height={800}
              className="aspect-square w-full object-cover"
            />
          ) : (
            <div className="grid aspect-square place-items-center text-muted">
              <Icon name="tag" className="size-16" />
            </div>
          )}
        </div>
        <div className="grid content-start gap-6">
          <div className="grid gap-3">
            <p className="flex flex-wrap gap-2">
              <span className="chip bg-roast-soft text-ink">
                {listingKindLabel(listing.__typename)}
              </span>
              <span className="chip bg-raised text-muted">
                {listingStatusLabel(listing.status)}
              </span>
            </p>
            <h1 className="text-[clamp(2rem,4.5vw,3.1rem)]">{listing.title}</h1>
          </div>
          <div className="card grid gap-4 p-5 shadow-card md:p-6">
            <Terms listing={listing} bidding={bidding} />
          </div>
          <SellerLine seller={listing.seller} broken={isBroken(errors, 'listing.seller')} />
        </div>
      </div>
      {listing.__typename === 'AuctionListing' ? (
        <div className="mt-14 grid gap-10 lg:grid-cols-2">
          <BidHistory bids={listing.bids} />
          <ItemHistory item={listing.item} broken={isBroken(errors, 'listing.item')} />
        </div>
      ) : null}
    </div>
  );
}

function pictureOf(listing: Listing): string | null {
  if (listing.__typename === 'AuctionListing') return listing.item?.imageUrl ?? null;
  if (listing.__typename === 'FixedPriceListing') return listing.product?.images[0]?.url ?? null;
  return null;
}

function Terms({ listing, bidding }: { listing: Listing; bidding: Bidding }) {
  switch (listing.__typename) {
    case 'AuctionListing':
      return <AuctionTerms auction={listing} bidding={bidding} />;
    case 'FixedPriceListing':
      return <FixedPriceTerms listing={listing} bidding={bidding} />;
    case 'ServiceListing':
      return <ServiceTerms listing={listing} bidding={bidding} />;
  }
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex items-baseline justify-between gap-4">
      <dt className="text-muted">{label}</dt>
      <dd className="text-right font-semibold">{children}</dd>
    </div>
  );
}

function AuctionTerms({ auction, bidding }: { auction: Auction; bidding: Bidding }) {
  return (
    <>
      <div className="flex flex-wrap items-end justify-between gap-4">
        <div>
          <p className="text-sm text-muted">{auction.bidCount > 0 ? 'Current bid' : 'Starts at'}</p>
          <Price money={auction.currentPrice} className="font-display text-4xl font-semibold" />
        </div>
        <p className="chip bg-gold-soft text-base text-ink">
          <Icon name="clock" className="size-4" />
          <Countdown endsAt={auction.endsAt} serverNow={auction.serverNow} />
        </p>
      </div>
      <dl className="grid gap-2 border-t border-line pt-4">
        <Fact label="Bids">{auction.bidCount}</Fact>
        <Fact label="Next bid from">
          <Price money={auction.minNextBid} />
        </Fact>
        {auction.buyNowPrice ? (
          <Fact label="Buy now">
            <Price money={auction.buyNowPrice} />
          </Fact>
        ) : null}
        <Fact label="Reserve">{auction.reserveMet ? 'met' : 'not met yet'}</Fact>
      </dl>
      <OwnBid bid={auction.viewerBid} />
      {auction.status === 'PENDING' ? <LiveListing id={auction.id} /> : null}
      {auction.status === 'ACTIVE' ? <Bid auction={auction} bidding={bidding} /> : null}
      {auction.status === 'ACTIVE' || auction.status === 'SETTLING' ? (
        <LiveAuction listingId={auction.id} endsAt={auction.endsAt} serverNow={auction.serverNow} />
      ) : null}
    </>
  );
}

function OwnBid({ bid }: { bid: Auction['viewerBid'] }) {
  const told = bid ? bidText(bid.status, bid.statusReason) : null;
  return (
    <div aria-live="polite" data-testid="own-bid" data-status={bid?.status}>
      {bid && told ? (
        <Notice tone={told.tone}>
          {told.text} (<Price money={bid.amount} />)
        </Notice>
      ) : null}
    </div>
  );
}

function Bid({ auction, bidding }: { auction: Auction; bidding: Bidding }) {
  if (!bidding.isSignedIn) return <SignIn listing={auction}>Sign in to bid</SignIn>;
  return <BidForm listingId={auction.id} next={auction.minNextBid} idempotencyKey={bidding.key} />;
}

function SignIn({ listing, children }: { listing: Listing; children: ReactNode }) {
  return (
    <Link
      href={`/login?next=${encodeURIComponent(`/listings/${listing.id}`)}`}
      className="button button-primary"
    >
      {children}
    </Link>
  );
}

/** Nobody buys from the own stall. */
function isOwn(listing: Listing, bidding: Bidding): boolean {
  return bidding.viewerHandle !== null && listing.seller?.handle === bidding.viewerHandle;
}

function Reserve({ listing, bidding }: { listing: FixedPrice; bidding: Bidding }) {
  const { viewerOrder } = listing;
  if (viewerOrder?.status === 'AWAITING_PAYMENT') {
    return (
      <Link
        href={`/orders/${encodeURIComponent(viewerOrder.number)}`}
        className="button button-primary"
      >
        Reserved for you: pay now
      </Link>
    );
  }
  if (listing.status === 'RESERVED') {
    return (
      <Notice tone="note">
        Somebody is paying for it
        {listing.reservedUntil ? (
          <>
            {' '}
            until <LocalTime at={listing.reservedUntil} />
          </>
        ) : null}
        . It may come back.
      </Notice>
    );
  }
  if (listing.status !== 'ACTIVE' || isOwn(listing, bidding)) return null;
  if (!bidding.isSignedIn) return <SignIn listing={listing}>Sign in to reserve</SignIn>;
  return <ReserveForm listingId={listing.id} idempotencyKey={bidding.key} />;
}

function FixedPriceTerms({ listing, bidding }: { listing: FixedPrice; bidding: Bidding }) {
  return (
    <>
      <div className="flex flex-wrap items-end justify-between gap-4">
        <Price money={listing.price} className="font-display text-4xl font-semibold" />
        {listing.status === 'ACTIVE' ? (
          <p className="text-muted">
            {listing.quantity === 1 ? 'the only one' : `${listing.quantity} left`}
          </p>
        ) : null}
      </div>
      {listing.product ? (
        <p className="text-muted">
          The shop sells this too:{' '}
          <Link href={`/products/${listing.product.slug}`} className="link">
            {listing.product.name}
          </Link>
          {listing.product.availability.inStock ? '' : ' (sold out there)'}
        </p>
      ) : null}
      <Reserve listing={listing} bidding={bidding} />
      <LiveListing id={listing.id} />
    </>
  );
}

function LiveListing({ id }: { id: string }) {
  return <LiveRefresh path={`/api/listings/${encodeURIComponent(id)}/events?of=listing`} />;
}

function ServiceTerms({ listing, bidding }: { listing: Service; bidding: Bidding }) {
  return (
    <>
      <Price money={listing.price} className="font-display text-4xl font-semibold" />
      <dl className="grid gap-2 border-t border-line pt-4">
        <Fact label="Deposit">
          <Price money={listing.deposit} />
        </Fact>
        {listing.durationMinutes ? (
          <Fact label="Takes about">{listing.durationMinutes} min</Fact>
        ) : null}
      </dl>
      <p className="prose-text">{listing.description}</p>
      <Book listing={listing} bidding={bidding} />
    </>
  );
}

function Book({ listing, bidding }: { listing: Service; bidding: Bidding }) {
  if (listing.status !== 'ACTIVE' || isOwn(listing, bidding)) return null;
  if (!bidding.isSignedIn) return <SignIn listing={listing}>Sign in to ask for it</SignIn>;
  return <RequestForm listingId={listing.id} idempotencyKey={bidding.key} />;
}

function SellerLine({ seller, broken }: { seller: Listing['seller']; broken: boolean }) {
  if (!seller) {
    return broken ? <SectionNotice>We cannot show the seller right now.</SectionNotice> : null;
  }
  return (
    <div className="card flex items-center gap-4 p-4">
      <span className="grid size-12 shrink-0 place-items-center rounded-full bg-pandan-soft text-pandan">
        <Icon name="store" className="size-6" />
      </span>
      <div className="min-w-0 flex-1">
        <p className="text-sm text-muted">
          {seller.verified ? 'Offered by, verified' : 'Offered by'}
        </p>
        <p className="truncate font-semibold">{seller.displayName}</p>
      </div>
      {seller.rating && seller.rating.count > 0 ? (
        <Stars average={seller.rating.average} count={seller.rating.count} />
      ) : null}
    </div>
  );
}
