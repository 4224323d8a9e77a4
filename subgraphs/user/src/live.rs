//! Wakes open streams of this process when another process changed what they show.
//!
//! A change of this process wakes its own streams at once (`Hub::changed_by`); for those of others the database is looked
//! at, for the watched keys only: one small query each second per kind, none without watchers.

use std::collections::HashMap;
use std::time::Duration;

use kopitiam_kit::live::Hub;
use kopitiam_kit::{Db, SystemError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commands::Commands;
use crate::store::{notifications, wallets};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a stream shows, in so far as it tells whether something changed.
type Seen = HashMap<Uuid, [i64; 3]>;

/// Watches until `shutdown`.
pub async fn follow(commands: Commands, shutdown: CancellationToken) {
    let (mut wallets_seen, mut notices_seen) = (Seen::new(), Seen::new());
    let currency = commands.rules.currency.code();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let looked = async {
            let wallets = commands.wallets.watched();
            if !wallets.is_empty() {
                let seen = look_at_wallets(&commands.db, &wallets, currency).await?;
                wake(&commands.wallets, &mut wallets_seen, seen);
            }
            let people = commands.notifications.watched();
            if !people.is_empty() {
                let counts = notifications::counts(commands.db.read(), &people, false).await?;
                let seen = counts.into_iter().map(|(user, count)| (user, [count, 0, 0])).collect();
                wake(&commands.notifications, &mut notices_seen, seen);
            }
            Ok::<_, SystemError>(())
        };
        if let Err(error) = looked.await {
            tracing::warn!(%error, "cannot look for changes of other processes");
        }
    }
}

async fn look_at_wallets(db: &Db, users: &[Uuid], currency: &str) -> Result<Seen, SystemError> {
    let balances = wallets::balances(db.read(), users, currency).await?;
    Ok(balances
        .into_iter()
        .map(|(user, wallet)| (user, [wallet.available, wallet.held, wallet.escrowed]))
        .collect())
}

/// Wakes whoever's state differs from the last look. A first look wakes too: the stream may have begun before the change.
fn wake(hub: &Hub<Uuid>, seen: &mut Seen, now: Seen) {
    for (user, state) in &now {
        if seen.get(user) != Some(state) {
            hub.changed(user);
        }
    }
    *seen = now;
}
