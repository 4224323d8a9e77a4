// The operations of a Relay application, for its compiler; nobody runs this file.
import { graphql } from 'relay-runtime';

graphql`
  query appProductQuery($id: ID!) {
    node(id: $id) {
      id
      ... on Product {
        name
        reviews {
          stars
        }
      }
    }
  }
`;

graphql`
  fragment appShelf on Query
  @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" })
  @refetchable(queryName: "appShelfNextQuery") {
    products(first: $first, after: $after) @connection(key: "appShelf_products") {
      edges {
        node {
          name
        }
      }
    }
  }
`;

graphql`
  query appShelfQuery {
    ...appShelf
  }
`;

graphql`
  mutation appRenameMutation($id: ID!, $name: String!) {
    rename(id: $id, name: $name) {
      id
      name
    }
  }
`;

graphql`
  mutation appStoreMutation($title: String, $file: File!) {
    store(title: $title, file: $file) {
      title
      bytes
      sha256
    }
  }
`;

graphql`
  subscription appReviewedSubscription($id: ID!) {
    reviewed(productId: $id) {
      stars
      product {
        id
        name
      }
    }
  }
`;

graphql`
  fragment appReviews on Product {
    id
    name
    reviews {
      stars
    }
  }
`;

graphql`
  query appDeferredQuery($id: ID!) {
    product(id: $id) {
      id
      name
      ...appReviews @defer(label: "reviews")
    }
  }
`;

graphql`
  query appStreamedQuery {
    products {
      edges @stream(label: "edges", initialCount: 1) {
        node {
          id
          name
        }
      }
    }
  }
`;
