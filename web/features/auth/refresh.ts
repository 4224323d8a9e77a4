// Renews a session silently, once for however many requests ask at the same moment.
import 'server-only';
import { ask } from '@/graphql/client';
import { RefreshSessionDocument } from '@/graphql/generated';
import { sessionFrom, type Session } from '@/lib/session/session';

/**
 * `ended`: the refresh token is no longer taken. `unknown`: nobody answered, so nothing is known and the
 * session must not be thrown away.
 */
export type Renewal =
  { kind: 'renewed'; session: Session } | { kind: 'ended' } | { kind: 'unknown' };

/**
 * A refresh token is good once. Several requests may carry the same old cookie (a page and its prefetches, two
 * tabs, or a page that was left before its answer came): they all get the renewal that the first one made.
 */
const sharedForMs = 120_000;

const holder = globalThis as { kopitiamRenewals?: Map<string, Promise<Renewal>> };
const renewals = (holder.kopitiamRenewals ??= new Map());

export function renew(session: Session): Promise<Renewal> {
  const token = session.refreshToken;
  if (!token) return Promise.resolve({ kind: 'ended' });
  const running = renewals.get(token);
  if (running) return running;
  const started = renewNow(session, token);
  renewals.set(token, started);
  setTimeout(() => renewals.delete(token), sharedForMs).unref();
  // A gateway that did not answer is asked again by the next request.
  void started.then((renewal) => renewal.kind === 'unknown' && renewals.delete(token));
  return started;
}

async function renewNow(session: Session, refreshToken: string): Promise<Renewal> {
  const answer = await ask(RefreshSessionDocument, { input: { refreshToken } });
  if (!answer.ok) {
    return answer.failure.kind === 'unauthenticated' ? { kind: 'ended' } : { kind: 'unknown' };
  }
  const { refreshSession } = answer.data;
  const renewed = sessionFrom(refreshSession, Date.now(), session);
  return renewed ? { kind: 'renewed', session: renewed } : { kind: 'ended' };
}
