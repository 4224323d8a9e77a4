//! Live updates.

#![expect(clippy::unused_async, reason = "a resolver is an async function, whether it waits or not")]

use async_graphql::{Context, Subscription as GraphqlSubscription};
use futures::{Stream, StreamExt};
use kopitiam_kit::SystemError;
use kopitiam_kit::auth::viewer;

use super::types::Wallet;
use crate::commands::Commands;
use crate::store::wallets;

/// Root subscriptions.
pub struct Subscription;

/// Root subscriptions.
#[GraphqlSubscription]
impl Subscription {
    /// The signed-in person's wallet: now, and after each change.
    async fn wallet_changed(
        &self,
        context: &Context<'_>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<Wallet>> + use<>> {
        let user_id = viewer(context).require()?.user_id;
        let commands = context.data_unchecked::<Commands>().clone();
        let changes = commands.wallets.changes(user_id);
        Ok(changes.then(move |()| {
            let commands = commands.clone();
            async move {
                let currency = commands.rules.currency.code();
                let mut found = wallets::balances(commands.db.read(), &[user_id], currency)
                    .await
                    .map_err(SystemError::from)?;
                Ok(Wallet { user_id, balances: found.remove(&user_id).unwrap_or_default() })
            }
        }))
    }
}
