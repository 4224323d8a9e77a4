import { isBroken, type PartError } from '@/graphql/errors';
import { Icon } from '@/ui/icon';
import { SectionNotice } from '@/ui/notice';
import { Stars } from '@/ui/stars';
import type { Product } from './load';

export function SellerCard({ product, errors }: { product: Product; errors: PartError[] }) {
  const { seller } = product;
  if (!seller) {
    return isBroken(errors, 'product.seller') ? (
      <SectionNotice>We cannot show the seller right now.</SectionNotice>
    ) : null;
  }
  return (
    <div className="card flex items-center gap-4 p-4">
      <span className="grid size-12 shrink-0 place-items-center rounded-full bg-pandan-soft text-pandan">
        <Icon name="store" className="size-6" />
      </span>
      <div className="min-w-0 flex-1">
        <p className="text-sm text-muted">Sold by</p>
        <p className="truncate font-semibold">{seller.displayName}</p>
      </div>
      {seller.rating && seller.rating.count > 0 ? (
        <Stars average={seller.rating.average} count={seller.rating.count} />
      ) : null}
    </div>
  );
}
