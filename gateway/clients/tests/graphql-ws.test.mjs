// graphql-ws: everything over one WebSocket.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { eventsOf, ownProduct, socketUrl, soon, supergraph } from '../env.mjs';
import { serve, write } from '../gateway.mjs';

const connect = (options) =>
  createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0, ...options });
const client = connect();
after(() => client.dispose());

async function once(request) {
  for await (const answer of client.iterate(request)) return answer;
}

test('a query over both subgraphs', async () => {
  const answer = await once({ query: '{ product(id: "1") { name reviews { body } } }' });
  assert.equal(answer.data.product.name, 'kopi');
  assert.equal(answer.data.product.reviews[0].body, 'strong');
});

test('a mutation', async () => {
  const variables = { id: ownProduct(), name: 'kopi o' };
  const query = 'mutation ($id: ID!, $name: String!) { rename(id: $id, name: $name) { id name } }';
  assert.deepEqual((await once({ query, variables })).data.rename, variables);
});

test('a subscription that ends by itself, joined with the other subgraph', async () => {
  const request = { query: 'subscription { countdown(from: 2) { id name reviews { stars } } }' };
  const events = await eventsOf((sink) => client.subscribe(request, sink), 3);
  assert.deepEqual(
    events.map((event) => event.data.countdown.name),
    ['teh', 'kopi'],
  );
  assert.equal(events[1].data.countdown.reviews[0].stars, 5);
});

test('a subscription whose source is a WebSocket to the subgraph', async () => {
  const productId = ownProduct();
  const request = {
    query:
      'subscription ($productId: ID!) { reviewed(productId: $productId) { stars product { name } } }',
    variables: { productId },
  };
  const review = () =>
    once({ query: `mutation { review(productId: "${productId}", stars: 4) { stars } }` });
  const [event] = await eventsOf((sink) => client.subscribe(request, sink), 1, review);
  assert.deepEqual(event.data.reviewed, { stars: 4, product: { name: productId } });
});

test('a document is registered by its hash, and then named by it', async () => {
  const query = '{ product(id: "2") { name } }';
  const extensions = {
    persistedQuery: { version: 1, sha256Hash: createHash('sha256').update(query).digest('hex') },
  };
  await once({ query, extensions });
  assert.equal((await once({ query: '', extensions })).data.product.name, 'teh');
});

test('an invalid document is an error of that operation, and the socket goes on', async () => {
  await assert.rejects(
    once({ query: '{ nothing }' }),
    (errors) => errors[0].extensions.code !== undefined,
  );
  assert.ok((await once({ query: '{ reviewCount }' })).data.reviewCount > 0);
});

test('other settings close the socket so that the client comes back and subscribes anew', async (context) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'gateway-client-'));
  const settings = {
    subgraphs: { by_name: { reviews: { subscriptions: { protocol: 'websocket' } } } },
  };
  const gateway = await serve(folder, supergraph, settings);
  let sockets = 0;
  const patient = connect({
    url: gateway.url.replace(/^http/, 'ws'),
    retryAttempts: 10,
    on: { connected: () => (sockets += 1) },
  });
  context.after(async () => {
    await patient.dispose();
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });
  const id = ownProduct();
  const rename = async () => {
    const query = `mutation { rename(id: "${id}", name: "kopi c") { name } }`;
    const headers = { 'content-type': 'application/json' };
    await fetch(gateway.url, { method: 'POST', headers, body: JSON.stringify({ query }) });
  };
  const request = { query: `subscription { renamed(id: "${id}") { name } }` };
  let changed = false;
  const events = new Promise((resolve, reject) => {
    patient.subscribe(request, {
      next: () => sockets === 2 && resolve(),
      error: reject,
      complete: reject,
    });
  });
  const causing = setInterval(() => {
    void rename();
    if (sockets !== 1 || changed) return;
    changed = true;
    write(
      gateway.file,
      JSON.stringify({
        ...settings,
        supergraph: { file: supergraph },
        limits: { aliases_max: 99 },
      }),
    );
  }, 100);
  await soon('events on the second socket', events).finally(() => clearInterval(causing));
});

test('a deferred fragment comes after the rest, in the current format and in that of 2022', async () => {
  const query = '{ product(id: "1") { name ... @defer { reviews { stars } } } }';
  for (const [connectionParams, place] of [
    [{}, { id: '0' }],
    [{ deferSpec: '20220824' }, { path: ['product'] }],
  ]) {
    const deferring = connect({ connectionParams });
    const payloads = [];
    for await (const payload of deferring.iterate({ query })) payloads.push(payload);
    await deferring.dispose();
    assert.deepEqual(payloads[0].data, { product: { name: 'kopi' } });
    assert.deepEqual(payloads[1].incremental, [{ ...place, data: { reviews: [{ stars: 5 }] } }]);
    assert.equal(payloads[1].hasNext, false);
  }
});
