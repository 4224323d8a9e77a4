import type { Metadata } from 'next';
import { LetterPage } from '@/features/auth/letter-page';
import { SellerView } from '@/features/seller/seller-view';
import { StallForm } from '@/features/seller/stall-form';
import { Resting } from '@/features/shell/resting';
import { isBroken } from '@/graphql/errors';
import { SellerDashboardDocument } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';

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
    <LetterPage
      title="Open a stall"
      lead="Sell things of yours, tickets and your work. The shop keeps five percent of what is paid."
    >
      <StallForm />
    </LetterPage>
  );
}
