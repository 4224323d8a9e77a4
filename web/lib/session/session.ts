// The session as it travels in one sealed, httpOnly cookie: who is signed in, and the tokens that prove it.
//
// Pure: reading and writing the cookie of a request is `cookies.ts`, renewing tokens is `features/auth/refresh.ts`.
import { seal, sealKey, unseal, type SealKey } from './seal';

export type Viewer = {
  id: string;
  username: string;
  roles: string[];
  /** Handle of the viewer's own stall; null for those who only buy. */
  sellerHandle: string | null;
};

export type Session = {
  viewer: Viewer;
  accessToken: string;
  /** When the access token ends, in milliseconds since 1970. */
  accessExpiresMs: number;
  refreshToken: string | null;
  /** When the refresh token ends, in milliseconds since 1970. */
  refreshExpiresMs: number;
};

/** What login, register and refreshSession answer, as far as a session needs it. */
export type SessionAnswer = {
  accessToken: string | null;
  expiresAt: string | null;
  refreshToken: string | null;
  refreshExpiresAt: string | null;
  user: {
    id: string;
    username: string;
    roles: string[] | null;
    seller: { handle: string } | null;
  } | null;
};

/** Renew this long before the access token ends, so that no request starts with a token that dies under way. */
export const renewBeforeMs = 60_000;

/** Access tokens live at most 15 minutes; used when the answer names no end. */
const accessLifetimeMs = 15 * 60_000;
const refreshLifetimeMs = 30 * 24 * 60 * 60_000;

/** The session an answer opens, or null when it opens none. `known` fills what a renewal leaves out. */
export function sessionFrom(answer: SessionAnswer, nowMs: number, known?: Session): Session | null {
  if (!answer.accessToken) return null;
  const viewer = answer.user
    ? {
        id: answer.user.id,
        username: answer.user.username,
        roles: answer.user.roles ?? [],
        sellerHandle: answer.user.seller?.handle ?? null,
      }
    : known?.viewer;
  if (!viewer) return null;
  return {
    viewer,
    accessToken: answer.accessToken,
    accessExpiresMs: timeOf(answer.expiresAt) ?? nowMs + accessLifetimeMs,
    refreshToken: answer.refreshToken ?? known?.refreshToken ?? null,
    refreshExpiresMs:
      timeOf(answer.refreshExpiresAt) ?? known?.refreshExpiresMs ?? nowMs + refreshLifetimeMs,
  };
}

export type SessionState = 'live' | 'renewable' | 'over';

/** Whether a session can be used as it is, must be renewed first, or is over. */
export function stateOf(session: Session, nowMs: number): SessionState {
  if (nowMs < session.accessExpiresMs - renewBeforeMs) return 'live';
  if (session.refreshToken && nowMs < session.refreshExpiresMs) return 'renewable';
  return nowMs < session.accessExpiresMs ? 'live' : 'over';
}

export function encodeSession(session: Session, key: SealKey = processKey()): string {
  return seal(session, key);
}

/** Null for anything that is not a session we sealed. */
export function decodeSession(
  text: string | undefined,
  key: SealKey = processKey(),
): Session | null {
  if (!text) return null;
  const value = unseal(text, key);
  return isSession(value) ? value : null;
}

function isSession(value: unknown): value is Session {
  if (typeof value !== 'object' || value === null) return false;
  const { viewer, accessToken, accessExpiresMs } = value as Partial<Session>;
  return (
    typeof accessToken === 'string' &&
    typeof accessExpiresMs === 'number' &&
    typeof viewer?.id === 'string' &&
    typeof viewer.username === 'string' &&
    Array.isArray(viewer.roles)
  );
}

function timeOf(text: string | null): number | null {
  const time = text ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}

// One key per process, kept on globalThis because the framework loads this module once per bundle.
const holder = globalThis as { kopitiamSealKey?: SealKey };

function processKey(): SealKey {
  const secret = process.env.SESSION_SECRET;
  if (secret) return (holder.kopitiamSealKey ??= sealKey(secret));
  // `server.mjs` always sets a secret. Only `next dev` comes here: sessions then end with the process.
  return (holder.kopitiamSealKey ??= sealKey(crypto.randomUUID()));
}
