import type { Metadata } from 'next';
import Link from 'next/link';
import { BookingChip } from '@/features/bookings/booking-view';
import { Resting } from '@/features/shell/resting';
import { MyBookingsDocument, type MyBookingsQuery } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';
import { Empty } from '@/ui/empty';
import { Icon } from '@/ui/icon';
import { LocalTime } from '@/ui/local-time';
import { Price } from '@/ui/price';

export const metadata: Metadata = { title: 'My bookings', robots: { index: false } };

type Connection = NonNullable<NonNullable<MyBookingsQuery['me']>['bookings']>;
type Booking = Connection['edges'][number]['node'];
type Props = { searchParams: Promise<{ after?: string | string[] }> };

export default async function BookingsPage({ searchParams }: Props) {
  await requireSession('/bookings');
  const { after } = await searchParams;
  const cursor = typeof after === 'string' ? after : null;
  const answer = await askAsViewer(MyBookingsDocument, { after: cursor }, '/bookings');
  const bookings = answer.ok ? answer.data.me?.bookings : null;
  if (!bookings) return <Resting what="Your bookings" />;
  return (
    <div className="shell max-w-4xl py-8 md:py-12">
      <h1 className="mb-8 text-3xl md:text-4xl">My bookings</h1>
      {bookings.edges.length === 0 ? (
        <Empty title="No bookings yet" action={{ href: '/', label: 'Browse the stalls' }}>
          Services that you ask for appear here, from the first word to the last cent.
        </Empty>
      ) : (
        <ul className="card divide-y divide-line">
          {bookings.edges.map(({ node }) => (
            <Row key={node.id} booking={node} />
          ))}
        </ul>
      )}
      {bookings.pageInfo.hasNextPage && bookings.pageInfo.endCursor ? (
        <Link
          href={`/bookings?after=${encodeURIComponent(bookings.pageInfo.endCursor)}`}
          className="button button-quiet mt-6"
        >
          Older bookings <Icon name="arrow" />
        </Link>
      ) : null}
    </div>
  );
}

function Row({ booking }: { booking: Booking }) {
  return (
    <li className="relative flex flex-wrap items-center gap-x-4 gap-y-2 p-4 hover:bg-raised">
      <div className="min-w-0 flex-1">
        <Link
          href={`/bookings/${booking.id}`}
          className="font-semibold after:absolute after:inset-0"
        >
          {booking.listing?.title ?? 'A service'}
        </Link>
        <p className="text-sm text-muted">
          {booking.seller?.displayName}
          {booking.startsAt ? (
            <>
              {' · '}
              <LocalTime at={booking.startsAt} />
            </>
          ) : null}
        </p>
      </div>
      <BookingChip state={booking.state} />
      <Price money={booking.price} className="font-semibold" />
    </li>
  );
}
