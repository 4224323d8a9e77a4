'use client';
import { useActionState, useEffect } from 'react';
import { FormErrors } from '@/features/forms/errors';
import { freshForm } from '@/features/forms/state';
import { Field } from '@/ui/field';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { startTopUp } from './actions';

/** An amount, then on to the page of the payment provider; without scripts by a link. */
export function TopUpForm({
  currency,
  idempotencyKey,
}: {
  currency: string;
  idempotencyKey: string;
}) {
  const [state, action] = useActionState(startTopUp, { ...freshForm(idempotencyKey), payAt: null });
  const { payAt } = state;
  useEffect(() => {
    if (payAt) window.location.assign(payAt);
  }, [payAt]);
  return (
    <form action={action} noValidate className="card grid gap-4 p-5">
      <h3 className="text-lg">Top up</h3>
      <FormErrors messages={state.form} />
      {payAt ? (
        <Notice tone="note">
          <a href={payAt} className="link">
            Continue to the payment
          </a>
        </Notice>
      ) : null}
      {state.done && !payAt ? <Notice tone="good">The payment is made already.</Notice> : null}
      <input type="hidden" name="currency" value={currency} />
      <div className="flex flex-wrap items-start gap-3">
        <div className="w-40">
          <Field
            name="amount"
            label={`Amount in ${currency}`}
            inputMode="decimal"
            autoComplete="off"
            defaultValue={state.values.amount ?? '20.00'}
            error={state.fields.amount}
            required
          />
        </div>
        <SubmitButton busy="On our way…" className="button-primary mt-7">
          To the payment
        </SubmitButton>
      </div>
    </form>
  );
}
