'use client';
import Link from 'next/link';
import { useActionState } from 'react';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { addToCart } from './actions';

type AddToCartProps = { productId: string; available: number };

/** Most quantities offered in one go; the cart page takes more. */
const choicesMax = 10;

export function AddToCart({ productId, available }: AddToCartProps) {
  const [state, action] = useActionState(addToCart, { error: null, added: 0 });
  const choices = Array.from({ length: Math.min(choicesMax, available) }, (_, at) => at + 1);
  return (
    <form action={action} className="grid gap-3">
      <input type="hidden" name="productId" value={productId} />
      <div className="flex gap-3">
        <label htmlFor="quantity" className="sr-only">
          Quantity
        </label>
        <select id="quantity" name="quantity" className="field w-24 shrink-0" defaultValue="1">
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
        <SubmitButton busy="Adding…" className="button-primary flex-1">
          Add to cart
        </SubmitButton>
      </div>
      <div aria-live="polite">
        {state.error ? <Notice tone="danger">{state.error}</Notice> : null}
        {!state.error && state.added > 0 ? (
          <Notice tone="good">
            Added to your cart.{' '}
            <Link href="/cart" className="font-semibold underline underline-offset-4">
              Go to the cart
            </Link>
          </Notice>
        ) : null}
      </div>
    </form>
  );
}
