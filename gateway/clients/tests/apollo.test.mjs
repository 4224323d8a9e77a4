// Apollo Client: adds `__typename` everywhere and keeps what it gets in a normalised cache.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';

import {
  ApolloClient,
  CombinedGraphQLErrors,
  HttpLink,
  InMemoryCache,
  gql,
} from '@apollo/client/core/index.js';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { BatchHttpLink } from '@apollo/client/link/batch-http';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { eventsOf, ownProduct, preflight, socketUrl, someFile, soon, url } from '../env.mjs';

const make = (link) => new ApolloClient({ link, cache: new InMemoryCache() });
const client = make(new HttpLink({ uri: url }));
const sockets = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
after(() => sockets.dispose());

const PRODUCT = gql`
  query Product($id: ID!) {
    product(id: $id) {
      id
      name
      reviews {
        body
      }
    }
  }
`;
const RENAME = gql`
  mutation Rename($id: ID!, $name: String!) {
    rename(id: $id, name: $name) {
      id
      name
    }
  }
`;
const RENAMED = gql`
  subscription Renamed($id: ID!) {
    renamed(id: $id) {
      id
      name
      reviews {
        stars
      }
    }
  }
`;

test('a query over both subgraphs, by POST and by GET', async () => {
  for (const queries of [client, make(new HttpLink({ uri: url, useGETForQueries: true }))]) {
    const { data } = await queries.query({ query: PRODUCT, variables: { id: '1' } });
    assert.equal(data.product.__typename, 'Product');
    assert.equal(data.product.name, 'kopi');
    assert.equal(data.product.reviews[0].body, 'strong');
  }
});

test('a mutation changes what the cache has of the entity', async () => {
  const id = ownProduct();
  const one = make(new HttpLink({ uri: url }));
  await one.query({ query: PRODUCT, variables: { id } });
  await one.mutate({ mutation: RENAME, variables: { id, name: 'kopi o' } });
  assert.equal(one.readQuery({ query: PRODUCT, variables: { id } }).product.name, 'kopi o');
});

test('a subscription by multipart and by WebSocket', async () => {
  for (const subscriber of [client, make(new GraphQLWsLink(sockets))]) {
    const id = ownProduct();
    const subscribe = (sink) => {
      const subscription = subscriber
        .subscribe({ query: RENAMED, variables: { id } })
        .subscribe(sink);
      return () => subscription.unsubscribe();
    };
    const rename = () => client.mutate({ mutation: RENAME, variables: { id, name: 'teh c' } });
    const [event] = await eventsOf(subscribe, 1, rename);
    assert.equal(event.error, undefined);
    assert.equal(event.data.renamed.name, 'teh c');
    assert.deepEqual(event.data.renamed.reviews, []);
  }
});

test('a deferred fragment comes after the rest, in the current format and in that of 2022', async () => {
  const query = gql`
    query Deferred($id: ID!) {
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
  for (const incrementalHandler of [new GraphQL17Alpha9Handler(), new Defer20220824Handler()]) {
    const deferring = new ApolloClient({
      link: new HttpLink({ uri: url }),
      cache: new InMemoryCache(),
      incrementalHandler,
    });
    const results = [];
    const complete = new Promise((resolve, reject) => {
      const next = (result) => {
        if (result.error) reject(result.error);
        if (result.dataState !== 'empty') results.push(result);
        if (result.dataState === 'complete') resolve();
      };
      deferring.watchQuery({ query, variables: { id: '1' } }).subscribe({ next, error: reject });
    });
    await soon('all of a deferred response', complete);
    assert.deepEqual(
      results.map(({ dataState, data }) => [
        dataState,
        data.product.name,
        'reviews' in data.product,
      ]),
      [
        ['streaming', 'kopi', false],
        ['complete', 'kopi', true],
      ],
    );
    assert.equal(results[1].data.product.reviews[0].body, 'strong');
  }
});

test('an upload of one file and of several', async () => {
  const uploads = make(new UploadHttpLink({ uri: url, headers: preflight }));
  const [one, two] = [someFile('one.txt'), someFile('two.txt')];
  const store = gql`
    mutation Store($file: File!, $files: [File!]!) {
      store(file: $file) {
        bytes
      }
      storeAll(files: $files) {
        name
        sha256
      }
    }
  `;
  const variables = { file: one.file, files: [two.file] };
  const { data } = await uploads.mutate({ mutation: store, variables });
  assert.equal(data.store.bytes, one.bytes);
  assert.equal(data.storeAll[0].name, 'two.txt');
  assert.equal(data.storeAll[0].sha256, createHash('sha256').update(two.text).digest('hex'));
});

test('documents are registered by their hash, and then named by it in a GET', async () => {
  const sent = [];
  const watched = (target, init) => {
    sent.push(
      `${init.method} ${/[?&]query=|"query":/.test(target + (init.body ?? '')) ? 'document' : 'hash'}`,
    );
    return fetch(target, init);
  };
  const sha256 = (text) => createHash('sha256').update(text).digest('hex');
  const persisted = () =>
    make(
      new PersistedQueryLink({ sha256, useGETForHashedQueries: true }).concat(
        new HttpLink({ uri: url, fetch: watched, useGETForQueries: false }),
      ),
    );
  const query = gql`
    query Price($id: ID!) {
      product(id: $id) {
        price
      }
    }
  `;
  assert.equal(
    (await persisted().query({ query, variables: { id: '1' } })).data.product.price,
    1.2,
  );
  assert.equal((await persisted().query({ query, variables: { id: '2' } })).data.product.price, 1);
  assert.deepEqual(sent, ['GET hash', 'POST document', 'GET hash']);
});

test('a batch', async () => {
  let requests = 0;
  const counted = (...request) => {
    requests += 1;
    return fetch(...request);
  };
  const batching = make(new BatchHttpLink({ uri: url, fetch: counted, batchInterval: 50 }));
  const answers = await Promise.all(
    ['1', '2', '3'].map((id) => batching.query({ query: PRODUCT, variables: { id } })),
  );
  assert.deepEqual(
    answers.map((answer) => answer.data.product.name),
    ['kopi', 'teh', 'milo'],
  );
  assert.equal(requests, 1);
});

test('an error of a subgraph comes with its code, beside the data of the other', async () => {
  const query = gql`
    query Trouble {
      trouble
      reviewCount
    }
  `;
  const { data, error } = await client.query({ query, errorPolicy: 'all' });
  assert.ok(data.reviewCount > 0);
  assert.ok(CombinedGraphQLErrors.is(error));
  assert.ok(error.errors[0].extensions.code);
  assert.deepEqual(error.errors[0].path, ['trouble']);
});
