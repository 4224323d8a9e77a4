import Link from 'next/link';
import { Suspense } from 'react';
import { ask } from '@/graphql/client';
import { UnreadNotificationsDocument } from '@/graphql/generated';
import { currentSession } from '@/lib/session/cookies';
import { Icon } from '@/ui/icon';
import { LiveRefresh } from '@/ui/live-refresh';

/** The way to what the shop told the viewer, with the number of what is unread. */
export function Bell() {
  return (
    <Link href="/notifications" className="icon-button" aria-label="Notifications">
      <Icon name="bell" />
      <Suspense>
        <Unread />
      </Suspense>
      <LiveRefresh path="/api/notifications/events" />
    </Link>
  );
}

/** The header shows as many at most. */
const shownMax = 99;

async function Unread() {
  const session = await currentSession();
  if (!session) return null;
  const answer = await ask(UnreadNotificationsDocument, {}, { token: session.accessToken });
  const count = answer.ok ? (answer.data.me?.notifications?.unreadCount ?? 0) : 0;
  if (count === 0) return null;
  return (
    <span
      data-testid="unread"
      className="absolute right-0 top-0 grid min-w-5 place-items-center rounded-full bg-roast px-1.5 text-xs font-bold leading-5 text-on-roast"
    >
      {count > shownMax ? `${shownMax}+` : count}
      <span className="sr-only"> unread</span>
    </span>
  );
}
