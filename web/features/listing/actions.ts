'use server';
// Bidding and reserving. The key was made when the form was opened, so sending it twice is one bid or one order.
import { randomUUID } from 'node:crypto';
import { refresh } from 'next/cache';
import { redirect } from 'next/navigation';
import { send, text } from '@/features/forms/send';
import { refusedForm, type FormState } from '@/features/forms/state';
import { ask } from '@/graphql/client';
import { failureText } from '@/graphql/errors';
import { PlaceBidDocument, ReserveListingDocument } from '@/graphql/generated';
import { currentSession } from '@/lib/session/cookies';

export type BidState = {
  error: string | null;
  /** How many bids were placed with this form. */
  placed: number;
  /** The key for the next try: a new one after an answer, the same one when no answer came. */
  key: string;
};

/** Places a bid. Whether it leads is decided once its funds are held; the page then shows what became of it. */
export async function placeBid(state: BidState, form: FormData): Promise<BidState> {
  const session = await currentSession();
  const [listingId, amount, currency] = ['listingId', 'amount', 'currency'].map((name) =>
    form.get(name),
  );
  if (
    !session ||
    typeof listingId !== 'string' ||
    typeof amount !== 'string' ||
    typeof currency !== 'string'
  ) {
    return { ...state, error: 'Please load the page again.' };
  }
  const answer = await ask(
    PlaceBidDocument,
    { listingId, amount: amount.trim().replace(',', '.'), currency, key: state.key },
    { token: session.accessToken },
  );
  if (!answer.ok) return { ...state, error: failureText(answer.failure) };
  refresh();
  const { bid, userErrors } = answer.data.placeBid;
  if (!bid) {
    const error = userErrors[0]?.message ?? 'The bid was not placed. Nothing was held.';
    return { ...state, error, key: randomUUID() };
  }
  return { error: null, placed: state.placed + 1, key: randomUUID() };
}

/** Reserves one piece for the time that the order's page shows; it is paid there. */
export async function reserve(state: FormState, form: FormData): Promise<FormState> {
  const answer = await send(
    state,
    ReserveListingDocument,
    { listingId: text(form, 'listingId'), key: state.key },
    (data) => data.reserveListing,
  );
  if (!answer.ok) {
    refresh();
    return answer.state;
  }
  const { order } = answer.data.reserveListing;
  if (!order) return refusedForm(state, { form: ['That did not work. Please try again.'] });
  redirect(`/orders/${encodeURIComponent(order.number)}`);
}
