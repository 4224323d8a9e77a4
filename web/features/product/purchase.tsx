import { AddToCart } from '@/features/cart/add-to-cart';
import { Icon } from '@/ui/icon';
import { Price } from '@/ui/price';
import type { Product } from './load';

/** Price, stock and the button: all from the product service, so they stand or fall together. */
export function Purchase({ product }: { product: Product }) {
  const { available } = product.availability;
  return (
    <div className="card grid gap-5 p-5 shadow-card md:p-6">
      <div className="flex flex-wrap items-baseline justify-between gap-3">
        <Price money={product.price} className="font-display text-4xl font-semibold" />
        <StockText available={available} />
      </div>
      {available > 0 ? (
        <AddToCart productId={product.id} available={available} />
      ) : (
        <button type="button" className="button" disabled>
          Sold out
        </button>
      )}
    </div>
  );
}

function StockText({ available }: { available: number }) {
  if (available <= 0) {
    return <span className="chip bg-raised text-muted">Sold out</span>;
  }
  if (available <= 5) {
    return (
      <span className="chip bg-gold-soft text-ink">
        <Icon name="clock" className="size-4" />
        Only {available} left
      </span>
    );
  }
  return (
    <span className="chip bg-pandan-soft text-pandan">
      <Icon name="check" className="size-4" />
      In stock
    </span>
  );
}
