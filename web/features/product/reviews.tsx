import { isBroken, type PartError } from '@/graphql/errors';
import { LocalTime } from '@/ui/local-time';
import { SectionNotice } from '@/ui/notice';
import { Stars } from '@/ui/stars';
import type { Product } from './load';

/** Rating and reviews: the order service's part of the page. */
export function Reviews({ product, errors }: { product: Product; errors: PartError[] }) {
  return (
    <section aria-labelledby="reviews">
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <h2 id="reviews" className="text-2xl">
          What buyers say
        </h2>
        {product.rating && product.rating.count > 0 ? (
          <Stars average={product.rating.average} count={product.rating.count} />
        ) : null}
      </div>
      <ReviewList product={product} errors={errors} />
    </section>
  );
}

function ReviewList({ product, errors }: { product: Product; errors: PartError[] }) {
  const { reviews } = product;
  if (!reviews) {
    return isBroken(errors, 'product.reviews') ? (
      <SectionNotice>
        Reviews are not available right now. Everything else on this page is.
      </SectionNotice>
    ) : null;
  }
  if (reviews.edges.length === 0) {
    return <p className="text-muted">No one has reviewed this yet.</p>;
  }
  return (
    <ul className="grid gap-4 md:grid-cols-2">
      {reviews.edges.map(({ node }) => (
        <li key={node.id} className="card grid content-start gap-2 p-5">
          <div className="flex flex-wrap items-center justify-between gap-2">
            <Stars average={node.rating} />
            <span className="text-sm text-muted">
              <LocalTime at={node.createdAt} style="date" />
            </span>
          </div>
          {node.body ? <p>{node.body}</p> : null}
          <p className="text-sm text-muted">{node.author?.username ?? 'A buyer'}</p>
        </li>
      ))}
    </ul>
  );
}
