import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Session } from '@/lib/session/session';
import { renew } from './refresh';

const session = (refreshToken: string | null): Session => ({
  viewer: { id: 'u1', username: 'bob', roles: ['USER'], sellerHandle: null },
  accessToken: 'old',
  accessExpiresMs: 0,
  refreshToken,
  refreshExpiresMs: Number.MAX_SAFE_INTEGER,
});

const answer = (accessToken: string | null, status = 200) =>
  Response.json(
    {
      data: {
        refreshSession: {
          accessToken,
          expiresAt: null,
          refreshToken: accessToken && 'refresh-2',
          refreshExpiresAt: null,
          user: null,
          userErrors: accessToken ? [] : [{ code: 'SESSION_ENDED', message: 'over', field: null }],
        },
      },
    },
    { status },
  );

afterEach(() => vi.unstubAllGlobals());

function stubGateway(respond: () => Response | Promise<Response>) {
  const gateway = vi.fn(async () => respond());
  vi.stubGlobal('fetch', gateway);
  vi.spyOn(console, 'error').mockImplementation(() => {});
  return gateway;
}

describe('renewal', () => {
  it('of one refresh token happens once, however many requests need it at the same time', async () => {
    const gateway = stubGateway(() => answer('new'));
    const renewals = await Promise.all([1, 2, 3].map(() => renew(session('used-once'))));
    expect(gateway).toHaveBeenCalledTimes(1);
    for (const renewal of renewals) {
      expect(renewal).toMatchObject({
        kind: 'renewed',
        session: { accessToken: 'new', refreshToken: 'refresh-2', viewer: { username: 'bob' } },
      });
    }
  });

  it('that is refused ends the session', async () => {
    stubGateway(() => answer(null));
    expect(await renew(session('refused'))).toEqual({ kind: 'ended' });
    expect(await renew(session(null))).toEqual({ kind: 'ended' });
  });

  it('that reached nobody keeps the session and is tried again', async () => {
    const gateway = stubGateway(() => Promise.reject(new TypeError('refused connection')));
    expect(await renew(session('unlucky'))).toEqual({ kind: 'unknown' });
    expect(await renew(session('unlucky'))).toEqual({ kind: 'unknown' });
    expect(gateway).toHaveBeenCalledTimes(2);
  });
});
