import Link from 'next/link';
import type { CartContentFragment } from '@/graphql/generated';
import { Icon } from '@/ui/icon';
import { Notice } from '@/ui/notice';
import { Price } from '@/ui/price';
import { CartLine } from './line';

export function CartView({ cart }: { cart: CartContentFragment }) {
  const problemOf = new Map(cart.problems.map((problem) => [problem.lineId, problem.message]));
  return (
    <div className="grid items-start gap-8 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <div>
        {cart.problems.length > 0 ? (
          <Notice tone="note">
            Something in your cart has changed. Please look at the marked lines.
          </Notice>
        ) : null}
        <ul className="divide-y divide-line">
          {cart.lines.map((line) => (
            <CartLine key={line.id} line={line} problem={problemOf.get(line.id) ?? null} />
          ))}
        </ul>
      </div>
      <aside aria-label="Sum" className="card grid gap-4 p-6 shadow-card lg:sticky lg:top-36">
        <p className="flex items-baseline justify-between">
          <span>Subtotal</span>
          <Price money={cart.subtotal} className="font-display text-2xl font-semibold" />
        </p>
        <p className="text-sm text-muted">You pay from your Kopitiam wallet. No fee for buyers.</p>
        <Link href="/checkout" className="button button-primary">
          Check out <Icon name="arrow" />
        </Link>
        <Link href="/search" className="link justify-self-center text-sm">
          Keep browsing
        </Link>
      </aside>
    </div>
  );
}
