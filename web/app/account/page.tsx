import type { Metadata } from 'next';
import Link from 'next/link';
import { randomUUID } from 'node:crypto';
import { Balances } from '@/features/account/balances';
import { Ledger } from '@/features/account/ledger';
import { TopUpForm } from '@/features/account/top-up-form';
import { logout } from '@/features/auth/actions';
import { SendVerificationForm } from '@/features/auth/letter-forms';
import { Resting } from '@/features/shell/resting';
import { AccountDocument, type AccountQuery } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';
import { LocalTime } from '@/ui/local-time';
import { LiveRefresh } from '@/ui/live-refresh';
import { Notice, SectionNotice } from '@/ui/notice';

export const metadata: Metadata = { title: 'Account', robots: { index: false } };

type Me = NonNullable<AccountQuery['me']>;

export default async function AccountPage() {
  await requireSession('/account');
  const answer = await askAsViewer(AccountDocument, {}, '/account');
  const me = answer.ok ? answer.data.me : null;
  if (!me) return <Resting what="Your account" />;
  return (
    <div className="shell grid max-w-5xl gap-12 py-8 md:py-12">
      <div className="flex flex-wrap items-end justify-between gap-4">
        <div>
          <h1 className="text-3xl md:text-4xl">Hello, {me.fullName || me.username}</h1>
          <p className="mt-1 text-muted">
            {me.email} · here since <LocalTime at={me.createdAt} style="date" />
          </p>
        </div>
        <div className="flex flex-wrap gap-3">
          <Link href="/orders" className="button button-quiet">
            My orders
          </Link>
          <Link href="/bookings" className="button button-quiet">
            My bookings
          </Link>
          <form action={logout}>
            <button type="submit" className="button button-quiet">
              Sign out
            </button>
          </form>
        </div>
      </div>
      {me.status === 'UNVERIFIED' ? (
        <div className="grid justify-items-start gap-3">
          <Notice tone="note">
            Your address is not confirmed yet. Please open the link in the letter we sent you.
          </Notice>
          <SendVerificationForm />
        </div>
      ) : null}
      <Wallet wallet={me.wallet} />
      <Collection items={me.items} />
    </div>
  );
}

function Wallet({ wallet }: { wallet: Me['wallet'] }) {
  return (
    <section aria-labelledby="wallet" className="grid gap-5">
      <h2 id="wallet" className="text-2xl">
        Wallet
      </h2>
      {wallet ? (
        <>
          <Balances
            sums={[
              { label: 'To spend', money: wallet.available },
              { label: 'Set aside for orders', money: wallet.held },
              { label: 'In escrow', money: wallet.escrowed },
            ]}
          />
          <TopUpForm currency={wallet.available.currency} idempotencyKey={randomUUID()} />
          <LiveRefresh path="/api/wallet/events" />
          <Ledger entries={wallet.entries.edges.map((edge) => edge.node)} />
        </>
      ) : (
        <SectionNotice>Your wallet cannot be shown right now.</SectionNotice>
      )}
    </section>
  );
}

function Collection({ items }: { items: Me['items'] }) {
  return (
    <section aria-labelledby="collection" className="grid gap-5">
      <h2 id="collection" className="text-2xl">
        My collection
      </h2>
      {!items ? <SectionNotice>Your collection cannot be shown right now.</SectionNotice> : null}
      {items?.edges.length === 0 ? (
        <p className="text-muted">What you win at an auction is kept here.</p>
      ) : null}
      <ul className="product-grid">
        {items?.edges.map(({ node }) => (
          <li key={node.id} className="card overflow-hidden">
            {node.imageUrl ? (
              <img
                src={node.imageUrl}
                alt=""
                width={800}
                height={800}
                loading="lazy"
                className="aspect-square w-full bg-raised object-cover"
              />
            ) : null}
            <div className="p-4">
              <p className="font-semibold">{node.title}</p>
              <p className="text-sm text-muted">
                {node.state === 'LOCKED' ? 'In a sale' : 'Yours'}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
