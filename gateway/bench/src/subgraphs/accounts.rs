//! Users and their names.

use async_graphql::{EmptyMutation, EmptySubscription, ID, Object, Schema, SimpleObject};

use super::Subgraph;
use super::data::{self, UserRow};

#[derive(SimpleObject)]
struct User {
    id: ID,
    name: Option<&'static str>,
    /// Reviews know it too.
    #[graphql(shareable)]
    username: Option<&'static str>,
    birthday: Option<i32>,
}

impl From<&UserRow> for User {
    fn from(row: &UserRow) -> Self {
        Self {
            id: row.id.into(),
            name: Some(row.name),
            username: Some(row.username),
            birthday: Some(row.birthday),
        }
    }
}

pub(super) struct Query;

#[Object]
impl Query {
    async fn me(&self) -> Option<User> {
        data::USERS.first().map(User::from)
    }

    async fn user(&self, id: ID) -> Option<User> {
        data::user(&id).map(User::from)
    }

    async fn users(&self) -> Option<Vec<Option<User>>> {
        Some(data::USERS.iter().map(|row| Some(row.into())).collect())
    }

    #[graphql(entity)]
    async fn find_user(&self, id: ID) -> Option<User> {
        data::user(&id).map(User::from)
    }
}

pub(super) fn schema() -> Subgraph<Query> {
    Schema::build(Query, EmptyMutation, EmptySubscription).enable_federation().finish()
}
