//! The GraphQL face of the service: what clients may ask, and what the gateway joins. No rules in it.
//!
//! - `query.rs`, `mutation.rs`, `subscription.rs`: the root fields
//! - `entities.rs`: `_entities`, batched; a missing row is null
//! - `listing_types.rs`: the `Listing` interface and its three kinds; `types.rs`: bids, stubs of other services' types
//! - `loaders.rs`: one batched read per kind and request

pub mod entities;
pub mod listing_types;
pub mod loaders;
pub mod mutation;
pub mod query;
pub mod subscription;
pub mod types;

use async_graphql::Context;
use kopitiam_kit::auth::viewer;
use kopitiam_kit::errors::{Denied, SystemError};
use uuid::Uuid;

use self::loaders::LoadError;

/// The viewer's user id, if somebody is logged in.
fn viewer_id(ctx: &Context<'_>) -> Option<Uuid> {
    viewer(ctx).user_id()
}

/// Whether the viewer has a scope.
fn viewer_may(ctx: &Context<'_>, scope: &str) -> bool {
    viewer(ctx).has_scope(scope)
}

/// Private data: for the person and for holders of a scope.
fn require_self_or(ctx: &Context<'_>, user_id: Uuid, scope: &str) -> Result<(), Denied> {
    let viewer = viewer(ctx);
    viewer.require()?;
    if viewer.is_user(user_id) || viewer.has_scope(scope) { Ok(()) } else { Err(Denied::Forbidden) }
}

/// A batch's outcome; its failure is logged once for each field that waited for it.
fn load<T>(outcome: Result<Option<T>, LoadError>) -> async_graphql::Result<Option<T>> {
    outcome.map_err(|error| SystemError::Unavailable(error.to_string()).into())
}

/// A client's id; what is no UUID is simply an id that nothing has.
fn parse_id(id: &str) -> Option<Uuid> {
    Uuid::try_parse(id).ok()
}
