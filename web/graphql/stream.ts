// A subscription of the gateway, passed through to an EventSource of ours.
//
// The gateway speaks GraphQL over Server-Sent Events (distinct connections): `event: next` with a GraphQL answer,
// then `event: complete`. The bytes go on unchanged, and the token stays on this side.
import 'server-only';
import { gatewayUrl } from '@/lib/site';
import type { TypedDocumentString } from './generated';

// Streams end only when someone leaves; `server.mjs` ends them when the process is asked to stop.
const holder = globalThis as { kopitiamStreams?: Set<AbortController> };
const streams = (holder.kopitiamStreams ??= new Set());

export async function openStream<Data, Variables>(
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  /** Null for a visitor. */
  token: string | null,
  signal: AbortSignal,
): Promise<Response> {
  const ending = new AbortController();
  streams.add(ending);
  const stop = () => {
    streams.delete(ending);
    ending.abort();
  };
  signal.addEventListener('abort', stop);
  let upstream: Response;
  try {
    upstream = await fetch(gatewayUrl(), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      body: JSON.stringify({ query: document.toString(), variables }),
      cache: 'no-store',
      // When the reader leaves, the subscription ends at the gateway too.
      signal: ending.signal,
    });
  } catch (error) {
    streams.delete(ending);
    if (!signal.aborted) console.error(`gateway: stream: ${String(error)}`);
    return new Response('The gateway is not reachable', { status: 502 });
  }
  const isStream = upstream.headers.get('content-type')?.startsWith('text/event-stream');
  if (!upstream.ok || !upstream.body || !isStream) {
    stop();
    return new Response('The gateway did not open a stream', { status: 502 });
  }
  const forget = new TransformStream({ flush: () => void streams.delete(ending) });
  return new Response(upstream.body.pipeThrough(forget), {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      // Proxies of the nginx family would hold small events back.
      'x-accel-buffering': 'no',
    },
  });
}
