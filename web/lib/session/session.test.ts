import { describe, expect, it } from 'vitest';
import { seal, sealKey, unseal } from './seal';
import { decodeSession, encodeSession, sessionFrom, stateOf, type SessionAnswer } from './session';

const key = sealKey('a secret of the tests');
const now = Date.parse('2026-11-21T10:00:00Z');
const answer: SessionAnswer = {
  accessToken: 'access-1',
  expiresAt: '2026-11-21T10:15:00Z',
  refreshToken: 'refresh-1',
  refreshExpiresAt: '2026-12-21T10:00:00Z',
  user: { id: 'u1', username: 'bob', roles: ['USER'], seller: null },
};

function opened() {
  const session = sessionFrom(answer, now);
  if (!session) throw new Error('the answer opens a session');
  return session;
}

describe('session cookie', () => {
  it('comes back as it was sealed, and shows no token to the browser', () => {
    const cookie = encodeSession(opened(), key);
    expect(decodeSession(cookie, key)).toEqual(opened());
    const readable = cookie + Buffer.from(cookie, 'base64url').toString('latin1');
    expect(readable).not.toContain('access-1');
    expect(readable).not.toContain('refresh-1');
    expect(readable).not.toContain('bob');
  });

  it('stays under the 4096 bytes a browser keeps, with tokens of real size', () => {
    const session = { ...opened(), accessToken: 'x'.repeat(1200), refreshToken: 'y'.repeat(200) };
    expect(encodeSession(session, key).length).toBeLessThan(3800);
  });

  it('is no session when changed, cut, sealed by another key, or of another shape', () => {
    const cookie = encodeSession(opened(), key);
    const bytes = Buffer.from(cookie, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(decodeSession(changed.toString('base64url'), key)).toBeNull();
    }
    expect(decodeSession(cookie.slice(0, 30), key)).toBeNull();
    expect(decodeSession('', key)).toBeNull();
    expect(decodeSession(undefined, key)).toBeNull();
    expect(decodeSession(cookie, sealKey('another secret of the tests'))).toBeNull();
    expect(decodeSession(seal({ accessToken: 'x' }, key), key)).toBeNull();
    expect(unseal('%%%', key)).toBeNull();
  });

  it('seals the same session differently every time', () => {
    expect(encodeSession(opened(), key)).not.toBe(encodeSession(opened(), key));
  });

  it('needs a secret worth the name', () => {
    expect(() => sealKey('short')).toThrow(RangeError);
  });
});

describe('session life', () => {
  it('is live until a minute before the access token ends, then renewable, then over', () => {
    const session = opened();
    expect(stateOf(session, now)).toBe('live');
    expect(stateOf(session, Date.parse('2026-11-21T10:14:30Z'))).toBe('renewable');
    expect(stateOf(session, Date.parse('2026-12-20T10:00:00Z'))).toBe('renewable');
    expect(stateOf(session, Date.parse('2026-12-22T10:00:00Z'))).toBe('over');
  });

  it('without a refresh token lives exactly as long as the access token', () => {
    const session = { ...opened(), refreshToken: null };
    expect(stateOf(session, Date.parse('2026-11-21T10:14:30Z'))).toBe('live');
    expect(stateOf(session, Date.parse('2026-11-21T10:15:00Z'))).toBe('over');
  });

  it('keeps what a renewal leaves out', () => {
    const renewed = sessionFrom(
      {
        ...answer,
        accessToken: 'access-2',
        refreshToken: null,
        refreshExpiresAt: null,
        user: null,
      },
      now,
      opened(),
    );
    expect(renewed).toMatchObject({ accessToken: 'access-2', refreshToken: 'refresh-1' });
    expect(renewed?.viewer.username).toBe('bob');
  });

  it('is not opened by an answer without a token or without a user', () => {
    expect(sessionFrom({ ...answer, accessToken: null }, now)).toBeNull();
    expect(sessionFrom({ ...answer, user: null }, now)).toBeNull();
  });
});
