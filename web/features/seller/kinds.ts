// The kinds of offers that a stall can make. Pure.
import type { FormState } from '@/features/forms/state';

export const offerKinds = ['fixed-price', 'tickets', 'auction', 'service'] as const;
export type OfferKind = (typeof offerKinds)[number];

const meanings: Record<OfferKind, { label: string; lead: string }> = {
  'fixed-price': {
    label: 'Fixed price',
    lead: 'Something of yours at a price of yours, perhaps one of the products of the shop.',
  },
  tickets: {
    label: 'Tickets',
    lead: 'Seats for an evening, places in a workshop: many of the same, each reserved and then paid.',
  },
  auction: {
    label: 'Auction',
    lead: 'One unique thing of your collection, to whoever bids most until the end.',
  },
  service: {
    label: 'Service',
    lead: 'Your work, asked for and agreed on; a deposit waits in escrow until it is done.',
  },
};

export function offerMeaning(kind: OfferKind) {
  return meanings[kind];
}

/** Reads a kind from an address; null for what is none. */
export function readKind(text: string): OfferKind | null {
  return offerKinds.find((kind) => kind === text) ?? null;
}

/** Something an offer may be of. */
export type Choice = { id: string; name: string };

/** The form of an auction, with the thing that an earlier try of it added to the collection. */
export type AuctionState = FormState & { made: Choice | null };

/** The choices with what was added after they were read. */
export function withMade(choices: Choice[], made: Choice | null): Choice[] {
  return made && choices.every(({ id }) => id !== made.id) ? [...choices, made] : choices;
}

type Errors = Record<string, string>;

/** Whether a text is a whole number within bounds. */
function isWhole(text: string, min: number, max: number): boolean {
  return /^\d{1,7}$/.test(text) && Number(text) >= min && Number(text) <= max;
}

/** What a form checks before the service is asked. The service checks again and decides. */
export function checkOffer(
  values: Record<string, string>,
  isAmount: (text: string) => boolean,
): Errors {
  const errors: Errors = {};
  const has = (name: string) => name in values;
  const value = (name: string) => values[name] ?? '';
  if (has('title') && !value('title')) errors.title = 'Give it a title.';
  for (const name of ['price', 'startPrice']) {
    if (has(name) && !isAmount(value(name))) errors[name] = 'Enter an amount such as 20.00.';
  }
  for (const name of ['reservePrice', 'buyNowPrice']) {
    if (value(name) && !isAmount(value(name))) errors[name] = 'Enter an amount such as 20.00.';
  }
  if (has('quantity') && !isWhole(value('quantity'), 1, 1_000_000)) {
    errors.quantity = 'How many are there?';
  }
  if (has('depositPercent') && !isWhole(value('depositPercent'), 0, 100)) {
    errors.depositPercent = 'A whole number from 0 to 100.';
  }
  if (value('durationMinutes') && !isWhole(value('durationMinutes'), 1, 1_000_000)) {
    errors.durationMinutes = 'A whole number of minutes.';
  }
  if (has('description') && !value('description')) errors.description = 'Say what is done.';
  if (has('endsAt') && !value('endsAt')) errors.endsAt = 'Choose a day and a time.';
  return errors;
}
