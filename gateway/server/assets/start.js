// Starts GraphiQL on this server's /graphql: one response for queries and mutations, server-sent events for
// subscriptions (GraphQL over SSE, distinct connections mode).
(function () {
  'use strict';

  const ACCEPT = 'application/graphql-response+json, application/json;q=0.9, text/event-stream;q=0.8';

  /** Yields the payload of each `next` event until `complete`. */
  async function* events(body, abort) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = '';
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        buffer += value;
        let end;
        while ((end = buffer.indexOf('\n\n')) >= 0) {
          const lines = buffer.slice(0, end).split('\n');
          buffer = buffer.slice(end + 2);
          const kind = lines.find((line) => line.startsWith('event:'));
          if (!kind) continue;
          if (kind.slice(6).trim() === 'complete') return;
          const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5));
          yield JSON.parse(data.join('\n'));
        }
      }
    } finally {
      abort.abort();
    }
  }

  async function fetcher(request, options) {
    const abort = new AbortController();
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { accept: ACCEPT, 'content-type': 'application/json', ...(options && options.headers) },
      body: JSON.stringify(request),
      signal: abort.signal,
    });
    const kind = response.headers.get('content-type') || '';
    return kind.startsWith('text/event-stream') ? events(response.body, abort) : response.json();
  }

  const root = ReactDOM.createRoot(document.getElementById('graphiql'));
  root.render(React.createElement(GraphiQL, { fetcher, shouldPersistHeaders: false }));
})();
