// graphql-request: plain JSON over HTTP.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ClientError, GraphQLClient } from 'graphql-request';

import { ownProduct, preflight, url } from '../env.mjs';

const client = new GraphQLClient(url);

test('a query over both subgraphs', async () => {
  const data = await client.request(
    'query ($id: ID!) { product(id: $id) { name reviews { body } } }',
    { id: '1' },
  );
  assert.equal(data.product.name, 'kopi');
  assert.equal(data.product.reviews[0].body, 'strong');
});

test('a query by GET, with the header that makes browsers ask first', async () => {
  const getting = new GraphQLClient(url, {
    method: 'GET',
    headers: preflight,
    jsonSerializer: JSON,
  });
  assert.equal((await getting.request('{ product(id: "2") { name } }')).product.name, 'teh');
});

test('a mutation', async () => {
  const variables = { id: ownProduct(), name: 'kopi o' };
  const data = await client.request(
    'mutation ($id: ID!, $name: String!) { rename(id: $id, name: $name) { id name } }',
    variables,
  );
  assert.deepEqual(data.rename, variables);
});

test('a batch', async () => {
  const documents = ['1', '2'].map((id) => ({ document: `{ product(id: "${id}") { name } }` }));
  const answers = await client.batchRequests(documents);
  assert.deepEqual(
    answers.map((answer) => answer.data.product.name),
    ['kopi', 'teh'],
  );
});

test('errors reach the client with their codes, of documents as of subgraphs', async () => {
  for (const [document, path] of [
    ['{ nothing }', undefined],
    ['{ trouble }', ['trouble']],
  ]) {
    await assert.rejects(client.request(document), (error) => {
      assert.ok(error instanceof ClientError);
      const [first] = error.response.errors;
      assert.ok(first.extensions.code, JSON.stringify(first));
      assert.deepEqual(first.path, path);
      return true;
    });
  }
});
