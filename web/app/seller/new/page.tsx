import type { Metadata } from 'next';
import Link from 'next/link';
import { redirect } from 'next/navigation';
import { offerKinds, offerMeaning } from '@/features/seller/kinds';
import { requireSession } from '@/graphql/viewer';

export const metadata: Metadata = { title: 'New offer', robots: { index: false } };

export default async function NewOfferPage() {
  const { viewer } = await requireSession('/seller/new');
  if (!viewer.sellerHandle) redirect('/seller');
  return (
    <div className="shell max-w-4xl py-8 md:py-12">
      <h1 className="mb-8 text-3xl md:text-4xl">What do you offer?</h1>
      <ul className="grid gap-4 sm:grid-cols-2">
        {offerKinds.map((kind) => (
          <li key={kind} className="card relative p-5 transition-shadow hover:shadow-lift">
            <h2 className="text-xl">
              <Link href={`/seller/new/${kind}`} className="after:absolute after:inset-0">
                {offerMeaning(kind).label}
              </Link>
            </h2>
            <p className="mt-2 text-muted">{offerMeaning(kind).lead}</p>
          </li>
        ))}
      </ul>
    </div>
  );
}
