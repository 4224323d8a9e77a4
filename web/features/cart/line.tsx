'use client';
import Link from 'next/link';
import { useActionState } from 'react';
import type { CartContentFragment } from '@/graphql/generated';
import { Icon } from '@/ui/icon';
import { Price } from '@/ui/price';
import { setQuantity } from './actions';
import { quantityMax } from './lines';

type Line = CartContentFragment['lines'][number];

export function CartLine({ line, problem }: { line: Line; problem: string | null }) {
  const [state, action, pending] = useActionState(setQuantity, { error: null, added: 0 });
  const { product } = line;
  const picture = product?.images[0];
  const error = state.error ?? problem;
  return (
    <li className="grid grid-cols-[5.5rem_1fr] gap-4 py-5 sm:grid-cols-[7rem_1fr_auto]">
      <div className="aspect-square overflow-hidden rounded-xl bg-raised">
        {picture ? (
          <img
            src={picture.url}
            alt=""
            width={picture.width}
            height={picture.height}
            className="size-full object-cover"
          />
        ) : null}
      </div>
      <div className="grid content-start gap-1">
        {product ? (
          <Link href={`/products/${product.slug}`} className="font-semibold hover:underline">
            {product.name}
          </Link>
        ) : (
          <span className="font-semibold text-muted">Product not available right now</span>
        )}
        {product?.seller ? (
          <p className="text-sm text-muted">{product.seller.displayName}</p>
        ) : null}
        <p className="text-sm text-muted">
          <Price money={line.unitPrice} /> each
        </p>
        {product ? (
          <Quantity
            action={action}
            pending={pending}
            productId={product.id}
            name={product.name}
            quantity={line.quantity}
          />
        ) : null}
        {error ? (
          <p role="alert" className="mt-1 text-sm font-medium text-danger">
            {error}
          </p>
        ) : null}
      </div>
      <p className="col-start-2 sm:col-start-3 sm:text-right">
        <Price money={line.lineTotal} className="font-display text-lg font-semibold" />
      </p>
    </li>
  );
}

type QuantityProps = {
  action: (form: FormData) => void;
  pending: boolean;
  productId: string;
  name: string;
  quantity: number;
};

function Quantity({ action, pending, productId, name, quantity }: QuantityProps) {
  const step = (value: number, label: string, icon: 'minus' | 'plus') => (
    <button
      type="submit"
      name="quantity"
      value={value}
      className="icon-button"
      aria-label={label}
      disabled={pending || value > quantityMax}
    >
      <Icon name={icon} className="size-4" />
    </button>
  );
  return (
    <form action={action} className="mt-2 flex flex-wrap items-center gap-x-4 gap-y-1">
      <input type="hidden" name="productId" value={productId} />
      <div className="flex items-center rounded-full border border-line-strong">
        {step(quantity - 1, `One ${name} less`, 'minus')}
        <span className="min-w-8 text-center font-semibold tabular-nums" aria-live="polite">
          <span className="sr-only">Quantity </span>
          {quantity}
        </span>
        {step(quantity + 1, `One ${name} more`, 'plus')}
      </div>
      <button type="submit" name="quantity" value="0" className="link text-sm" disabled={pending}>
        Remove
      </button>
    </form>
  );
}
