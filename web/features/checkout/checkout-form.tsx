'use client';
import { useActionState } from 'react';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { placeOrder } from './actions';

type CheckoutFormProps = {
  cartId: string;
  expectedTotal: string;
  currency: string;
  idempotencyKey: string;
  disabled: boolean;
};

export function CheckoutForm(props: CheckoutFormProps) {
  const [state, action] = useActionState(placeOrder, {
    error: null,
    key: props.idempotencyKey,
  });
  return (
    <form action={action} className="grid gap-4">
      <input type="hidden" name="cartId" value={props.cartId} />
      <input type="hidden" name="expectedTotal" value={props.expectedTotal} />
      <input type="hidden" name="currency" value={props.currency} />
      <input type="hidden" name="key" value={state.key} />
      {state.error ? <Notice tone="danger">{state.error}</Notice> : null}
      {props.disabled ? (
        <button type="button" className="button" disabled>
          Place order
        </button>
      ) : (
        <SubmitButton busy="Placing your order…">Place order</SubmitButton>
      )}
    </form>
  );
}
