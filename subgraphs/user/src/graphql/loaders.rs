//! Batched reads: however many users, stalls or wallets a request asks for, each kind is one query.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use kopitiam_kit::money::Currency;
use kopitiam_kit::{Db, SystemError};
use sea_orm::DbErr;
use uuid::Uuid;

use crate::commands::Commands;
use crate::domain::account::{Seller, User};
use crate::store::wallets::Balances;
use crate::store::{notifications, sellers, users, wallets};

/// Reads rows in batches.
pub(super) struct Rows {
    db: Db,
    currency: Currency,
}

/// A user by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct UserById(pub(super) Uuid);

/// A stall by its user's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SellerById(pub(super) Uuid);

/// A stall by its handle.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SellerByHandle(pub(super) String);

/// A wallet by its user's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct WalletOf(pub(super) Uuid);

/// How many notifications a user has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct UnreadOf(pub(super) Uuid);

/// The loader of one request.
pub(super) fn new(commands: &Commands) -> DataLoader<Rows> {
    let rows = Rows { db: commands.db.clone(), currency: commands.rules.currency };
    DataLoader::new(rows, tokio::spawn)
}

/// Loads one row in the request's next batch; `None` when there is none.
pub(super) async fn load<K>(
    context: &Context<'_>,
    key: K,
) -> async_graphql::Result<Option<<Rows as Loader<K>>::Value>>
where
    K: Send + Sync + Clone + Eq + std::hash::Hash + 'static,
    Rows: Loader<K, Error = Arc<DbErr>>,
{
    let rows = context.data_unchecked::<DataLoader<Rows>>();
    Ok(rows.load_one(key).await.map_err(|error| SystemError::Unavailable(error.to_string()))?)
}

impl Loader<UserById> for Rows {
    type Value = User;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[UserById]) -> Result<HashMap<UserById, User>, Arc<DbErr>> {
        tracing::trace!(kind = "UserById", keys = keys.len(), "one query for a batch");
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = users::find_many(self.db.read(), &ids).await?;
        Ok(found.into_iter().map(|user| (UserById(user.id), user)).collect())
    }
}

impl Loader<SellerById> for Rows {
    type Value = Seller;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[SellerById]) -> Result<HashMap<SellerById, Seller>, Arc<DbErr>> {
        tracing::trace!(kind = "SellerById", keys = keys.len(), "one query for a batch");
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = sellers::find_many(self.db.read(), &ids).await?;
        Ok(found.into_iter().map(|seller| (SellerById(seller.id), seller)).collect())
    }
}

impl Loader<SellerByHandle> for Rows {
    type Value = Seller;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[SellerByHandle]) -> Result<HashMap<SellerByHandle, Seller>, Arc<DbErr>> {
        tracing::trace!(kind = "SellerByHandle", keys = keys.len(), "one query for a batch");
        let handles: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let found = sellers::find_by_handles(self.db.read(), &handles).await?;
        Ok(found.into_iter().map(|seller| (SellerByHandle(seller.handle.clone()), seller)).collect())
    }
}

impl Loader<WalletOf> for Rows {
    type Value = Balances;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[WalletOf]) -> Result<HashMap<WalletOf, Balances>, Arc<DbErr>> {
        tracing::trace!(kind = "WalletOf", keys = keys.len(), "one query for a batch");
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = wallets::balances(self.db.read(), &ids, self.currency.code()).await?;
        Ok(found.into_iter().map(|(id, balances)| (WalletOf(id), balances)).collect())
    }
}

impl Loader<UnreadOf> for Rows {
    type Value = i64;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[UnreadOf]) -> Result<HashMap<UnreadOf, i64>, Arc<DbErr>> {
        tracing::trace!(kind = "UnreadOf", keys = keys.len(), "one query for a batch");
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let counts = notifications::counts(self.db.read(), &ids, true).await?;
        Ok(counts.into_iter().map(|(id, count)| (UnreadOf(id), count)).collect())
    }
}
