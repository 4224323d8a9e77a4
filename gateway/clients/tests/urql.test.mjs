// urql: GET by default, which the gateway takes with a header that makes browsers ask first.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { Client, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { eventsOf, ownProduct, preflight, socketUrl, someFile, soon, url } from '../env.mjs';

const make = (options) =>
  new Client({ url, exchanges: [fetchExchange], fetchOptions: { headers: preflight }, ...options });
const client = make({ fetchSubscriptions: true });
const sockets = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
after(() => sockets.dispose());

const PRODUCT = gql`
  query ($id: ID!) {
    product(id: $id) {
      name
      reviews {
        body
      }
    }
  }
`;
const RENAME = gql`
  mutation ($id: ID!, $name: String!) {
    rename(id: $id, name: $name) {
      id
      name
    }
  }
`;
const RENAMED = gql`
  subscription ($id: ID!) {
    renamed(id: $id) {
      name
      reviews {
        stars
      }
    }
  }
`;

function good(result) {
  assert.equal(result.error, undefined, String(result.error));
  return result.data;
}

test('a query by GET and by POST', async () => {
  for (const options of [{}, { preferGetMethod: false, fetchOptions: {} }]) {
    const data = good(await make(options).query(PRODUCT, { id: '1' }));
    assert.equal(data.product.name, 'kopi');
    assert.equal(data.product.reviews[0].body, 'strong');
  }
});

test('a query by GET without that header is refused with a code', async () => {
  const result = await make({ fetchOptions: {} }).query(PRODUCT, { id: '1' });
  assert.equal(result.error.graphQLErrors[0].extensions.code, 'CSRF_PREVENTED');
});

test('a mutation', async () => {
  const variables = { id: ownProduct(), name: 'kopi o' };
  const { id, name } = good(await client.mutation(RENAME, variables)).rename;
  assert.deepEqual({ id, name }, variables);
});

test('a deferred fragment comes after the rest', async () => {
  const query = gql`
    query ($id: ID!) {
      product(id: $id) {
        id
        name
        ... @defer {
          reviews {
            body
          }
        }
      }
    }
  `;
  const results = [];
  const complete = new Promise((resolve) => {
    client.query(query, { id: '1' }).subscribe((result) => {
      results.push([good(result).product.name, good(result).product.reviews?.[0].body]);
      if (!result.hasNext) resolve();
    });
  });
  await soon('all of a deferred response', complete);
  assert.deepEqual(results, [
    ['kopi', undefined],
    ['kopi', 'strong'],
  ]);
});

test('a subscription by event stream and by WebSocket', async () => {
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ query, variables }, sink) }),
  });
  const exchanges = [fetchExchange, subscriptionExchange({ forwardSubscription })];
  for (const subscriber of [client, make({ exchanges })]) {
    const id = ownProduct();
    const subscribe = (sink) =>
      subscriber.subscription(RENAMED, { id }).subscribe(sink.next).unsubscribe;
    const rename = () => client.mutation(RENAME, { id, name: 'teh c' }).toPromise();
    const [event] = await eventsOf(subscribe, 1, rename);
    const { name, reviews } = good(event).renamed;
    assert.deepEqual({ name, reviews }, { name: 'teh c', reviews: [] });
  }
});

test('an upload', async () => {
  const { file, bytes } = someFile();
  const store = gql`
    mutation ($file: File!) {
      store(title: "menu", file: $file) {
        title
        name
        bytes
      }
    }
  `;
  const { title, name, bytes: got } = good(await client.mutation(store, { file })).store;
  assert.deepEqual({ title, name, bytes: got }, { title: 'menu', name: 'menu.txt', bytes });
});

test('documents are registered by their hash, and then named by it', async () => {
  const sent = [];
  const watched = (target, init) => {
    sent.push(
      new URL(target).searchParams.get('query') ?? JSON.parse(init.body ?? '{}').query ?? '',
    );
    return fetch(target, init);
  };
  const query = gql`
    query ($id: ID!) {
      product(id: $id) {
        price
      }
    }
  `;
  const persisted = () =>
    make({
      fetch: watched,
      exchanges: [persistedExchange({ preferGetForPersistedQueries: true }), fetchExchange],
    });
  assert.equal(good(await persisted().query(query, { id: '1' })).product.price, 1.2);
  assert.deepEqual(
    sent.map((text) => text !== ''),
    [false, true],
  );
  assert.equal(good(await persisted().query(query, { id: '2' })).product.price, 1);
  assert.deepEqual(
    sent.map((text) => text !== ''),
    [false, true, false],
  );
});
