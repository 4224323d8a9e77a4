import type { Metadata } from 'next';
import Link from 'next/link';
import { redirect } from 'next/navigation';
import { randomUUID } from 'node:crypto';
import { CheckoutForm } from '@/features/checkout/checkout-form';
import { Resting } from '@/features/shell/resting';
import { CheckoutPageDocument, type CartContentFragment } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';
import { shortfall, type Money } from '@/lib/money';
import { Notice } from '@/ui/notice';
import { Price } from '@/ui/price';

export const metadata: Metadata = { title: 'Check out', robots: { index: false } };

export default async function CheckoutPage() {
  await requireSession('/checkout');
  const answer = await askAsViewer(CheckoutPageDocument, { id: null }, '/checkout');
  if (!answer.ok || (!answer.data.cart && answer.errors.length > 0)) {
    return <Resting what="The check-out" />;
  }
  const { cart, me } = answer.data;
  if (!cart || cart.lines.length === 0) redirect('/cart');
  const balance = me?.wallet?.available ?? null;
  const missing = balance ? shortfall(cart.subtotal, balance) : null;
  return (
    <div className="shell max-w-5xl py-8 md:py-12">
      <h1 className="mb-8 text-3xl md:text-4xl">Check out</h1>
      <div className="grid items-start gap-8 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <OrderLines cart={cart} />
        <aside aria-label="Payment" className="card grid gap-4 p-6 shadow-card lg:sticky lg:top-36">
          <Payment total={cart.subtotal} balance={balance} missing={missing} />
          {cart.problems.length > 0 ? (
            <Notice tone="note">
              Something in your cart has changed.{' '}
              <Link href="/cart" className="font-semibold underline underline-offset-4">
                Look at the cart
              </Link>
            </Notice>
          ) : null}
          <CheckoutForm
            cartId={cart.id}
            expectedTotal={cart.subtotal.amount}
            currency={cart.subtotal.currency}
            idempotencyKey={randomUUID()}
            disabled={missing !== null}
          />
          <p className="text-center text-sm text-muted">
            Stock and money are checked when you order; you see the result at once.
          </p>
        </aside>
      </div>
    </div>
  );
}

function OrderLines({ cart }: { cart: CartContentFragment }) {
  return (
    <section aria-label="What you order" className="card px-5">
      <ul className="divide-y divide-line">
        {cart.lines.map((line) => {
          const picture = line.product?.images[0];
          return (
            <li key={line.id} className="flex items-center gap-4 py-4">
              <div className="size-16 shrink-0 overflow-hidden rounded-xl bg-raised">
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
              <div className="min-w-0 flex-1">
                <p className="font-semibold">{line.product?.name ?? 'Product'}</p>
                <p className="text-sm text-muted">
                  {line.quantity} × <Price money={line.unitPrice} />
                </p>
              </div>
              <Price money={line.lineTotal} className="font-semibold" />
            </li>
          );
        })}
      </ul>
    </section>
  );
}

type PaymentProps = { total: Money; balance: Money | null; missing: Money | null };

function Payment({ total, balance, missing }: PaymentProps) {
  return (
    <>
      <dl className="grid grid-cols-[1fr_auto] items-baseline gap-x-4 gap-y-2 [&>dd]:text-right">
        <dt className="font-semibold">Total</dt>
        <dd>
          <Price money={total} className="font-display text-2xl font-semibold" />
        </dd>
        <dt className="text-muted">In your wallet</dt>
        <dd>
          {balance ? <Price money={balance} /> : <span className="text-muted">not known now</span>}
        </dd>
        {missing ? (
          <>
            <dt className="font-semibold text-danger">Missing</dt>
            <dd className="font-semibold text-danger">
              <Price money={missing} />
            </dd>
          </>
        ) : null}
      </dl>
      {missing ? (
        <Notice tone="danger">
          Your wallet is short of <Price money={missing} className="font-semibold" />. Take
          something out of the cart or see{' '}
          <Link href="/account" className="font-semibold underline underline-offset-4">
            your wallet
          </Link>
          .
        </Notice>
      ) : null}
    </>
  );
}
