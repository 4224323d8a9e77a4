//! Wires the service: database, schema, relay, consumers, the clock that releases forgotten reservations. Owns shutdown.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use kopitiam_kafka::Topic;
use kopitiam_kafka::messages::stock::ItemUnlocked;
use kopitiam_kit::auth::Verifier;
use kopitiam_kit::config::ServiceConfig;
use kopitiam_kit::consumer::{self, Listens};
use kopitiam_kit::live::Hub;
use kopitiam_kit::migrations::kit_migrations;
use kopitiam_kit::operator::Desk;
use kopitiam_kit::outbox::relay;
use kopitiam_kit::serve::Endpoint;
use kopitiam_kit::{Db, Service, SystemError, Tasks, purge, time};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::commands::Commands;
use crate::events::{Cause, publish};
use crate::projections::review_events::ReviewEvents;
use crate::projections::stock_commands::StockCommands;
use crate::store::{items, reservations};
use crate::{graphql, migration};

/// How often forgotten reservations are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
const SWEEP_BATCH: u64 = 100;

/// Brings the database to this version's schema.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations().into_iter().chain(migration::migrations()).collect()
    }
}

/// What it listens to. Commands and reviews apart: a review that waits for an earlier one must not hold up an order.
pub const CONSUMERS: [Listens; 2] = [
    Listens { purpose: "", topics: &[Topic::StockCommands] },
    Listens { purpose: ".reviews", topics: &[Topic::ReviewEvents] },
];

/// What an operator can ask of it.
pub fn desk() -> Desk<'static, ReviewEvents> {
    Desk { models: Some(&ReviewEvents), checks: audit::CHECKS, sagas: &[] }
}

/// The federation SDL, as composition reads it.
pub fn sdl() -> String {
    kopitiam_kit::graphql::sdl(&graphql::shape())
}

/// Starts the service.
///
/// # Errors
/// What is wrong with the database.
pub async fn start(config: ServiceConfig, shutdown: CancellationToken) -> anyhow::Result<Service> {
    let db = Db::connect(&config.database_url).await?;
    db.migrate::<Migrator>().await?;
    let commands = commands(&db);
    let mut tasks = Tasks::new();
    tasks.spawn(
        "product relay",
        relay::run(db.clone(), config.kafka.clone().sent_by("product"), shutdown.clone()),
    );
    let [stock, reviews] = CONSUMERS.map(|consumer| consumer.of(&config.name));
    let handler = StockCommands { stock: commands.stock.clone() };
    let consume = consumer::run(db.clone(), config.kafka.clone(), stock, handler, shutdown.clone());
    tasks.spawn("product stock commands", consume);
    let consume = consumer::run(db.clone(), config.kafka.clone(), reviews, ReviewEvents, shutdown.clone());
    tasks.spawn("product reviews", consume);
    tasks.spawn("product reservations", release_forgotten(commands.clone(), shutdown.clone()));
    let audited = kopitiam_kit::audit::run(db.clone(), audit::CHECKS, shutdown.clone());
    tasks.spawn("product audit", audited);
    tasks.spawn("product purge", purge::run(db, Vec::new(), shutdown.clone()));
    let denylist = config.denylist;
    tasks.spawn("product denylist", denylist.clone().follow(config.kafka, shutdown.clone()));
    let verifier = Verifier::new(config.auth).with_denylist(denylist);
    let router = router(commands, Arc::new(verifier), shutdown);
    Ok(Service { router, tasks })
}

/// The service's commands over a migrated database.
pub fn commands(db: &Db) -> Commands {
    Commands { db: db.clone(), stock: Hub::default() }
}

/// Everything the service answers over HTTP.
pub fn router(commands: Commands, verifier: Arc<Verifier>, shutdown: CancellationToken) -> Router {
    let schema = graphql::schema(commands.clone());
    Endpoint::new(schema, verifier, commands.db.clone(), shutdown)
        .per_request(move |request| graphql::attach(&commands, request))
        .router()
}

/// Releases reservations and item locks that nobody ended in time: nothing is kept for what is no more.
async fn release_forgotten(commands: Commands, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        if let Err(error) = sweep(&commands).await {
            tracing::warn!(%error, "cannot look for forgotten reservations");
        }
    }
}

/// Releases the reservations and item locks that are overdue now, and says so.
///
/// # Errors
/// [`SystemError`].
pub async fn sweep(commands: &Commands) -> Result<(), SystemError> {
    let handler = &StockCommands { stock: commands.stock.clone() };
    commands
        .db
        .transaction(|tx| async move {
            let now = time::of(&tx).await?;
            for id in reservations::overdue(&tx, SWEEP_BATCH, now).await? {
                let outcome = reservations::release(&tx, id, now).await?;
                handler.answer(&tx, Cause::Service, id, outcome).await?;
            }
            for (item_id, listing_id) in items::overdue(&tx, SWEEP_BATCH, now).await? {
                if items::expire(&tx, item_id, listing_id, now).await? {
                    publish(&tx, Cause::Service, item_id, &ItemUnlocked { listing_id }).await?;
                }
            }
            Ok(())
        })
        .await
}
