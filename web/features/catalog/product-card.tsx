import Link from 'next/link';
import type { ProductCardFragment } from '@/graphql/generated';
import { Price } from '@/ui/price';
import { Stars } from '@/ui/stars';

export function ProductCard({ product, eager }: { product: ProductCardFragment; eager?: boolean }) {
  const picture = product.images[0];
  return (
    <li className="card group relative flex flex-col overflow-hidden transition-shadow hover:shadow-lift">
      <div className="relative aspect-square overflow-hidden bg-raised">
        {picture ? (
          <img
            src={picture.url}
            alt=""
            width={picture.width}
            height={picture.height}
            loading={eager ? 'eager' : 'lazy'}
            className="size-full object-cover transition-transform duration-300 group-hover:scale-[1.03]"
          />
        ) : null}
        <StockChip available={product.availability.available} />
      </div>
      <div className="flex flex-1 flex-col gap-1 p-3.5 sm:p-4">
        <h3 className="font-sans text-[0.97rem] font-semibold leading-snug tracking-normal sm:text-base">
          <Link href={`/products/${product.slug}`} className="after:absolute after:inset-0">
            {product.name}
          </Link>
        </h3>
        {product.seller ? <p className="text-sm text-muted">{product.seller.displayName}</p> : null}
        <div className="mt-auto flex flex-wrap items-center justify-between gap-x-3 gap-y-1 pt-2">
          <Price money={product.price} className="font-display text-lg font-semibold" />
          {product.rating && product.rating.count > 0 ? (
            <Stars average={product.rating.average} count={product.rating.count} />
          ) : null}
        </div>
      </div>
    </li>
  );
}

function StockChip({ available }: { available: number }) {
  if (available > 3) return null;
  const text = available <= 0 ? 'Sold out' : `Only ${available} left`;
  const tone = available <= 0 ? 'bg-raised text-ink' : 'bg-gold-soft text-ink';
  return <span className={`chip absolute left-3 top-3 ${tone}`}>{text}</span>;
}

/** How many cards are above the fold on a wide screen, so that the browser fetches their pictures first. */
const eagerCards = 4;

export function ProductGrid({ products }: { products: ProductCardFragment[] }) {
  return (
    <ul className="product-grid">
      {products.map((product, at) => (
        <ProductCard key={product.id} product={product} eager={at < eagerCards} />
      ))}
    </ul>
  );
}
