//! Live updates. They end with the access token they were opened with, or when the account is banned (`kit::serve`).

#![expect(clippy::unused_async, reason = "a resolver is an async function, whether it waits or not")]

use std::collections::HashSet;

use async_graphql::{Context, Subscription as GraphqlSubscription};
use futures::{Stream, StreamExt, stream};
use kopitiam_kit::SystemError;
use kopitiam_kit::auth::viewer;
use uuid::Uuid;

use super::notification_types::Notification;
use super::types::Wallet;
use crate::commands::Commands;
use crate::store::notifications;
use crate::store::wallets::{self, Balances};

/// Notifications looked at for each wake-up: as many can come at the same moment without one being passed over.
const NEWEST: u64 = 50;

/// Root subscriptions.
pub struct Subscription;

/// Root subscriptions.
#[GraphqlSubscription]
impl Subscription {
    /// The signed-in person's wallet: now, and after each change of its balances.
    async fn wallet_changed(
        &self,
        context: &Context<'_>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<Wallet>> + use<>> {
        let user_id = viewer(context).require()?.user_id;
        let commands = context.data_unchecked::<Commands>().clone();
        let changes = Box::pin(commands.wallets.changes(user_id));
        let shown: Option<Balances> = None;
        Ok(stream::unfold((commands, changes, shown), move |(commands, mut changes, mut shown)| async move {
            loop {
                changes.next().await?;
                let currency = commands.rules.currency.code();
                let balances = match wallets::balances(commands.db.read(), &[user_id], currency).await {
                    Ok(mut found) => found.remove(&user_id).unwrap_or_default(),
                    Err(error) => {
                        let error = SystemError::from(error).into();
                        return Some((Err(error), (commands, changes, shown)));
                    }
                };
                if shown != Some(balances) {
                    shown = Some(balances);
                    return Some((Ok(Wallet { user_id, balances }), (commands, changes, shown)));
                }
            }
        }))
    }

    /// What the signed-in person is told from now on.
    async fn notification_added(
        &self,
        context: &Context<'_>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<Notification>> + use<>> {
        let user_id = viewer(context).require()?.user_id;
        let commands = context.data_unchecked::<Commands>().clone();
        // Watched before the first look, so that nothing falls between the two.
        let changes = Box::pin(commands.notifications.changes(user_id));
        let known = newest(&commands, user_id).await?.into_iter().map(|row| row.id).collect();
        let batches =
            stream::unfold((commands, changes, known), move |(commands, mut changes, known)| async move {
                changes.next().await?;
                let known: HashSet<Uuid> = known;
                Some(match newest(&commands, user_id).await {
                    Ok(rows) => {
                        let ids = rows.iter().map(|row| row.id).collect();
                        // Oldest first, as they came.
                        let fresh = rows.into_iter().rev().filter(|row| !known.contains(&row.id));
                        let fresh: Vec<_> = fresh.map(|row| Ok(Notification::from(row))).collect();
                        (fresh, (commands, changes, ids))
                    }
                    Err(error) => (vec![Err(error.into())], (commands, changes, known)),
                })
            });
        Ok(batches.flat_map(stream::iter))
    }
}

async fn newest(commands: &Commands, user_id: Uuid) -> Result<Vec<notifications::Notification>, SystemError> {
    Ok(notifications::newest(commands.db.read(), user_id, NEWEST).await?)
}
