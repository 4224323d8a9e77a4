import Link from 'next/link';
import { randomUUID } from 'node:crypto';
import type { ReactNode } from 'react';
import type { BookingPageQuery, BookingState } from '@/graphql/generated';
import { Icon } from '@/ui/icon';
import { LiveRefresh } from '@/ui/live-refresh';
import { LocalTime } from '@/ui/local-time';
import { Price } from '@/ui/price';
import { bookingLabel, bookingText, bookingTone, isOpen, type BookingTone } from './meanings';
import { StepForm } from './step-form';

type Booking = NonNullable<BookingPageQuery['booking']>;

/** A booking as both sides see it: where it stands, what is to be done, and who said that it is done. */
export function BookingView({ booking }: { booking: Booking }) {
  return (
    <div className="grid gap-8">
      <section aria-label="Status" className="card p-5 shadow-card md:p-7">
        <div
          aria-live="polite"
          data-testid="booking-state"
          data-state={booking.state}
          className="flex items-center gap-4"
        >
          <BookingChip state={booking.state} />
          <p className="text-muted">{bookingText(booking.state)}</p>
        </div>
        <Steps booking={booking} />
      </section>
      <div className="grid gap-8 md:grid-cols-2">
        <Terms booking={booking} />
        <Confirmations booking={booking} />
      </div>
      <History booking={booking} />
      {isOpen(booking.state) ? (
        <LiveRefresh path={`/api/bookings/${encodeURIComponent(booking.id)}/events`} />
      ) : null}
    </div>
  );
}

const chips: Record<BookingTone, { box: string; icon: 'clock' | 'check' | 'cross' | 'minus' }> = {
  waiting: { box: 'bg-gold-soft text-ink', icon: 'clock' },
  good: { box: 'bg-pandan-soft text-pandan', icon: 'check' },
  bad: { box: 'bg-danger-soft text-danger', icon: 'cross' },
  quiet: { box: 'bg-raised text-muted', icon: 'minus' },
};

export function BookingChip({ state }: { state: BookingState }) {
  const { box, icon } = chips[bookingTone(state)];
  return (
    <span className={`chip ${box}`}>
      <Icon name={icon} className="size-4" />
      {bookingLabel(state)}
    </span>
  );
}

function Steps({ booking }: { booking: Booking }) {
  if (booking.allowedActions.length === 0) return null;
  return (
    <div className="mt-6 grid gap-4 border-t border-line pt-5">
      {booking.allowedActions.map((step) => (
        <StepForm
          // A new state of the booking is a new form with a new key.
          key={`${step}-${booking.version}`}
          bookingId={booking.id}
          version={booking.version}
          step={step}
          idempotencyKey={randomUUID()}
        />
      ))}
    </div>
  );
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex items-baseline justify-between gap-4">
      <dt className="text-muted">{label}</dt>
      <dd className="text-right font-semibold">{children}</dd>
    </div>
  );
}

function Terms({ booking }: { booking: Booking }) {
  return (
    <section aria-labelledby="terms">
      <h2 id="terms" className="mb-3 text-xl">
        What was agreed
      </h2>
      <dl className="card grid gap-2 p-5">
        <Fact label="Service">
          {booking.listing ? (
            <Link href={`/listings/${booking.listing.id}`} className="link">
              {booking.listing.title}
            </Link>
          ) : (
            'not shown right now'
          )}
        </Fact>
        <Fact label="Stall">{booking.seller?.displayName ?? 'not shown right now'}</Fact>
        <Fact label="Buyer">{booking.buyer?.username ?? 'not shown right now'}</Fact>
        {booking.startsAt ? (
          <Fact label="When">
            <LocalTime at={booking.startsAt} />
          </Fact>
        ) : null}
        <Fact label="Price">
          <Price money={booking.price} />
        </Fact>
        <Fact label="Deposit">
          <Price money={booking.deposit} />
        </Fact>
        <Fact label="In escrow">
          <Price money={booking.escrow} />
        </Fact>
        <Fact label="Still to be paid">
          <Price money={booking.balanceDue} />
        </Fact>
      </dl>
    </section>
  );
}

function Confirmations({ booking }: { booking: Booking }) {
  return (
    <section aria-labelledby="done">
      <h2 id="done" className="mb-3 text-xl">
        Who says that it is done
      </h2>
      <dl className="card grid gap-2 p-5">
        <Fact label="The stall">
          <Moment at={booking.sellerConfirmedAt} />
        </Fact>
        <Fact label="The buyer">
          <Moment at={booking.buyerConfirmedAt} />
        </Fact>
        {booking.autoConfirmAt && !booking.buyerConfirmedAt ? (
          <Fact label="Silence counts as yes from">
            <LocalTime at={booking.autoConfirmAt} />
          </Fact>
        ) : null}
      </dl>
    </section>
  );
}

function Moment({ at }: { at: string | null }) {
  return at ? <LocalTime at={at} /> : 'not yet';
}

function History({ booking }: { booking: Booking }) {
  return (
    <section aria-labelledby="history">
      <h2 id="history" className="mb-3 text-xl">
        What happened
      </h2>
      <ol className="card grid gap-3 p-5">
        {booking.history.map((event, at) => (
          <li key={at} className="flex flex-wrap items-baseline gap-x-3 text-sm">
            <span className="font-semibold">{bookingLabel(event.state)}</span>
            <span className="text-muted">
              <LocalTime at={event.at} />
            </span>
            {event.note ? <span className="text-muted">{event.note}</span> : null}
          </li>
        ))}
      </ol>
    </section>
  );
}
