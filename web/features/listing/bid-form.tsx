'use client';
import { useActionState } from 'react';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { placeBid } from './actions';

type BidFormProps = {
  listingId: string;
  /** The lowest amount that may lead. */
  next: { amount: string; currency: string };
  idempotencyKey: string;
};

/** One amount and one button; the amount is held from the moment the bid leads until another passes it. */
export function BidForm({ listingId, next, idempotencyKey }: BidFormProps) {
  const [state, action] = useActionState(placeBid, {
    error: null,
    placed: 0,
    key: idempotencyKey,
  });
  return (
    <form action={action} className="grid gap-3 border-t border-line pt-4">
      <input type="hidden" name="listingId" value={listingId} />
      <input type="hidden" name="currency" value={next.currency} />
      <label htmlFor="amount" className="font-semibold">
        Your bid in {next.currency}
      </label>
      <div className="flex gap-3">
        <input
          id="amount"
          name="amount"
          key={next.amount}
          defaultValue={next.amount}
          inputMode="decimal"
          autoComplete="off"
          required
          aria-describedby="held"
          className="field w-36 shrink-0 tabular-nums"
        />
        <SubmitButton busy="Bidding…" className="button-primary flex-1">
          Place bid
        </SubmitButton>
      </div>
      <p id="held" className="text-sm text-muted">
        The amount is held in your wallet while your bid leads, and given back when it is passed.
      </p>
      <div aria-live="polite">
        {state.error ? <Notice tone="danger">{state.error}</Notice> : null}
      </div>
    </form>
  );
}
