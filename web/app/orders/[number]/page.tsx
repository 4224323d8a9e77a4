import type { Metadata } from 'next';
import Link from 'next/link';
import { notFound } from 'next/navigation';
import { randomUUID } from 'node:crypto';
import { CancelForm } from '@/features/orders/cancel-form';
import { LiveStatus } from '@/features/orders/live-status';
import { PayForm } from '@/features/orders/pay-form';
import { OrderLines } from '@/features/orders/order-lines';
import { isMoving } from '@/features/orders/status';
import { Resting } from '@/features/shell/resting';
import { isBroken } from '@/graphql/errors';
import { OrderPageDocument } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';
import { LocalTime } from '@/ui/local-time';

export const metadata: Metadata = { title: 'Order', robots: { index: false } };

type Props = { params: Promise<{ number: string }> };

export default async function OrderRoute({ params }: Props) {
  const { number: encoded } = await params;
  const number = decodeURIComponent(encoded);
  const page = `/orders/${encodeURIComponent(number)}`;
  await requireSession(page);
  const answer = await askAsViewer(OrderPageDocument, { number }, page);
  if (!answer.ok) return <Resting what="This order" />;
  const { order } = answer.data;
  if (!order) {
    const forbidden = answer.errors.some((error) => error.code === 'FORBIDDEN');
    if (isBroken(answer.errors, 'order') && !forbidden) return <Resting what="This order" />;
    notFound();
  }
  return (
    <div className="shell max-w-4xl py-8 md:py-12">
      {isMoving(order.status) ? (
        // Without scripts there is no stream: load the page again until the order has settled.
        <noscript>
          <meta httpEquiv="refresh" content="3" />
        </noscript>
      ) : null}
      <nav aria-label="Breadcrumb" className="mb-3 text-sm text-muted">
        <Link href="/orders" className="hover:underline">
          My orders
        </Link>
      </nav>
      <h1 className="mb-1 text-3xl md:text-4xl">Order {order.number}</h1>
      <p className="mb-8 text-muted">
        Placed <LocalTime at={order.placedAt} />
      </p>
      <div className="grid gap-8">
        <LiveStatus
          orderId={order.id}
          initial={{
            status: order.status,
            statusReason: order.statusReason,
            version: order.version,
            history: order.history,
            invoice: order.invoice,
          }}
        />
        {order.status === 'AWAITING_PAYMENT' ? (
          <PayForm
            orderId={order.id}
            total={order.total}
            expiresAt={order.expiresAt}
            serverNow={new Date().toISOString()}
            idempotencyKey={randomUUID()}
          />
        ) : null}
        <OrderLines order={order} />
        {order.canCancel ? <CancelForm orderId={order.id} idempotencyKey={randomUUID()} /> : null}
      </div>
    </div>
  );
}
