'use client';
import { useActionState } from 'react';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { cancelOrder } from './actions';

export function CancelForm({
  orderId,
  idempotencyKey,
}: {
  orderId: string;
  idempotencyKey: string;
}) {
  const [state, action] = useActionState(cancelOrder, { error: null });
  return (
    <form action={action} className="grid justify-items-start gap-3">
      <input type="hidden" name="id" value={orderId} />
      <input type="hidden" name="key" value={idempotencyKey} />
      {state.error ? <Notice tone="danger">{state.error}</Notice> : null}
      <SubmitButton busy="Cancelling…" className="button-quiet">
        Cancel order
      </SubmitButton>
    </form>
  );
}
