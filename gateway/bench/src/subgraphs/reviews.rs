//! Reviews, and the reviews of users and products.

use async_graphql::{ComplexObject, EmptyMutation, EmptySubscription, ID, Object, Schema, SimpleObject};

use super::Subgraph;
use super::data::{self, ReviewRow};

#[derive(SimpleObject)]
#[graphql(complex)]
struct Review {
    id: ID,
    body: Option<&'static str>,
    product: Option<Product>,
}

impl From<&ReviewRow> for Review {
    fn from(row: &ReviewRow) -> Self {
        Self {
            id: row.id.into(),
            body: Some(row.body),
            product: Some(Product { upc: row.product.to_owned() }),
        }
    }
}

#[ComplexObject]
impl Review {
    /// All are by one user.
    #[graphql(provides = "username")]
    async fn author(&self) -> Option<User> {
        let row = data::USERS.first()?;
        Some(User { id: row.id.into(), username: Some(row.username) })
    }
}

#[derive(SimpleObject)]
#[graphql(complex)]
struct User {
    id: ID,
    #[graphql(external)]
    username: Option<&'static str>,
}

#[ComplexObject]
impl User {
    async fn reviews(&self) -> Option<Vec<Option<Review>>> {
        Some(data::REVIEWS.iter().take(data::REVIEWS_OF_A_USER).map(|row| Some(row.into())).collect())
    }
}

#[derive(SimpleObject)]
#[graphql(complex)]
struct Product {
    upc: String,
}

#[ComplexObject]
impl Product {
    async fn reviews(&self) -> Option<Vec<Option<Review>>> {
        let own = data::REVIEWS.iter().filter(|row| row.product == self.upc);
        Some(own.map(|row| Some(row.into())).collect())
    }
}

pub(super) struct Query;

#[Object]
impl Query {
    #[graphql(entity)]
    async fn find_review(&self, id: ID) -> Option<Review> {
        data::REVIEWS.iter().find(|row| id == row.id).map(Review::from)
    }

    #[graphql(entity)]
    async fn find_user(&self, id: ID) -> User {
        User { id, username: None }
    }

    #[graphql(entity)]
    async fn find_product(&self, upc: String) -> Product {
        Product { upc }
    }
}

pub(super) fn schema() -> Subgraph<Query> {
    Schema::build(Query, EmptyMutation, EmptySubscription).enable_federation().finish()
}
