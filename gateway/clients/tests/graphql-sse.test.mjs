// graphql-sse: everything as event streams, in distinct connections mode.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';

import { createClient } from 'graphql-sse';

import { eventsOf, ownProduct, url } from '../env.mjs';

const client = createClient({ url, retryAttempts: 0 });
after(() => client.dispose());

async function once(request) {
  const [answer] = await eventsOf((sink) => client.subscribe(request, sink), 2);
  return answer;
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

test('a subscription that ends by itself', async () => {
  const request = { query: 'subscription { countdown(from: 3) { name } }' };
  const events = await eventsOf((sink) => client.subscribe(request, sink), 4);
  assert.deepEqual(
    events.map((event) => event.data.countdown.name),
    ['milo', 'teh', 'kopi'],
  );
});

test('a subscription that the client ends', async () => {
  const id = ownProduct();
  const request = { query: `subscription { renamed(id: "${id}") { name reviews { stars } } }` };
  const rename = () => once({ query: `mutation { rename(id: "${id}", name: "teh c") { name } }` });
  const [event] = await eventsOf((sink) => client.subscribe(request, sink), 1, rename);
  assert.deepEqual(event.data.renamed, { name: 'teh c', reviews: [] });
});

test('a document is registered by its hash, and then named by it', async () => {
  const query = '{ product(id: "3") { name } }';
  const extensions = {
    persistedQuery: { version: 1, sha256Hash: createHash('sha256').update(query).digest('hex') },
  };
  await once({ query, extensions });
  assert.equal((await once({ query: '', extensions })).data.product.name, 'milo');
});

test('an invalid document is an error with a code', async () => {
  const answer = await once({ query: '{ nothing }' });
  assert.ok(answer.errors[0].extensions.code);
});

test('a deferred fragment comes after the rest', async () => {
  const query = '{ product(id: "1") { name ... @defer { reviews { stars } } } }';
  const payloads = await eventsOf((sink) => client.subscribe({ query }, sink), 3);
  assert.deepEqual(payloads[0].data, { product: { name: 'kopi' } });
  assert.deepEqual(payloads[1].incremental, [{ id: '0', data: { reviews: [{ stars: 5 }] } }]);
  assert.equal(payloads.length, 2);
});
