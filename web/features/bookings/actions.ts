'use server';
// Asking for a service, and every step of the booking after it.
import { refresh } from 'next/cache';
import { redirect } from 'next/navigation';
import { send, sent, text, texts } from '@/features/forms/send';
import {
  isAmount,
  refusedForm,
  typedAmount,
  typedMoment,
  type FormState,
} from '@/features/forms/state';
import { MoveBookingDocument, RequestBookingDocument } from '@/graphql/generated';
import { readAction } from './meanings';

/** Asks the stall; the booking's page shows what it answers. */
export async function requestBooking(state: FormState, form: FormData): Promise<FormState> {
  const values = texts(form, ['startsAt', 'note']);
  const startsAt = typedMoment(values.startsAt, text(form, 'startsAtIso'));
  if (values.startsAt && !startsAt) {
    return refusedForm(state, { fields: { startsAt: 'Choose a day and a time.' } }, values);
  }
  const answer = await send(
    state,
    RequestBookingDocument,
    { listingId: text(form, 'listingId'), startsAt, note: values.note || null, key: state.key },
    (data) => data.requestBooking,
    values,
  );
  if (!answer.ok) return answer.state;
  const { booking } = answer.data.requestBooking;
  if (!booking) return refusedForm(state, { form: ['That did not work. Please try again.'] });
  redirect(`/bookings/${booking.id}`);
}

/** Moves a booking on. Paying takes a moment more; the page shows when it is done. */
export async function moveBooking(state: FormState, form: FormData): Promise<FormState> {
  const values = {
    note: text(form, 'note'),
    refundAmount: typedAmount(text(form, 'refundAmount')),
  };
  const action = readAction(text(form, 'action'));
  const version = Number(text(form, 'version'));
  if (!action || !Number.isInteger(version)) {
    return refusedForm(state, { form: ['Please load the page again.'] });
  }
  if (values.refundAmount && !isAmount(values.refundAmount)) {
    return refusedForm(
      state,
      { fields: { refundAmount: 'Enter an amount such as 20.00.' } },
      values,
    );
  }
  const variables = {
    id: text(form, 'id'),
    action,
    note: values.note || null,
    version,
    refund: values.refundAmount || null,
    key: state.key,
  };
  const pick = (data: { bookingTransition: { userErrors: Payload } }) => data.bookingTransition;
  const answer = await send(state, MoveBookingDocument, variables, pick, values);
  refresh();
  return answer.ok ? sent() : answer.state;
}

type Payload = { code: string; message: string; field: string[] | null }[];
