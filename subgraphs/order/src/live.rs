//! Wakes subscriptions for what other processes over the same database changed of orders and bookings.
//!
//! Always: nothing is read while nobody watches. Elsewhere: what this process changes wakes them by itself
//! (`sagas::changes`), what they show (`graphql::subscription`).

use std::sync::Arc;
use std::time::Duration;

use kopitiam_kit::SystemError;
use kopitiam_kit::live::follow_versions;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commands::Shop;
use crate::store::{bookings, orders};

/// Looks at the versions of the watched rows every `pause`, until `shutdown`. Rows and not events: a saga notes its steps
/// in an order's history without telling the world.
pub async fn follow(shop: Arc<Shop>, pause: Duration, shutdown: CancellationToken) {
    let db = &shop.db;
    let of_orders =
        |ids: Vec<Uuid>| async move { orders::versions(db.read(), &ids).await.map_err(SystemError::from) };
    let of_bookings =
        |ids: Vec<Uuid>| async move { bookings::versions(db.read(), &ids).await.map_err(SystemError::from) };
    tokio::join!(
        follow_versions(shop.changes.clone(), "order", of_orders, pause, shutdown.clone()),
        follow_versions(shop.booking_changes.clone(), "booking", of_bookings, pause, shutdown.clone()),
    );
}
