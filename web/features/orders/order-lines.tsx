import Link from 'next/link';
import type { OrderPageQuery } from '@/graphql/generated';
import { Price } from '@/ui/price';

type Order = NonNullable<OrderPageQuery['order']>;

/** Titles and prices are the order's own; picture and seller come from elsewhere and may be missing. */
export function OrderLines({ order }: { order: Order }) {
  return (
    <section aria-label="What you ordered" className="card px-5 md:px-7">
      <ul className="divide-y divide-line">
        {order.lines.map((line) => {
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
                {line.product ? (
                  <Link
                    href={`/products/${line.product.slug}`}
                    className="font-semibold hover:underline"
                  >
                    {line.title}
                  </Link>
                ) : (
                  <span className="font-semibold">{line.title}</span>
                )}
                <p className="text-sm text-muted">
                  {line.quantity} × <Price money={line.unitPrice} />
                  {line.seller ? ` · ${line.seller.displayName}` : ''}
                </p>
              </div>
              <Price money={line.lineTotal} className="font-semibold" />
            </li>
          );
        })}
      </ul>
      <p className="flex items-baseline justify-between border-t border-line py-5">
        <span className="font-semibold">Total</span>
        <Price money={order.total} className="font-display text-2xl font-semibold" />
      </p>
    </section>
  );
}
