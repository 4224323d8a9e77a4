// What a bidder is told of the own bid. Pure.
import type { BidStatus } from '@/graphql/generated';

export type BidTone = 'good' | 'note' | 'danger';

const reasons: Record<string, string> = {
  INSUFFICIENT_FUNDS: 'Your balance does not cover it. Nothing was held.',
  OUTBID: 'Somebody else was faster. Your money is free again.',
  AUCTION_ENDED: 'The auction ended first. Your money is free again.',
  AUCTION_CANCELLED: 'The auction was called off. Your money is free again.',
  RESERVE_NOT_MET: 'The reserve was not met. Your money is free again.',
};

/** Where the viewer's newest bid stands. */
export function bidText(status: BidStatus, reason: string | null): { tone: BidTone; text: string } {
  switch (status) {
    case 'PENDING':
      return { tone: 'note', text: 'Your bid is on its way: we are holding the amount.' };
    case 'ACCEPTED':
      return { tone: 'good', text: 'You lead. The amount is held for you.' };
    case 'WON':
      return { tone: 'good', text: 'You won. It is yours.' };
    case 'OUTBID':
      return {
        tone: 'note',
        text: (reason && reasons[reason]) || 'You were outbid. Your money is free again.',
      };
    case 'REJECTED':
      return {
        tone: 'danger',
        text: (reason && reasons[reason]) || 'Your bid was not taken. Nothing was held.',
      };
  }
}
