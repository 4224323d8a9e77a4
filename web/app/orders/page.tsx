import type { Metadata } from 'next';
import Link from 'next/link';
import { StatusChip } from '@/features/orders/live-status';
import { Resting } from '@/features/shell/resting';
import { MyOrdersDocument, type MyOrdersQuery } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';
import { Empty } from '@/ui/empty';
import { Icon } from '@/ui/icon';
import { LocalTime } from '@/ui/local-time';
import { Price } from '@/ui/price';

export const metadata: Metadata = { title: 'My orders', robots: { index: false } };

type Order = NonNullable<NonNullable<MyOrdersQuery['me']>['orders']>['edges'][number]['node'];
type Props = { searchParams: Promise<{ after?: string | string[] }> };

export default async function OrdersPage({ searchParams }: Props) {
  await requireSession('/orders');
  const { after } = await searchParams;
  const cursor = typeof after === 'string' ? after : null;
  const answer = await askAsViewer(MyOrdersDocument, { after: cursor, filter: null }, '/orders');
  const orders = answer.ok ? answer.data.me?.orders : null;
  if (!orders) return <Resting what="Your orders" />;
  return (
    <div className="shell max-w-4xl py-8 md:py-12">
      <h1 className="mb-8 text-3xl md:text-4xl">My orders</h1>
      {orders.edges.length === 0 ? (
        <Empty title="No orders yet" action={{ href: '/search', label: 'Browse the stalls' }}>
          What you order appears here, with its status as it changes.
        </Empty>
      ) : (
        <ul className="grid gap-4">
          {orders.edges.map(({ node }) => (
            <OrderCard key={node.number} order={node} />
          ))}
        </ul>
      )}
      {orders.pageInfo.hasNextPage && orders.pageInfo.endCursor ? (
        <Link
          href={`/orders?after=${encodeURIComponent(orders.pageInfo.endCursor)}`}
          className="button button-quiet mt-6"
        >
          Older orders <Icon name="arrow" />
        </Link>
      ) : null}
    </div>
  );
}

/** Pictures shown per order; the rest is a number. */
const picturesMax = 4;

function OrderCard({ order }: { order: Order }) {
  const rest = order.lines.length - picturesMax;
  return (
    <li className="card relative grid gap-4 p-4 transition-shadow hover:shadow-lift sm:p-5">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <div>
          <h2 className="font-sans text-base font-semibold tracking-normal">
            <Link
              href={`/orders/${encodeURIComponent(order.number)}`}
              className="after:absolute after:inset-0"
            >
              Order {order.number}
            </Link>
          </h2>
          <p className="text-sm text-muted">
            <LocalTime at={order.placedAt} />
          </p>
        </div>
        <StatusChip status={order.status} />
      </div>
      <div className="flex items-end justify-between gap-4">
        <div className="flex items-center gap-2">
          {order.lines.slice(0, picturesMax).map((line, at) => {
            const picture = line.product?.images[0];
            return picture ? (
              <img
                key={at}
                src={picture.url}
                alt={`${line.quantity} × ${line.title}`}
                width={picture.width}
                height={picture.height}
                loading="lazy"
                className="size-12 rounded-lg bg-raised object-cover sm:size-14"
              />
            ) : (
              <span key={at} className="text-sm">
                {line.quantity} × {line.title}
              </span>
            );
          })}
          {rest > 0 ? <span className="text-sm text-muted">+{rest}</span> : null}
        </div>
        <Price money={order.total} className="font-display text-xl font-semibold" />
      </div>
    </li>
  );
}
