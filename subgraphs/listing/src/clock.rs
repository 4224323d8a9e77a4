//! What happens by itself: auctions end, forgotten locks fall, unanswered commands are sent again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use kopitiam_kit::timers::{self, Timer, TimerHandler};
use kopitiam_kit::{SystemError, Tx};
use tokio_util::sync::CancellationToken;

use crate::commands::{END_AUCTION, FREE_LISTING, Market};

/// Between looks for due timers: an auction ends at most this much late.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Between looks for overdue sagas. The first command of a saga is sent again after a second.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What the service's timers do.
pub struct Clock(pub Arc<Market>);

impl TimerHandler for Clock {
    async fn fire(&self, tx: &Tx, timer: &Timer, now: DateTime<Utc>) -> Result<(), SystemError> {
        match timer.kind.as_str() {
            END_AUCTION => self.0.auctions.end(tx, timer.subject_id, now).await,
            FREE_LISTING => self.0.free_lost(tx, timer.subject_id, now).await,
            kind => Err(SystemError::Invariant(format!("timer of unknown kind `{kind}`"))),
        }
    }
}

/// Fires timers until `shutdown`.
pub async fn run(market: Arc<Market>, shutdown: CancellationToken) {
    timers::run(market.db.clone(), Clock(market), LOOK_EVERY, shutdown).await;
}

/// Sends unanswered commands again, and ends overdue sagas, until `shutdown`.
pub async fn sweep(market: Arc<Market>, shutdown: CancellationToken) {
    let db = &market.db;
    tokio::join!(
        market.open.run_sweeper(db, SWEEP_EVERY, &shutdown),
        market.bids.run_sweeper(db, SWEEP_EVERY, &shutdown),
        market.auctions.settle.run_sweeper(db, SWEEP_EVERY, &shutdown),
        market.auctions.let_go.run_sweeper(db, SWEEP_EVERY, &shutdown),
    );
}
