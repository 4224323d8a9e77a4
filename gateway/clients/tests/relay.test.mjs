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
  createOperationDescriptor,
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

// relay-runtime 21 reads responses in several payloads in a form of its own, older than any that is specified: a deferred fragment
// or one item of a streamed list is a response with `path` and `label`, and the last response says `extensions.is_final`. What
// servers send has to be told to it by the network layer; from the format of August 2022 that is little work, since it has the
// same paths and labels.
const toRelay = ({ incremental, hasNext, ...first }) => {
  const pieces = (incremental ?? []).flatMap(({ items, ...piece }) => {
    if (!items) return [piece];
    const start = piece.path.at(-1);
    const at = (index) => [...piece.path.slice(0, -1), start + index];
    return items.map((data, index) => ({ ...piece, data, path: at(index) }));
  });
  const all = 'data' in first || 'errors' in first ? [first, ...pieces] : pieces;
  // A payload may do no more than say that it is the last.
  if (hasNext === false && all.length === 0) all.push({ data: null });
  return all.map((response, index) => {
    const is_final = hasNext !== true && index + 1 === all.length;
    return { ...response, extensions: { ...response.extensions, is_final } };
  });
};

const deferring = createClient({
  url: socketUrl,
  webSocketImpl: WebSocket,
  retryAttempts: 0,
  connectionParams: { deferSpec: '20220824' },
});
after(() => deferring.dispose());

/** By WebSocket: a payload is a message. */
const bySocket = (params, variables, next) => {
  const extensions = { persistedQuery: { version: 1, sha256Hash: params.id } };
  return new Promise((complete, error) => {
    deferring.subscribe({ query: '', variables, extensions }, { next, error, complete });
  });
};

/** By HTTP: a payload is a part of a multipart body. */
const byParts = async (params, variables, next) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'multipart/mixed;deferSpec=20220824, application/json;q=0.9',
    },
    body: JSON.stringify({ documentId: params.id, variables }),
  });
  const parts = (await response.text()).split('--graphql').slice(1, -1);
  for (const part of parts) next(JSON.parse(part.slice(part.indexOf('\r\n\r\n'))));
};

const incremental = (send, convert) =>
  new Environment({
    network: Network.create((params, variables) =>
      Observable.create((sink) => {
        const next = (payload) => convert(payload).forEach((response) => sink.next(response));
        send(params, variables, next).then(sink.complete, sink.error);
      }),
    ),
    store: new Store(new RecordSource()),
  });

/** Executes a query; gives what the store has of a record after each response, and keeps it. */
async function states(env, query, variables, look) {
  const operation = createOperationDescriptor(await artifact(query), variables);
  env.retain(operation);
  const seen = [];
  const executed = new Promise((complete, error) => {
    const next = () => seen.push(look(env.getStore().getSource()));
    env.execute({ operation }).subscribe({ next, error, complete });
  });
  await soon(query, executed);
  return seen;
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

test('a deferred fragment comes after the rest, by WebSocket and by multipart', async () => {
  for (const send of [bySocket, byParts]) {
    const env = incremental(send, toRelay);
    const look = (source) => [source.get('1').name, source.get('1').reviews?.__refs.length];
    assert.deepEqual(await states(env, 'appDeferredQuery', { id: '1' }, look), [
      ['kopi', undefined],
      ['kopi', 1],
    ]);
  }
});

test('the items of a streamed list come one by one after the first', async () => {
  const env = incremental(bySocket, toRelay);
  const look = (source) =>
    ['1', '2', '3'].map((id) => source.get(id)?.name).filter((name) => name !== undefined);
  const seen = await states(env, 'appStreamedQuery', {}, look);
  assert.deepEqual(seen[0], ['kopi']);
  assert.deepEqual(seen.at(-1), ['kopi', 'teh', 'milo']);
});

test('the runtime reads no payload of a standard format by itself', async () => {
  const env = incremental(bySocket, (payload) => [payload]);
  const look = (source) => source.get('1').reviews;
  await assert.rejects(states(env, 'appDeferredQuery', { id: '1' }, look), /No data returned/);
});
