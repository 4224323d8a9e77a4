'use client';
import { useActionState } from 'react';
import { FormErrors } from '@/features/forms/errors';
import { freshForm } from '@/features/forms/state';
import type { BookingAction } from '@/graphql/generated';
import { Field, TextArea } from '@/ui/field';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { moveBooking } from './actions';
import { actionMeaning } from './meanings';

type StepFormProps = {
  bookingId: string;
  /** The state of the booking that the reader saw. */
  version: number;
  step: BookingAction;
  idempotencyKey: string;
};

const paying: BookingAction[] = ['PAY_DEPOSIT', 'PAY_BALANCE'];

/** One button for one step; what wants words is opened first. */
export function StepForm({ bookingId, version, step, idempotencyKey }: StepFormProps) {
  const [state, action] = useActionState(moveBooking, freshForm(idempotencyKey));
  const { label, busy, note, quiet } = actionMeaning(step);
  const look = quiet ? 'button-quiet' : 'button-primary';
  const form = (
    <form action={action} noValidate className="grid gap-3">
      <input type="hidden" name="id" value={bookingId} />
      <input type="hidden" name="version" value={version} />
      <input type="hidden" name="action" value={step} />
      <FormErrors messages={[...state.form]} />
      {note ? (
        <TextArea
          id={`${step}-note`}
          name="note"
          label={note}
          maxLength={500}
          required={step === 'DISPUTE'}
          defaultValue={state.values.note}
          error={state.fields.note}
        />
      ) : null}
      {step === 'RESOLVE_REFUND' ? (
        <Field
          id="refundAmount"
          name="refundAmount"
          label="How much goes back (empty: all of it)"
          inputMode="decimal"
          defaultValue={state.values.refundAmount}
          error={state.fields.refundAmount}
        />
      ) : null}
      {state.done && paying.includes(step) ? (
        <Notice tone="note">The money is on its way; this takes a moment.</Notice>
      ) : null}
      <SubmitButton busy={busy} className={`${look} justify-self-start`}>
        {label}
      </SubmitButton>
    </form>
  );
  if (!note) return form;
  return (
    <details className="card p-4" open={state.form.length > 0 || undefined}>
      <summary className="font-semibold">{label}</summary>
      <div className="mt-4">{form}</div>
    </details>
  );
}
