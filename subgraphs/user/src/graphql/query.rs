//! Root queries and entity lookups.

use async_graphql::{Context, Object};
use kopitiam_kit::SystemError;
use kopitiam_kit::auth::{HasScope, viewer};
use kopitiam_kit::graphql::ID;
use kopitiam_kit::page::{Page, PageArgs};

use super::entities;
use super::loaders::{SellerByHandle, UserById, load};
use super::types::{Seller, User, UserConnection, Wallet};
use crate::commands::Commands;
use crate::store::users;

/// Root queries.
pub struct Query;

/// Root queries.
#[Object]
impl Query {
    /// Who is signed in; null for visitors.
    async fn me(&self, context: &Context<'_>) -> async_graphql::Result<Option<User>> {
        match viewer(context).user_id() {
            Some(id) => Ok(load(context, UserById(id)).await?.map(User)),
            None => Ok(None),
        }
    }

    /// The stall of that handle.
    async fn seller(&self, context: &Context<'_>, handle: String) -> async_graphql::Result<Option<Seller>> {
        Ok(load(context, SellerByHandle(handle.to_ascii_lowercase())).await?.map(Seller))
    }

    /// Every account by username; `query` looks into usernames and e-mails.
    #[graphql(requires_scopes = "users:read", guard = "HasScope(\"users:read\")")]
    async fn users(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
        query: Option<String>,
    ) -> async_graphql::Result<UserConnection> {
        let page = PageArgs::new(first, after)?;
        let db = context.data_unchecked::<Commands>().db.read();
        let after = page.after::<String>()?;
        let rows = users::list(db, query.as_deref(), after.as_deref(), page.limit())
            .await
            .map_err(SystemError::from)?;
        let total = users::count(db, query.as_deref()).await.map_err(SystemError::from)?;
        let page = Page::new(rows, &page, |user| user.username.to_ascii_lowercase());
        Ok(UserConnection::from_page(page.map(User), total))
    }

    #[graphql(entity)]
    async fn find_user_by_id(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Option<User>> {
        entities::user(context, &id).await
    }

    #[graphql(entity)]
    async fn find_seller_by_id(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<Seller>> {
        entities::seller(context, &id).await
    }

    #[graphql(entity)]
    async fn find_seller_by_handle(
        &self,
        context: &Context<'_>,
        handle: String,
    ) -> async_graphql::Result<Option<Seller>> {
        entities::seller_by_handle(context, handle).await
    }

    #[graphql(entity)]
    async fn find_wallet_by_id(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<Option<Wallet>> {
        entities::wallet(context, &id).await
    }
}
