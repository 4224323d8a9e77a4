import type { Metadata } from 'next';
import Link from 'next/link';
import { notFound } from 'next/navigation';
import { BookingView } from '@/features/bookings/booking-view';
import { Resting } from '@/features/shell/resting';
import { isBroken } from '@/graphql/errors';
import { BookingPageDocument } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';

export const metadata: Metadata = { title: 'Booking', robots: { index: false } };

type Props = { params: Promise<{ id: string }> };

export default async function BookingRoute({ params }: Props) {
  const { id: encoded } = await params;
  const id = decodeURIComponent(encoded);
  const page = `/bookings/${encodeURIComponent(id)}`;
  await requireSession(page);
  const answer = await askAsViewer(BookingPageDocument, { id }, page);
  if (!answer.ok) return <Resting what="This booking" />;
  const { booking } = answer.data;
  if (!booking) {
    const forbidden = answer.errors.some((error) => error.code === 'FORBIDDEN');
    if (isBroken(answer.errors, 'booking') && !forbidden) return <Resting what="This booking" />;
    notFound();
  }
  return (
    <div className="shell max-w-4xl py-8 md:py-12">
      <nav aria-label="Breadcrumb" className="mb-3 text-sm text-muted">
        <Link href="/bookings" className="hover:underline">
          My bookings
        </Link>
      </nav>
      <h1 className="mb-8 text-3xl md:text-4xl">{booking.listing?.title ?? 'Booking'}</h1>
      <BookingView booking={booking} />
    </div>
  );
}
