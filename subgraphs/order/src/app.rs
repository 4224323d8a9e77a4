//! Wires the service: database, relay, consumer, saga sweepers, schema. Owns what runs behind it until shutdown.
//!
//! Elsewhere: serving it on a port (`kopitiam_kit::service::main`), mounting it in another process (the marketplace).

use std::sync::Arc;
use std::time::Duration;

use kopitiam_kit::auth::Verifier;
use kopitiam_kit::config::ServiceConfig;
use kopitiam_kit::consumer::{self, ConsumerConfig};
use kopitiam_kit::outbox::relay;
use kopitiam_kit::serve::Endpoint;
use kopitiam_kit::{Db, Service, Tasks};
use tokio_util::sync::CancellationToken;

use crate::commands::Shop;
use crate::graphql::{self, loaders};
use crate::migration::Migrator;
use crate::projections::{Projections, TOPICS};

/// Between looks for overdue sagas. The first command of a saga is sent again after a second.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Starts the service: migrates its database, then runs until `shutdown`.
///
/// # Errors
/// When the database cannot be opened or migrated.
pub async fn start(config: ServiceConfig, shutdown: CancellationToken) -> anyhow::Result<Service> {
    let db = Db::connect(&config.database_url).await?;
    db.migrate::<Migrator>().await?;
    let shop = Arc::new(Shop::new(db.clone()));

    let mut tasks = Tasks::new();
    tasks.spawn("order relay", relay::run(db.clone(), config.kafka.clone(), shutdown.clone()));
    let consumer = ConsumerConfig { group: config.name.clone(), topics: TOPICS.to_vec() };
    let projections = Projections::new(Arc::clone(&shop));
    tasks.spawn(
        "order consumer",
        consumer::run(db.clone(), config.kafka.clone(), consumer, projections, shutdown.clone()),
    );
    tasks.spawn("order sagas", sweep(Arc::clone(&shop), shutdown.clone()));

    let verifier = Arc::new(Verifier::new(config.auth));
    let reads = db.clone();
    let router = Endpoint::new(graphql::schema(shop), verifier, db, shutdown)
        .per_request(move |request| request.data(loaders::loader(reads.clone())))
        .router();
    Ok(Service { router, tasks })
}

async fn sweep(shop: Arc<Shop>, shutdown: CancellationToken) {
    tokio::join!(
        shop.place_order.run_sweeper(&shop.db, SWEEP_EVERY, &shutdown),
        shop.refund_order.run_sweeper(&shop.db, SWEEP_EVERY, &shutdown),
    );
}
