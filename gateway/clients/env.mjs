// What every test needs: the gateway that `run.mjs` started, and a wait with an end.
export const url = process.env.GATEWAY_URL ?? 'http://127.0.0.1:4000/graphql';
export const socketUrl = url.replace(/^http/, 'ws');
export const relayFolder = process.env.GATEWAY_RELAY;
export const supergraph = process.env.GATEWAY_SUPERGRAPH_FILE;

/** A header that makes browsers ask first: the gateway wants one with requests that forms could send, too. */
export const preflight = { 'graphql-require-preflight': '1' };

const PATIENCE_MS = 30_000;

/** A promise that fails, and says of what, instead of waiting for ever. */
export function soon(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing came in time`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A product that no other test renames. */
let made = 0;
export function ownProduct() {
  made += 1;
  return `own-${process.pid}-${made}`;
}

/** A file and what the subgraph must say of it. */
export function someFile(name = 'menu.txt') {
  const text = `kopi and ${name}\n`.repeat(5000);
  return {
    text,
    file: new File([text], name, { type: 'text/plain' }),
    bytes: Buffer.byteLength(text),
  };
}

/**
 * The first events of a subscription, while `cause` is done again and again until they are there: a subscription says
 * nothing when it is open.
 */
export async function eventsOf(subscribe, count, cause = () => {}) {
  const events = [];
  let done = false;
  let stop = () => {};
  const all = new Promise((resolve, reject) => {
    const next = (event) => {
      events.push(event);
      if (events.length === count) resolve(events);
    };
    stop = subscribe({ next, error: reject, complete: () => resolve(events) }) ?? stop;
  });
  const causing = (async () => {
    while (!done) {
      await cause();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  try {
    return await soon(`${count} events`, all);
  } finally {
    done = true;
    stop();
    await causing;
  }
}
