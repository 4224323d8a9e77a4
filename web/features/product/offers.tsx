import Link from 'next/link';
import { isBroken, type PartError } from '@/graphql/errors';
import { listingKindLabel, listingStatusLabel } from '@/features/listing/labels';
import { SectionNotice } from '@/ui/notice';
import { Price } from '@/ui/price';
import type { Product } from './load';

/** What others ask for the same thing: the listing service's part of the page. */
export function Offers({ product, errors }: { product: Product; errors: PartError[] }) {
  const { listings } = product;
  if (!listings) {
    return isBroken(errors, 'product.listings') ? (
      <SectionNotice>Offers from other people cannot be shown right now.</SectionNotice>
    ) : null;
  }
  if (listings.totalCount === 0) return null;
  return (
    <section aria-labelledby="offers">
      <h2 id="offers" className="mb-2 text-2xl">
        Also offered by others
      </h2>
      {product.lowestListingPrice ? (
        <p className="mb-4 text-muted">
          From <Price money={product.lowestListingPrice} className="font-semibold text-ink" />
          {product.resaleDiscountPercent
            ? `, ${product.resaleDiscountPercent} % below the shop price`
            : ''}
        </p>
      ) : null}
      <ul className="grid gap-3 sm:grid-cols-2">
        {listings.edges.map(({ node }) => (
          <li key={node.id} className="card relative flex items-center gap-4 p-4 hover:shadow-lift">
            <div className="min-w-0 flex-1">
              <Link
                href={`/listings/${node.id}`}
                className="font-semibold after:absolute after:inset-0"
              >
                {node.title}
              </Link>
              <p className="text-sm text-muted">
                {listingKindLabel(node.__typename)} · {listingStatusLabel(node.status)}
              </p>
            </div>
            {node.askPrice ? <Price money={node.askPrice} className="font-semibold" /> : null}
          </li>
        ))}
      </ul>
    </section>
  );
}
