//! Wires the service: database, relay, consumer, saga sweepers, booking timers, schema, invoices. Owns what runs behind it until shutdown.
//!
//! Elsewhere: serving it on a port (`kopitiam_kit::service::main`), mounting it in another process (the marketplace).

use std::sync::Arc;
use std::time::Duration;

use kopitiam_kit::auth::Verifier;
use kopitiam_kit::config::ServiceConfig;
use kopitiam_kit::consumer::{self, Listens};
use kopitiam_kit::operator::Desk;
use kopitiam_kit::outbox::relay;
use kopitiam_kit::serve::Endpoint;
use kopitiam_kit::{Db, Service, Tasks, purge};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::commands::{Shop, bookings, carts};
use crate::graphql::{self, loaders};
use crate::invoices;
use crate::live;
use crate::migration::Migrator;
use crate::projections::{Copies, Projections, TOPICS};
use crate::sagas::pay_booking::PAY_BOOKING;
use crate::sagas::place_order::PLACE_ORDER;
use crate::sagas::refund_order::REFUND_ORDER;
use crate::sagas::release_escrow::RELEASE_ESCROW;
use crate::sagas::reserve_listing::RESERVE_LISTING;

/// Between looks for overdue sagas. The first command of a saga is sent again after a second.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Between looks for bookings whose time is up; their times are hours and days.
const BOOKINGS_EVERY: Duration = Duration::from_secs(5);
/// Between looks at what other processes changed of orders and bookings that somebody watches.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// The sagas of this service, as an operator sees them.
const SAGAS: &[fn() -> Value] = &[
    || PLACE_ORDER.describe(),
    || RESERVE_LISTING.describe(),
    || REFUND_ORDER.describe(),
    || PAY_BOOKING.describe(),
    || RELEASE_ESCROW.describe(),
];

/// What it listens to.
pub const CONSUMERS: [Listens; 1] = [Listens { purpose: "", topics: &TOPICS }];

/// What an operator can ask of it.
pub fn desk() -> Desk<'static, Copies> {
    Desk { models: Some(&Copies), checks: audit::CHECKS, sagas: SAGAS }
}

/// Starts the service: migrates its database, then runs until `shutdown`.
///
/// # Errors
/// When the database cannot be opened or migrated.
pub async fn start(config: ServiceConfig, shutdown: CancellationToken) -> anyhow::Result<Service> {
    let db = Db::connect(&config.database_url).await?;
    db.migrate::<Migrator>().await?;
    let shop = Arc::new(Shop::new(db.clone()));

    let mut tasks = Tasks::new();
    tasks.spawn(
        "order relay",
        relay::run(db.clone(), config.kafka.clone().sent_by("order"), shutdown.clone()),
    );
    let [consumer] = CONSUMERS.map(|consumer| consumer.of(&config.name));
    let projections = Projections::new(Arc::clone(&shop));
    tasks.spawn(
        "order consumer",
        consumer::run(db.clone(), config.kafka.clone(), consumer, projections, shutdown.clone()),
    );
    tasks.spawn("order sagas", sweep(Arc::clone(&shop), shutdown.clone()));
    tasks.spawn("order bookings", let_time_pass(Arc::clone(&shop), shutdown.clone()));
    tasks.spawn("order changes", live::follow(Arc::clone(&shop), FOLLOW_EVERY, shutdown.clone()));
    tasks.spawn("order purge", purge::run(db.clone(), vec![carts::GUESTS], shutdown.clone()));
    tasks.spawn("order audit", kopitiam_kit::audit::run(db.clone(), audit::CHECKS, shutdown.clone()));

    tasks.spawn("order denylist", config.denylist.clone().follow(config.kafka.clone(), shutdown.clone()));
    let verifier = Arc::new(Verifier::new(config.auth).with_denylist(config.denylist));
    let reads = db.clone();
    let invoices = invoices::router(Arc::clone(&shop), Arc::clone(&verifier));
    let router = Endpoint::new(graphql::schema(shop), verifier, db, shutdown)
        .per_request(move |request| request.data(loaders::loader(reads.clone())))
        .router()
        .merge(invoices);
    Ok(Service { router, tasks })
}

async fn sweep(shop: Arc<Shop>, shutdown: CancellationToken) {
    tokio::join!(
        shop.place_order.run_sweeper(&shop.db, SWEEP_EVERY, &shutdown),
        shop.reserve_listing.run_sweeper(&shop.db, SWEEP_EVERY, &shutdown),
        shop.refund_order.run_sweeper(&shop.db, SWEEP_EVERY, &shutdown),
        shop.pay_booking.run_sweeper(&shop.db, SWEEP_EVERY, &shutdown),
        shop.release_escrow.run_sweeper(&shop.db, SWEEP_EVERY, &shutdown),
    );
}

async fn let_time_pass(shop: Arc<Shop>, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(BOOKINGS_EVERY)).await.is_some() {
        // Replicas share the bookings, and so one clock.
        let passed = match kopitiam_kit::time::of(shop.db.read()).await {
            Ok(now) => bookings::time_passes(&shop, now).await.map(|_| ()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = passed {
            tracing::warn!(%error, "due bookings could not be read");
        }
    }
}
