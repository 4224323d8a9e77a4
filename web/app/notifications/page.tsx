import type { Metadata } from 'next';
import Link from 'next/link';
import { markRead } from '@/features/notifications/actions';
import { Resting } from '@/features/shell/resting';
import { NotificationsDocument, type NotificationsQuery } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';
import { safePath } from '@/lib/safe-path';
import { Empty } from '@/ui/empty';
import { Icon } from '@/ui/icon';
import { LocalTime } from '@/ui/local-time';
import { SubmitButton } from '@/ui/submit-button';

export const metadata: Metadata = { title: 'Notifications', robots: { index: false } };

type Connection = NonNullable<NonNullable<NotificationsQuery['me']>['notifications']>;
type Notification = Connection['edges'][number]['node'];
type Props = { searchParams: Promise<{ after?: string | string[] }> };

export default async function NotificationsPage({ searchParams }: Props) {
  await requireSession('/notifications');
  const { after } = await searchParams;
  const cursor = typeof after === 'string' ? after : null;
  const answer = await askAsViewer(NotificationsDocument, { after: cursor }, '/notifications');
  const told = answer.ok ? answer.data.me?.notifications : null;
  if (!told) return <Resting what="Your notifications" />;
  const nodes = told.edges.map((edge) => edge.node);
  return (
    <div className="shell max-w-3xl py-8 md:py-12">
      <div className="mb-8 flex flex-wrap items-end justify-between gap-4">
        <h1 className="text-3xl md:text-4xl">Notifications</h1>
        <MarkAll unread={nodes.filter((node) => !node.readAt)} />
      </div>
      {nodes.length === 0 ? (
        <Empty title="Nothing new" action={{ href: '/', label: 'Browse the stalls' }}>
          What happens to your orders, bids and bookings is told here.
        </Empty>
      ) : (
        <ul className="card divide-y divide-line">
          {nodes.map((node) => (
            <Row key={node.id} node={node} />
          ))}
        </ul>
      )}
      {told.pageInfo.hasNextPage && told.pageInfo.endCursor ? (
        <Link
          href={`/notifications?after=${encodeURIComponent(told.pageInfo.endCursor)}`}
          className="button button-quiet mt-6"
        >
          Older ones <Icon name="arrow" />
        </Link>
      ) : null}
    </div>
  );
}

function MarkAll({ unread }: { unread: Notification[] }) {
  if (unread.length === 0) return null;
  return (
    <form action={markRead}>
      {unread.map((node) => (
        <input key={node.id} type="hidden" name="id" value={node.id} />
      ))}
      <SubmitButton busy="Marking…" className="button-quiet">
        Mark as read
      </SubmitButton>
    </form>
  );
}

function Row({ node }: { node: Notification }) {
  const isUnread = !node.readAt;
  // Whatever was written, a notification leads to a page of this site.
  const path = node.url ? safePath(node.url, '') : '';
  return (
    <li className="relative flex gap-4 p-4 hover:bg-raised" data-unread={isUnread}>
      <span
        aria-hidden="true"
        className={`mt-2 size-2.5 shrink-0 rounded-full ${isUnread ? 'bg-roast' : 'bg-line'}`}
      />
      <div className="min-w-0 flex-1">
        <p className={isUnread ? 'font-semibold' : ''}>
          {path ? (
            <Link href={path} className="after:absolute after:inset-0">
              {node.title}
            </Link>
          ) : (
            node.title
          )}
          {isUnread ? <span className="sr-only"> (unread)</span> : null}
        </p>
        {node.body ? <p className="text-muted">{node.body}</p> : null}
        <p className="mt-1 text-sm text-muted">
          <LocalTime at={node.createdAt} />
        </p>
      </div>
    </li>
  );
}
