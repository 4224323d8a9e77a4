import { NextRequest } from 'next/server';
import { beforeEach, expect, it, vi } from 'vitest';
import { SessionProbeDocument, SearchDocument } from '@/graphql/generated';
import { askAsViewer } from '@/graphql/viewer';
import { GET } from './route';

const { jar, ask, renew } = vi.hoisted(() => ({
  jar: new Map<string, string>(),
  ask: vi.fn<(document: unknown, variables: unknown, options: { token?: string }) => unknown>(),
  renew: vi.fn<() => unknown>(),
}));

vi.mock('next/headers', () => ({
  cookies: () => ({
    get: (name: string) => (jar.has(name) ? { value: jar.get(name) } : undefined),
    has: (name: string) => jar.has(name),
    set: (name: string, value: string) => jar.set(name, value),
    delete: (name: string) => jar.delete(name),
  }),
}));
vi.mock('next/navigation', () => ({
  redirect: (to: string) => {
    throw new Error(`redirect ${to}`);
  },
}));
vi.mock('@/graphql/client', () => ({ ask }));
vi.mock('@/features/auth/refresh', () => ({ renew }));
// Cookies here are readable: the seal has tests of its own.
vi.mock('@/lib/session/session', () => ({
  decodeSession: (token?: string) => (token ? sessionOf(token) : null),
  encodeSession: (session: { accessToken: string }) => session.accessToken,
}));

const sessionOf = (accessToken: string) => ({
  accessToken,
  accessExpiresMs: Infinity,
  refreshExpiresMs: 0,
});
const refused = {
  ok: true,
  data: {},
  errors: [{ message: '', path: [], code: 'UNAUTHENTICATED' }],
};
const taken = { ok: true, data: {}, errors: [] };

const visit = () => askAsViewer(SearchDocument, { first: 1 }, '/search?q=cup');

/** Follows the detour of a page; where it leads back to. */
async function detour(): Promise<string | null> {
  const failure = await visit().then(
    () => null,
    (error: Error) => error.message,
  );
  if (!failure) return null;
  const answer = await GET(
    new NextRequest(new URL(failure.replace('redirect ', ''), 'http://localhost')),
  );
  return answer.headers.get('location');
}

beforeEach(() => {
  jar.clear();
  jar.set('kopitiam_session', 'old');
  ask.mockReset();
  renew.mockReset();
});

it('goes round once, not for ever, when a single service refuses a good token', async () => {
  ask.mockImplementation((document) => (document === SessionProbeDocument ? taken : refused));
  expect(await detour()).toBe('/search?q=cup');
  expect(await visit()).toBe(refused);
  expect(jar.get('kopitiam_session')).toBe('old');
});

it('goes round once when nobody answers for a new token', async () => {
  ask.mockReturnValue(refused);
  renew.mockReturnValue({ kind: 'unknown' });
  expect(await detour()).toBe('/search?q=cup');
  expect(await visit()).toBe(refused);
});

it('comes back with a new token in place of one that is refused', async () => {
  ask.mockImplementation((_, __, { token }) => (token === 'old' ? refused : taken));
  renew.mockReturnValue({ kind: 'renewed', session: sessionOf('new') });
  expect(await detour()).toBe('/search?q=cup');
  expect(jar.get('kopitiam_session')).toBe('new');
  expect(await visit()).toBe(taken);
});

it('comes back as a visitor when no token is taken', async () => {
  ask.mockImplementation((_, __, { token }) => (token ? refused : taken));
  renew.mockReturnValue({ kind: 'ended' });
  expect(await detour()).toBe('/search?q=cup');
  expect(jar.size).toBe(0);
  expect(await visit()).toBe(taken);
});

it('leaves the session to the document that the router loads next', async () => {
  ask.mockReturnValue(refused);
  for (const [name, value] of [
    ['rsc', '1'],
    ['sec-fetch-dest', 'empty'],
  ] as const) {
    const asked = new NextRequest('http://localhost/session/ended?next=%2Faccount');
    asked.headers.set(name, value);
    const answer = await GET(asked);
    expect([answer.status, answer.headers.get('location')]).toEqual([200, null]);
  }
  expect(ask).not.toHaveBeenCalled();
  expect(jar.get('kopitiam_session')).toBe('old');
});
