'use client';
import { useRouter } from 'next/navigation';
import { useEffect, useState } from 'react';
import { LocalTime } from '@/ui/local-time';
import { Icon } from '@/ui/icon';
import { follow } from '@/ui/live';
import { newer, readLiveMessage, type LiveOrder } from './live';
import { isMoving, statusLabel, statusText, statusTone, type StatusTone } from './status';

type LiveStatusProps = { orderId: string; initial: LiveOrder };

/**
 * The status of an order, kept current without a reload while the order is moving.
 *
 * `initial` comes from the server with every render; the stream brings what happens after it.
 */
export function LiveStatus({ orderId, initial }: LiveStatusProps) {
  const [streamed, setStreamed] = useState(initial);
  const order = newer(initial, streamed);
  const moving = isMoving(order.status);
  const router = useRouter();

  useEffect(() => {
    if (!moving) return;
    return follow(`/api/orders/${encodeURIComponent(orderId)}/events`, {
      onNext: (data) => {
        const arrived = readLiveMessage(data);
        if (arrived) setStreamed((shown) => newer(shown, arrived));
      },
      // A change between the page's render and the stream's start is in neither: ask again once it is open.
      onOpen: () => router.refresh(),
      onEnd: () => router.refresh(),
    });
  }, [moving, orderId, router]);

  // A settled order has taken its lines out of the cart, which the header shows.
  const settled = !moving && statusTone(initial.status) === 'waiting';
  useEffect(() => {
    if (settled) router.refresh();
  }, [settled, router]);

  return (
    <section aria-label="Status" className="card p-5 shadow-card md:p-7">
      <div aria-live="polite" data-testid="order-status" data-status={order.status}>
        <StatusHeading order={order} />
      </div>
      <Timeline order={order} />
    </section>
  );
}

const tones: Record<StatusTone, { box: string; icon: 'clock' | 'check' | 'cross' | 'minus' }> = {
  waiting: { box: 'bg-gold-soft text-ink', icon: 'clock' },
  good: { box: 'bg-pandan-soft text-pandan', icon: 'check' },
  bad: { box: 'bg-danger-soft text-danger', icon: 'cross' },
  quiet: { box: 'bg-raised text-muted', icon: 'minus' },
};

function StatusHeading({ order }: { order: LiveOrder }) {
  const tone = statusTone(order.status);
  const { box, icon } = tones[tone];
  return (
    <div className="flex items-center gap-4">
      <span className={`grid size-14 shrink-0 place-items-center rounded-full ${box}`}>
        <Icon name={icon} className={`size-7 ${tone === 'waiting' ? 'animate-pulse' : ''}`} />
      </span>
      <div>
        <h2 className="text-2xl">{statusLabel(order.status)}</h2>
        <p className="text-muted">{statusText(order.status, order.statusReason)}</p>
        {order.invoice ? <p className="mt-1 text-sm">Invoice {order.invoice.number}</p> : null}
      </div>
    </div>
  );
}

function Timeline({ order }: { order: LiveOrder }) {
  if (order.history.length === 0) return null;
  return (
    <ol className="mt-6 grid gap-3 border-t border-line pt-5">
      {order.history.map((event) => (
        <li
          key={`${event.at}-${event.status}`}
          className="flex flex-wrap items-baseline gap-x-3 text-sm"
        >
          <span className={`size-2.5 self-center rounded-full ${dots[statusTone(event.status)]}`} />
          <span className="font-semibold">{statusLabel(event.status)}</span>
          <span className="text-muted">
            <LocalTime at={event.at} />
          </span>
          {event.note ? <span className="text-muted">{event.note}</span> : null}
        </li>
      ))}
    </ol>
  );
}

const dots: Record<StatusTone, string> = {
  waiting: 'bg-gold',
  good: 'bg-pandan',
  bad: 'bg-danger',
  quiet: 'bg-line-strong',
};

/** The same colours for a status in a list. */
export function StatusChip({ status }: { status: LiveOrder['status'] }) {
  const { box, icon } = tones[statusTone(status)];
  return (
    <span className={`chip ${box}`}>
      <Icon name={icon} className="size-4" />
      {statusLabel(status)}
    </span>
  );
}
