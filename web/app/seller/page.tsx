import type { Metadata } from 'next';
import { SellerView } from '@/features/seller/seller-view';
import { Resting } from '@/features/shell/resting';
import { isBroken } from '@/graphql/errors';
import { SellerDashboardDocument } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';
import { Empty } from '@/ui/empty';

export const metadata: Metadata = { title: 'My stall', robots: { index: false } };

export default async function SellerPage() {
  const { viewer } = await requireSession('/seller');
  if (!viewer.sellerHandle) return <NoStall />;
  const answer = await askAsViewer(
    SellerDashboardDocument,
    { handle: viewer.sellerHandle },
    '/seller',
  );
  if (!answer.ok) return <Resting what="Your stall" />;
  const { seller, me } = answer.data;
  if (!seller)
    return isBroken(answer.errors, 'seller') ? <Resting what="Your stall" /> : <NoStall />;
  return <SellerView seller={seller} me={me} />;
}

function NoStall() {
  return (
    <div className="shell max-w-3xl py-12">
      <Empty title="You have no stall yet" action={{ href: '/', label: 'Home' }}>
        This page shows products, offers and sales to those who sell here.
      </Empty>
    </div>
  );
}
