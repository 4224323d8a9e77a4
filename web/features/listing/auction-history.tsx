import { LocalTime } from '@/ui/local-time';
import { SectionNotice } from '@/ui/notice';
import { Price } from '@/ui/price';
import type { Auction } from './listing-view';

export function BidHistory({ bids }: { bids: Auction['bids'] }) {
  return (
    <section aria-labelledby="bids">
      <h2 id="bids" className="mb-4 text-2xl">
        Bids
      </h2>
      {bids.edges.length === 0 ? <p className="text-muted">No bids yet.</p> : null}
      {bids.edges.length > 0 ? (
        <ol className="card divide-y divide-line px-4">
          {bids.edges.map(({ node }) => (
            <li key={node.id} className="flex items-baseline gap-4 py-3">
              <span className="flex-1 font-semibold">
                {node.bidderLabel}
                {node.isViewer ? ' (you)' : ''}
              </span>
              <span className="text-sm text-muted">
                <LocalTime at={node.placedAt} />
              </span>
              <Price money={node.amount} className="font-semibold" />
            </li>
          ))}
        </ol>
      ) : null}
    </section>
  );
}

export function ItemHistory({ item, broken }: { item: Auction['item']; broken: boolean }) {
  if (!item && !broken) return null;
  return (
    <section aria-labelledby="history">
      <h2 id="history" className="mb-4 text-2xl">
        Who owned it
      </h2>
      {!item ? <SectionNotice>The history cannot be shown right now.</SectionNotice> : null}
      {item?.history.length === 0 ? (
        <p className="text-muted">First sale: still with its maker.</p>
      ) : null}
      {item && item.history.length > 0 ? (
        <ol className="card divide-y divide-line px-4">
          {item.history.map((transfer) => (
            <li key={transfer.at} className="flex flex-wrap items-baseline gap-x-4 py-3">
              <span className="flex-1">
                {transfer.from?.username ?? 'someone'} → {transfer.to?.username ?? 'someone'}
              </span>
              <span className="text-sm text-muted">
                <LocalTime at={transfer.at} style="date" />
              </span>
            </li>
          ))}
        </ol>
      ) : null}
    </section>
  );
}
