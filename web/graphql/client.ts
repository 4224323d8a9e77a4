// The storefront's only way to the gateway. Runs on the server alone: the browser never talks to it.
//
// In: a generated document, its variables, perhaps a token. Out: an `Answer`, never an exception for what the
// network or the gateway may do. Reading the session is `graphql/viewer.ts`.
import 'server-only';
import { gatewayUrl } from '@/lib/site';
import type { TypedDocumentString } from './generated';
import { readPartErrors, type Answer, type Failure } from './errors';

/** Longest wait for one answer. The gateway's own limit per service is shorter. */
const answerTimeoutMs = 10_000;

export type AskOptions = {
  token?: string | null;
  signal?: AbortSignal;
  /** `X-Forwarded-For` of the browser's request: attempts to sign in are bounded per address. */
  forwardedFor?: string | null;
};

export async function ask<Data, Variables>(
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  { token, signal, forwardedFor }: AskOptions = {},
): Promise<Answer<Data>> {
  let response: Response;
  try {
    response = await fetch(gatewayUrl(), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(forwardedFor ? { 'x-forwarded-for': forwardedFor } : {}),
      },
      body: JSON.stringify({ query: document.toString(), variables }),
      cache: 'no-store',
      signal: signal ?? AbortSignal.timeout(answerTimeoutMs),
    });
    return readAnswer<Data>(response.status, await response.json().catch(() => null));
  } catch (error) {
    return failed({ kind: 'unreachable', detail: String(error), errors: [] });
  }
}

/** Sorts a raw answer into data with partial errors, or a failure. */
export function readAnswer<Data>(status: number, body: unknown): Answer<Data> {
  const { data, errors: rawErrors } = (body ?? {}) as { data?: Data | null; errors?: unknown };
  const errors = readPartErrors(rawErrors);
  if (data !== null && data !== undefined) return { ok: true, data, errors };
  const detail = `HTTP ${status}: ${errors.map((error) => error.message).join('; ') || 'no data'}`;
  if (status === 401 || errors.some((error) => error.code === 'UNAUTHENTICATED')) {
    return failed({ kind: 'unauthenticated', detail, errors });
  }
  const kind = status >= 500 && errors.length === 0 ? 'unreachable' : 'refused';
  return failed({ kind, detail, errors });
}

function failed(failure: Failure): { ok: false; failure: Failure } {
  if (failure.kind !== 'unauthenticated')
    console.error(`gateway: ${failure.kind}: ${failure.detail}`);
  return { ok: false, failure };
}
