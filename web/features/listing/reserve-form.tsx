'use client';
import { useActionState } from 'react';
import { FormErrors } from '@/features/forms/errors';
import { freshForm } from '@/features/forms/state';
import { SubmitButton } from '@/ui/submit-button';
import { reserve } from './actions';

/** One button: the piece is kept for a quarter of an hour, and paid on the page of the order. */
export function ReserveForm({
  listingId,
  idempotencyKey,
}: {
  listingId: string;
  idempotencyKey: string;
}) {
  const [state, action] = useActionState(reserve, freshForm(idempotencyKey));
  return (
    <form action={action} className="grid gap-3 border-t border-line pt-4">
      <input type="hidden" name="listingId" value={listingId} />
      <FormErrors messages={state.form} />
      <SubmitButton busy="Reserving…">Reserve one</SubmitButton>
      <p className="text-sm text-muted">
        It is kept for you for 15 minutes. You pay from your wallet on the next page.
      </p>
    </form>
  );
}
