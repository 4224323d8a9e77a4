//! Entities for other subgraphs' references. Every representation is checked like a query of its own; a missing or
//! unreadable one is null, because an error would take the whole batch with it.

use async_graphql::Context;
use kopitiam_kit::auth::viewer;
use kopitiam_kit::graphql::ID;
use uuid::Uuid;

use super::loaders::{SellerByHandle, SellerById, UserById, load};
use super::types::{Seller, User, Wallet, may_read};

fn uuid(id: &ID) -> Option<Uuid> {
    Uuid::try_parse(id).ok()
}

pub(super) async fn user(context: &Context<'_>, id: &ID) -> async_graphql::Result<Option<User>> {
    match uuid(id) {
        Some(id) => Ok(load(context, UserById(id)).await?.map(User)),
        None => Ok(None),
    }
}

pub(super) async fn seller(context: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Seller>> {
    match uuid(id) {
        Some(id) => Ok(load(context, SellerById(id)).await?.map(Seller)),
        None => Ok(None),
    }
}

pub(super) async fn seller_by_handle(
    context: &Context<'_>,
    handle: String,
) -> async_graphql::Result<Option<Seller>> {
    Ok(load(context, SellerByHandle(handle)).await?.map(Seller))
}

pub(super) async fn wallet(context: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Wallet>> {
    match uuid(id) {
        Some(id) if may_read(viewer(context), id).is_ok() => Wallet::load(context, id).await,
        _ => Ok(None),
    }
}
