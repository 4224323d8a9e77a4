'use client';
import { useActionState } from 'react';
import { FormErrors } from '@/features/forms/errors';
import { freshForm } from '@/features/forms/state';
import { formatMoney, type Money } from '@/lib/money';
import { Countdown } from '@/ui/countdown';
import { Icon } from '@/ui/icon';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { payOrder } from './actions';

type PayFormProps = {
  orderId: string;
  total: Money;
  /** Until when it is kept; null when nobody knows. */
  expiresAt: string | null;
  serverNow: string;
  idempotencyKey: string;
};

/** What is reserved, how long it is kept, and one button. */
export function PayForm({ orderId, total, expiresAt, serverNow, idempotencyKey }: PayFormProps) {
  const [state, action] = useActionState(payOrder, freshForm(idempotencyKey));
  return (
    <form action={action} className="card grid gap-4 p-5 shadow-card">
      <input type="hidden" name="id" value={orderId} />
      <div className="flex flex-wrap items-center justify-between gap-3">
        <h2 className="text-xl">Kept for you</h2>
        {expiresAt ? (
          <p className="chip bg-gold-soft text-base text-ink">
            <Icon name="clock" className="size-4" />
            <Countdown endsAt={expiresAt} serverNow={serverNow} />
          </p>
        ) : null}
      </div>
      <FormErrors messages={state.form} />
      {state.done ? (
        <Notice tone="note">The payment is on its way; this takes a moment.</Notice>
      ) : null}
      <SubmitButton busy="Paying…">Pay {formatMoney(total)} from my wallet</SubmitButton>
    </form>
  );
}
