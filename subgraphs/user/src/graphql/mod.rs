//! The user service's GraphQL schema. No rules in here: resolvers check who asks, then call `commands` or `store`.

mod entities;
mod loaders;
mod mutation;
pub mod notification_types;
mod query;
mod subscription;
pub mod types;

use async_graphql::{Request, Schema};

use crate::commands::Commands;

pub use mutation::Mutation;
pub use query::Query;
pub use subscription::Subscription;

/// The service's schema.
pub type UserSchema = Schema<Query, Mutation, Subscription>;

/// Builds the schema over `commands`.
pub fn schema(commands: Commands) -> UserSchema {
    builder().data(commands).finish()
}

/// The schema's shape, for printing; it answers no query.
pub(crate) fn shape() -> UserSchema {
    builder().finish()
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    kopitiam_kit::graphql::schema(Query, Mutation, Subscription)
}

/// Gives a request its loaders; they live as long as the request, so no row of one viewer reaches another.
pub fn attach(commands: &Commands, request: Request) -> Request {
    request.data(loaders::new(commands))
}
