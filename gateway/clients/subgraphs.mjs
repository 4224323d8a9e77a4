// Two subgraphs on other people's servers (GraphQL Yoga with Apollo's subgraph library): a catalog, whose subscriptions go by
// server-sent events and which takes files, and reviews, whose subscriptions go by WebSocket.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

import { buildSubgraphSchema } from '@apollo/subgraph';
import { GraphQLError, parse } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub, createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';

const FEDERATION = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key"])`;

const CATALOG = `${FEDERATION}
  scalar File
  interface Node { id: ID! }
  type Product implements Node @key(fields: "id") { id: ID!  name: String!  price: Float }
  type Stored { title: String  name: String!  type: String!  bytes: Int!  sha256: String! }
  type ProductEdge { cursor: String!  node: Product }
  type PageInfo { hasNextPage: Boolean!  hasPreviousPage: Boolean!  startCursor: String  endCursor: String }
  type ProductConnection { edges: [ProductEdge!]!  pageInfo: PageInfo! }
  type Query {
    node(id: ID!): Node
    product(id: ID!): Product
    products(first: Int, after: String): ProductConnection!
    trouble: String
  }
  type Mutation {
    rename(id: ID!, name: String!): Product
    store(title: String, file: File!): Stored!
    storeAll(files: [File!]!): [Stored!]!
  }
  type Subscription {
    countdown(from: Int!): Product
    renamed(id: ID!): Product!
  }`;

const REVIEWS = `${FEDERATION}
  type Product @key(fields: "id") { id: ID!  reviews: [Review!]! }
  type Review { stars: Int!  body: String  product: Product! }
  type Mutation { review(productId: ID!, stars: Int!, body: String): Review! }
  type Subscription { reviewed(productId: ID!): Review! }
  type Query { reviewCount: Int! }`;

async function stored(title, file) {
  const bytes = Buffer.from(await file.arrayBuffer());
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { title, name: file.name, type: file.type, bytes: bytes.length, sha256 };
}

function catalog() {
  const events = createPubSub();
  const products = new Map();
  const add = (id, name, price) => products.set(id, { __typename: 'Product', id, name, price });
  add('1', 'kopi', 1.2);
  add('2', 'teh', 1);
  add('3', 'milo', 2.1);
  const list = () => [...products.values()];
  // Tests rename products of their own, so that none sees another's changes.
  const find = (id) =>
    products.get(id) ?? (id.startsWith('own-') ? (add(id, id, null), products.get(id)) : null);
  const resolvers = {
    Node: { __resolveType: (node) => node.__typename },
    Product: { __resolveReference: ({ id }) => find(id) },
    Query: {
      node: (_, { id }) => find(id),
      product: (_, { id }) => find(id),
      products(_, { first = 10, after }) {
        const all = list().slice(0, 3);
        const begin = after ? all.findIndex((product) => product.id === after) + 1 : 0;
        const nodes = all.slice(begin, begin + first);
        return {
          edges: nodes.map((node) => ({ cursor: node.id, node })),
          pageInfo: {
            hasNextPage: begin + first < all.length,
            hasPreviousPage: begin > 0,
            startCursor: nodes[0]?.id,
            endCursor: nodes.at(-1)?.id,
          },
        };
      },
      trouble() {
        throw new GraphQLError('the till is stuck', {
          extensions: { code: 'TILL_STUCK', secret: '10.0.0.7' },
        });
      },
    },
    Mutation: {
      rename(_, { id, name }) {
        const product = find(id);
        if (!product) return null;
        product.name = name;
        events.publish(`renamed:${id}`, product);
        return product;
      },
      store: (_, { title, file }) => stored(title, file),
      storeAll: (_, { files }) => Promise.all(files.map((file) => stored(null, file))),
    },
    Subscription: {
      countdown: {
        async *subscribe(_, { from }) {
          for (let id = from; id > 0; id -= 1) yield { countdown: find(String(id)) };
        },
      },
      renamed: {
        subscribe: (_, { id }) => events.subscribe(`renamed:${id}`),
        resolve: (product) => product,
      },
    },
  };
  const yoga = createYoga({
    schema: buildSubgraphSchema({ typeDefs: parse(CATALOG), resolvers }),
    logging: false,
  });
  return createServer(yoga);
}

function reviews() {
  const events = createPubSub();
  const all = new Map([['1', [{ stars: 5, body: 'strong' }]]]);
  const of = (id) => (all.get(id) ?? []).map((review) => ({ ...review, product: { id } }));
  const resolvers = {
    Product: { reviews: ({ id }) => of(id) },
    Query: { reviewCount: () => [...all.values()].flat().length },
    Mutation: {
      review(_, { productId, stars, body }) {
        const review = { stars, body };
        all.set(productId, [...(all.get(productId) ?? []), review]);
        const event = { ...review, product: { id: productId } };
        events.publish(`reviewed:${productId}`, event);
        return event;
      },
    },
    Subscription: {
      reviewed: {
        subscribe: (_, { productId }) => events.subscribe(`reviewed:${productId}`),
        resolve: (review) => review,
      },
    },
  };
  const schema = buildSubgraphSchema({ typeDefs: parse(REVIEWS), resolvers });
  const server = createServer(createYoga({ schema, logging: false }));
  useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }));
  return server;
}

async function listening(server) {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Bound connections end with the process.
  return `http://127.0.0.1:${server.address().port}/graphql`;
}

/** Starts both; gives their URLs. */
export async function startSubgraphs() {
  return { catalog: await listening(catalog()), reviews: await listening(reviews()) };
}
