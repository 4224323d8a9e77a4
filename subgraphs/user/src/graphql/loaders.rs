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
use crate::store::notifications::Notification;
use crate::store::wallets::{Balances, Entry};
use crate::store::{Before, notifications, sellers, users, wallets};

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

/// A page of a user's notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NotificationsOf(pub(super) Uuid, pub(super) Before);

/// A page of a wallet's statement, by its user's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct EntriesOf(pub(super) Uuid, pub(super) Before);

/// Whose pages are asked for, by what page: the same arguments are one query.
fn by_page(keys: impl Iterator<Item = (Uuid, Before)>) -> HashMap<Before, Vec<Uuid>> {
    let mut pages: HashMap<Before, Vec<Uuid>> = HashMap::new();
    for (user_id, page) in keys {
        pages.entry(page).or_default().push(user_id);
    }
    pages
}

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
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = users::find_many(self.db.read(), &ids).await?;
        Ok(found.into_iter().map(|user| (UserById(user.id), user)).collect())
    }
}

impl Loader<SellerById> for Rows {
    type Value = Seller;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[SellerById]) -> Result<HashMap<SellerById, Seller>, Arc<DbErr>> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = sellers::find_many(self.db.read(), &ids).await?;
        Ok(found.into_iter().map(|seller| (SellerById(seller.id), seller)).collect())
    }
}

impl Loader<SellerByHandle> for Rows {
    type Value = Seller;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[SellerByHandle]) -> Result<HashMap<SellerByHandle, Seller>, Arc<DbErr>> {
        let handles: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let found = sellers::find_by_handles(self.db.read(), &handles).await?;
        Ok(found.into_iter().map(|seller| (SellerByHandle(seller.handle.clone()), seller)).collect())
    }
}

impl Loader<WalletOf> for Rows {
    type Value = Balances;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[WalletOf]) -> Result<HashMap<WalletOf, Balances>, Arc<DbErr>> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = wallets::balances(self.db.read(), &ids, self.currency.code()).await?;
        Ok(found.into_iter().map(|(id, balances)| (WalletOf(id), balances)).collect())
    }
}

impl Loader<UnreadOf> for Rows {
    type Value = i64;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[UnreadOf]) -> Result<HashMap<UnreadOf, i64>, Arc<DbErr>> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let counts = notifications::counts(self.db.read(), &ids, true).await?;
        Ok(counts.into_iter().map(|(id, count)| (UnreadOf(id), count)).collect())
    }
}

impl Loader<NotificationsOf> for Rows {
    type Value = Vec<Notification>;
    type Error = Arc<DbErr>;

    async fn load(
        &self,
        keys: &[NotificationsOf],
    ) -> Result<HashMap<NotificationsOf, Vec<Notification>>, Arc<DbErr>> {
        let mut found = HashMap::new();
        for (page, ids) in by_page(keys.iter().map(|key| (key.0, key.1))) {
            let rows = notifications::pages(self.db.read(), &ids, page).await?;
            found.extend(rows.into_iter().map(|(id, rows)| (NotificationsOf(id, page), rows)));
        }
        Ok(found)
    }
}

impl Loader<EntriesOf> for Rows {
    type Value = Vec<Entry>;
    type Error = Arc<DbErr>;

    async fn load(&self, keys: &[EntriesOf]) -> Result<HashMap<EntriesOf, Vec<Entry>>, Arc<DbErr>> {
        let mut found = HashMap::new();
        for (page, ids) in by_page(keys.iter().map(|key| (key.0, key.1))) {
            let rows = wallets::entries(self.db.read(), &ids, self.currency.code(), page).await?;
            found.extend(rows.into_iter().map(|(id, rows)| (EntriesOf(id, page), rows)));
        }
        Ok(found)
    }
}
