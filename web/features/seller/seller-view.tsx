import Link from 'next/link';
import type { ReactNode } from 'react';
import { Balances } from '@/features/account/balances';
import { Ledger } from '@/features/account/ledger';
import { bookingLabel } from '@/features/bookings/meanings';
import { listingKindLabel, listingStatusLabel } from '@/features/listing/labels';
import { StatusChip } from '@/features/orders/live-status';
import type { SellerDashboardQuery } from '@/graphql/generated';
import { LocalTime } from '@/ui/local-time';
import { SectionNotice } from '@/ui/notice';
import { Price } from '@/ui/price';
import { Stars } from '@/ui/stars';

type Seller = NonNullable<SellerDashboardQuery['seller']>;
type SellerViewProps = { seller: Seller; me: SellerDashboardQuery['me'] };

/** One page over all four services; each block stands alone when its service is away. */
export function SellerView({ seller, me }: SellerViewProps) {
  return (
    <div className="shell grid gap-12 py-8 md:py-12">
      <div className="flex flex-wrap items-end justify-between gap-4">
        <div>
          <p className="eyebrow mb-2">My stall</p>
          <h1 className="text-3xl md:text-4xl">{seller.displayName}</h1>
        </div>
        <div className="flex flex-wrap items-center gap-4">
          {seller.rating && seller.rating.count > 0 ? (
            <Stars average={seller.rating.average} count={seller.rating.count} />
          ) : null}
          <Link href="/seller/new" className="button button-primary">
            New offer
          </Link>
        </div>
      </div>
      {me?.wallet ? (
        <Balances
          sums={[
            { label: 'Available', money: me.wallet.available },
            { label: 'In escrow', money: me.wallet.escrowed },
          ]}
        />
      ) : (
        <SectionNotice>Your balance cannot be shown right now.</SectionNotice>
      )}
      <div className="grid gap-12 xl:grid-cols-2">
        <Products products={seller.products} />
        <Sales sales={seller.sales} />
        <Listings listings={seller.listings} />
        <Items items={me?.items ?? null} />
        <Bookings bookings={seller.bookings} />
      </div>
      {me?.wallet ? (
        <Block title="Latest movements" missing={false} empty={null}>
          <Ledger entries={me.wallet.entries.edges.map((edge) => edge.node)} />
        </Block>
      ) : null}
    </div>
  );
}

type BlockProps = {
  title: string;
  missing: boolean;
  /** Text for an empty list; null when there is something to show. */
  empty: string | null;
  children?: ReactNode;
};

function Block({ title, missing, empty, children }: BlockProps) {
  return (
    <section className="min-w-0">
      <h2 className="mb-4 text-2xl">{title}</h2>
      {missing ? <SectionNotice>This part cannot be shown right now.</SectionNotice> : null}
      {!missing && empty ? <p className="text-muted">{empty}</p> : null}
      {!missing && !empty ? children : null}
    </section>
  );
}

const list = 'card divide-y divide-line px-4';
const row = 'flex flex-wrap items-center gap-x-4 gap-y-1 py-3';

function Products({ products }: { products: Seller['products'] }) {
  return (
    <Block
      title={products ? `Products (${products.totalCount})` : 'Products'}
      missing={!products}
      empty={products?.edges.length === 0 ? 'No products yet.' : null}
    >
      <ul className={list}>
        {products?.edges.map(({ node }) => (
          <li key={node.id} className={row}>
            {node.images[0] ? (
              <img
                src={node.images[0].url}
                alt=""
                width={800}
                height={800}
                loading="lazy"
                className="size-11 rounded-lg object-cover"
              />
            ) : null}
            <Link
              href={`/products/${node.slug}`}
              className="min-w-0 flex-1 font-semibold leading-snug hover:underline"
            >
              {node.name}
            </Link>
            <span
              className={
                node.availability.available <= 3
                  ? 'text-sm font-semibold text-danger'
                  : 'text-sm text-muted'
              }
            >
              {node.availability.available} left
            </span>
            <Price money={node.price} className="w-16 sm:w-20 text-right font-semibold" />
          </li>
        ))}
      </ul>
    </Block>
  );
}

function Sales({ sales }: { sales: Seller['sales'] }) {
  return (
    <Block
      title="Sales"
      missing={!sales}
      empty={sales?.edges.length === 0 ? 'No sales yet.' : null}
    >
      <ul className={list}>
        {sales?.edges.map(({ node }) => (
          <li key={node.number} className={row}>
            <div className="min-w-0 flex-1">
              <p className="font-semibold">{node.number}</p>
              <p className="truncate text-sm text-muted">
                {node.buyer?.username ?? 'A buyer'} · <LocalTime at={node.placedAt} style="date" />
              </p>
            </div>
            <div className="grid justify-items-end gap-1 sm:flex sm:items-center sm:gap-4">
              <StatusChip status={node.status} />
              <Price money={node.total} className="text-right font-semibold sm:w-20" />
            </div>
          </li>
        ))}
      </ul>
    </Block>
  );
}

function Listings({ listings }: { listings: Seller['listings'] }) {
  return (
    <Block
      title="Listings"
      missing={!listings}
      empty={listings?.edges.length === 0 ? 'No listings yet.' : null}
    >
      <ul className={list}>
        {listings?.edges.map(({ node }) => (
          <li key={node.id} className={row}>
            <div className="min-w-0 flex-1">
              <Link href={`/listings/${node.id}`} className="font-semibold hover:underline">
                {node.title}
              </Link>
              <p className="text-sm text-muted">
                {listingKindLabel(node.__typename)} · {listingStatusLabel(node.status)}
                {node.__typename === 'AuctionListing' ? ` · ${node.bidCount} bids` : ''}
              </p>
            </div>
            <div className="text-right">
              {node.askPrice ? <Price money={node.askPrice} className="font-semibold" /> : null}
              {node.estimatedFee ? (
                <p className="text-sm text-muted">
                  fee <Price money={node.estimatedFee} />
                </p>
              ) : null}
            </div>
          </li>
        ))}
      </ul>
    </Block>
  );
}

type Items = NonNullable<SellerDashboardQuery['me']>['items'];

function Items({ items }: { items: Items }) {
  return (
    <Block
      title="Unique items"
      missing={!items}
      empty={items?.edges.length === 0 ? 'No items yet.' : null}
    >
      <ul className={list}>
        {items?.edges.map(({ node }) => (
          <li key={node.id} className={row}>
            <span className="min-w-0 flex-1 font-semibold">{node.title}</span>
            {node.activeListing ? (
              <Link href={`/listings/${node.activeListing.id}`} className="link text-sm">
                {listingStatusLabel(node.activeListing.status)}
              </Link>
            ) : (
              <span className="text-sm text-muted">
                {node.state === 'LOCKED' ? 'Locked' : 'Not listed'}
              </span>
            )}
          </li>
        ))}
      </ul>
    </Block>
  );
}

function Bookings({ bookings }: { bookings: Seller['bookings'] }) {
  return (
    <Block
      title="Bookings"
      missing={!bookings}
      empty={bookings?.edges.length === 0 ? 'No bookings yet.' : null}
    >
      <ul className={list}>
        {bookings?.edges.map(({ node }) => (
          <li key={node.id} className={row}>
            <div className="min-w-0 flex-1">
              <Link href={`/bookings/${node.id}`} className="font-semibold hover:underline">
                {node.listing?.title ?? 'A service'}
              </Link>
              <p className="text-sm text-muted">
                {node.buyer?.username ?? 'A buyer'} · {bookingLabel(node.state)}
              </p>
            </div>
            <span className="text-sm text-muted">
              {node.allowedActions.length > 0 ? 'waiting for you' : 'nothing to do'}
            </span>
          </li>
        ))}
      </ul>
    </Block>
  );
}
