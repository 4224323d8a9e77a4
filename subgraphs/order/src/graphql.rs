//! The GraphQL schema: types, entities, queries, mutations, subscriptions. No rules here.
//!
//! Elsewhere: what the mutations do (`commands`), what is read (`store`).
//! - `types`: what belongs to no entity: carts, payloads, inputs, enums.
//! - `order`, `reputation`: orders with their parts; reviews, ratings and bookings.
//! - `entities`: what this service adds to users, sellers, products and listings; every `_entities` resolver.
//! - `loaders`: one query per kind of row and request, however many fields ask.
//! - `query`, `mutation`, `subscription`: the root fields.

#![expect(clippy::unused_async, reason = "async-graphql wants every resolver async")]

pub mod entities;
pub mod loaders;
pub mod mutation;
pub mod order;
pub mod query;
pub mod reputation;
pub mod subscription;
pub mod types;

use std::sync::Arc;

use async_graphql::{Context, MergedObject, Schema};
use kopitiam_kit::auth::{Viewer, viewer};
use kopitiam_kit::{Money, SystemError};

use crate::commands::Shop;
use crate::domain::order::Onlooker;

/// Scope to see everybody's orders, bookings and sagas.
pub const READ_ANY: &str = "orders:read:any";
/// Scope to see what the platform earns.
pub const READ_REVENUE: &str = "revenue:read";

/// The query root: own fields, and the entities that other services refer to.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct QueryRoot(query::OrderQuery, entities::Entities);

/// This service's schema.
pub type OrderSchema = Schema<QueryRoot, mutation::Mutation, subscription::Subscription>;

/// The schema over a running service.
pub fn schema(shop: Arc<Shop>) -> OrderSchema {
    builder().data(shop).finish()
}

/// The federation SDL, which needs no running service.
pub fn sdl() -> String {
    kopitiam_kit::graphql::sdl(&builder().finish())
}

fn builder() -> async_graphql::SchemaBuilder<QueryRoot, mutation::Mutation, subscription::Subscription> {
    kopitiam_kit::graphql::schema(QueryRoot::default(), mutation::Mutation, subscription::Subscription)
}

fn shop<'context>(context: &Context<'context>) -> &'context Shop {
    context.data_unchecked::<Arc<Shop>>()
}

fn onlooker(context: &Context<'_>) -> Onlooker {
    onlooker_of(viewer(context))
}

fn onlooker_of(viewer: &Viewer) -> Onlooker {
    Onlooker { user_id: viewer.user_id(), sees_all: viewer.has_scope(READ_ANY) }
}

/// The caller, who must be this user or may see everybody's.
fn require_own(context: &Context<'_>, user_id: uuid::Uuid) -> async_graphql::Result<Onlooker> {
    let viewer = viewer(context);
    if !viewer.has_scope(READ_ANY) {
        viewer.require_user(user_id)?;
    }
    Ok(onlooker_of(viewer))
}

/// A stored amount.
fn money(minor: i64, currency: &str) -> async_graphql::Result<Money> {
    let stored = Money::stored(minor, currency);
    Ok(stored.map_err(|error| SystemError::Invariant(format!("stored amount: {error}")))?)
}

/// A failure of the database as a GraphQL error that tells nothing of it.
fn system(error: sea_orm::DbErr) -> async_graphql::Error {
    SystemError::from(error).into()
}
