// What an order's status means to the one who ordered.
import type { OrderStatus } from '@/graphql/generated';

export type StatusTone = 'waiting' | 'good' | 'bad' | 'quiet';

const meanings: Record<OrderStatus, { label: string; tone: StatusTone; text: string }> = {
  PENDING: {
    label: 'Being confirmed',
    tone: 'waiting',
    text: 'We are setting your things aside and checking your wallet. This takes a moment.',
  },
  AWAITING_PAYMENT: {
    label: 'Awaiting payment',
    tone: 'waiting',
    text: 'Everything is reserved for you until you pay.',
  },
  CONFIRMED: {
    label: 'Confirmed',
    tone: 'good',
    text: 'Paid and set aside for you. The stalls are packing.',
  },
  REJECTED: {
    label: 'Not possible',
    tone: 'bad',
    text: 'This order could not be fulfilled. You were not charged.',
  },
  EXPIRED: {
    label: 'Expired',
    tone: 'quiet',
    text: 'The time to pay ran out. You were not charged.',
  },
  CANCELLED: { label: 'Cancelled', tone: 'quiet', text: 'This order was cancelled.' },
  FULFILLED: {
    label: 'Handed over',
    tone: 'good',
    text: 'Everything has been handed over. Enjoy!',
  },
  REFUNDED: { label: 'Refunded', tone: 'quiet', text: 'The money is back in your wallet.' },
};

const reasons: Record<string, string> = {
  OUT_OF_STOCK: 'Someone else took the last piece.',
  PRICE_CHANGED: 'A price changed while you were ordering.',
  INSUFFICIENT_FUNDS: 'Your wallet did not hold enough.',
  USER_BANNED: 'This account cannot place orders.',
};

export function statusLabel(status: OrderStatus): string {
  return meanings[status].label;
}

export function statusTone(status: OrderStatus): StatusTone {
  return meanings[status].tone;
}

export function statusText(status: OrderStatus, reason: string | null): string {
  const known = reason ? (reasons[reason] ?? null) : null;
  return known ? `${known} ${meanings[status].text}` : meanings[status].text;
}

/** Whether the order goes on by itself soon, so that a page should keep watching it. */
export function isMoving(status: OrderStatus): boolean {
  return meanings[status].tone === 'waiting';
}
