// Relay: documents that its compiler made of the gateway's schema, named by their ids; the gateway has the map.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';

import { createClient } from 'graphql-ws';
import relay from 'relay-runtime';
import WebSocket from 'ws';

import {
  eventsOf,
  ownProduct,
  preflight,
  relayFolder,
  socketUrl,
  someFile,
  soon,
  url,
} from '../env.mjs';

const {
  Environment,
  Network,
  Observable,
  RecordSource,
  Store,
  commitMutation,
  fetchQuery,
  requestSubscription,
} = relay;
const sockets = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
after(() => sockets.dispose());

const artifact = async (name) =>
  (await import(path.join(relayFolder, '__generated__', `${name}.graphql.js`))).default;

async function post(params, variables, _cache, uploadables) {
  const operation = { documentId: params.id, variables };
  let body = JSON.stringify(operation);
  let headers = { 'content-type': 'application/json' };
  if (uploadables) {
    const nulls = Object.fromEntries(Object.keys(uploadables).map((name) => [name, null]));
    const names = Object.keys(uploadables);
    body = new FormData();
    body.append(
      'operations',
      JSON.stringify({ ...operation, variables: { ...variables, ...nulls } }),
    );
    body.append(
      'map',
      JSON.stringify(Object.fromEntries(names.map((name) => [name, [`variables.${name}`]]))),
    );
    for (const name of names) body.append(name, uploadables[name]);
    headers = preflight;
  }
  const accept = 'application/graphql-response+json, application/json';
  return (await fetch(url, { method: 'POST', headers: { ...headers, accept }, body })).json();
}

function subscribe(params, variables) {
  // The protocol has no member for a document's name, so it goes with the extensions.
  const extensions = { persistedQuery: { version: 1, sha256Hash: params.id } };
  return Observable.create((sink) => sockets.subscribe({ query: '', variables, extensions }, sink));
}

const environment = () =>
  new Environment({
    network: Network.create(post, subscribe),
    store: new Store(new RecordSource()),
  });

const commit = (env, config) =>
  soon(
    'the mutation',
    new Promise((resolve, reject) => {
      const onCompleted = (data, errors) =>
        errors ? reject(new Error(JSON.stringify(errors))) : resolve(data);
      commitMutation(env, { ...config, onCompleted, onError: reject });
    }),
  );

test('a node by its global id, over both subgraphs', async () => {
  const query = await artifact('appProductQuery');
  assert.equal(query.params.text, null);
  const data = await fetchQuery(environment(), query, { id: '1' }).toPromise();
  assert.equal(data.node.name, 'kopi');
  assert.equal(data.node.reviews[0].stars, 5);
});

test('the pages of a connection', async () => {
  const env = environment();
  await fetchQuery(env, await artifact('appShelfQuery'), {}).toPromise();
  const next = await artifact('appShelfNextQuery');
  await fetchQuery(env, next, { first: 2, after: '2' }).toPromise();
  const names = Object.values(env.getStore().getSource().toJSON())
    .filter((record) => record.__typename === 'Product')
    .map((record) => record.name);
  assert.deepEqual(names.sort(), ['kopi', 'milo', 'teh']);
});

test('a mutation', async () => {
  const variables = { id: ownProduct(), name: 'kopi o' };
  const data = await commit(environment(), {
    mutation: await artifact('appRenameMutation'),
    variables,
  });
  assert.deepEqual(data.rename, variables);
});

test('an upload', async () => {
  const { file, bytes } = someFile();
  const mutation = await artifact('appStoreMutation');
  const data = await commit(environment(), {
    mutation,
    variables: { title: 'menu' },
    uploadables: { file },
  });
  assert.equal(data.store.bytes, bytes);
  assert.equal(data.store.title, 'menu');
});

test('a subscription', async () => {
  const env = environment();
  const id = ownProduct();
  const subscription = await artifact('appReviewedSubscription');
  const subscribed = (sink) =>
    requestSubscription(env, {
      subscription,
      variables: { id },
      onNext: sink.next,
      onError: sink.error,
      onCompleted: sink.complete,
    }).dispose;
  const review = async () => {
    const query = `mutation { review(productId: "${id}", stars: 3) { stars } }`;
    const headers = { 'content-type': 'application/json' };
    await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
  };
  const [event] = await eventsOf(subscribed, 1, review);
  assert.equal(event.reviewed.stars, 3);
  assert.deepEqual(event.reviewed.product, { id, name: id });
});
