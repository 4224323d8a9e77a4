//! Starts the service: database, outbox relay, consumer, timers, sagas and GraphQL schema; everything ends with the
//! shutdown token.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{MergedObject, Schema};
use chrono::TimeDelta;
use kopitiam_kafka::Topic;
use kopitiam_kit::auth::Verifier;
use kopitiam_kit::config::{self, ServiceConfig};
use kopitiam_kit::consumer::{self, Listens};
use kopitiam_kit::live::{self, Hub};
use kopitiam_kit::operator::Desk;
use kopitiam_kit::outbox::relay;
use kopitiam_kit::serve::Endpoint;
use kopitiam_kit::{Db, Service, Tasks, purge};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::clock;
use crate::commands::Market;
use crate::domain::auction::Rules;
use crate::graphql::entities::Entities;
use crate::graphql::loaders::Loaders;
use crate::graphql::mutation::Mutation;
use crate::graphql::query::Query;
use crate::graphql::subscription::Subscription;
use crate::migration::Migrator;
use crate::projections::users::Copies;
use crate::projections::{Projections, TOPICS};
use crate::sagas::let_go::LET_GO;
use crate::sagas::open::OPEN_AUCTION;
use crate::sagas::place_bid::PLACE_BID;
use crate::sagas::settle::SETTLE_AUCTION;

/// Seconds by which a late bid moves an auction's end; unset or 0: the end never moves.
const EXTENSION_VARIABLE: &str = "AUCTION_EXTENSION_SECONDS";
/// Between looks at what other processes changed of a listing that somebody watches.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// What it listens to.
pub const CONSUMERS: [Listens; 1] = [Listens { purpose: "", topics: &TOPICS }];

/// The sagas of this service, as an operator sees them.
const SAGAS: &[fn() -> Value] = &[
    || OPEN_AUCTION.describe(),
    || PLACE_BID.describe(),
    || SETTLE_AUCTION.describe(),
    || LET_GO.describe(),
];

/// Root fields and entity resolvers.
#[derive(Default, MergedObject)]
#[graphql(name = "Query")]
pub struct Root(Query, Entities);

/// The service's schema.
pub type ListingSchema = Schema<Root, Mutation, Subscription>;

/// Starts the service; its tasks end when `shutdown` is cancelled.
///
/// # Errors
/// When the database cannot be reached or migrated, or a setting is not understood.
pub async fn start(config: ServiceConfig, shutdown: CancellationToken) -> anyhow::Result<Service> {
    let db = Db::connect(&config.database_url).await?;
    db.migrate::<Migrator>().await?;
    let hub = Hub::default();
    let market = Arc::new(Market::new(db.clone(), hub.clone(), rules()?));

    let verifier = Verifier::new(config.auth).with_denylist(config.denylist.clone());
    let loaders_db = db.clone();
    let router = Endpoint::new(schema(Arc::clone(&market)), Arc::new(verifier), db.clone(), shutdown.clone())
        .per_request(move |request| request.data(Loaders::new(&loaders_db)))
        .router();

    let mut tasks = Tasks::new();
    tasks.spawn("listing denylist", config.denylist.follow(config.kafka.clone(), shutdown.clone()));
    tasks.spawn(
        "listing relay",
        relay::run(db.clone(), config.kafka.clone().sent_by("listing"), shutdown.clone()),
    );
    let [consumer] = CONSUMERS.map(|consumer| consumer.of(&config.name));
    let projections = Projections::new(Arc::clone(&market));
    tasks.spawn(
        "listing consumer",
        consumer::run(db.clone(), config.kafka, consumer, projections, shutdown.clone()),
    );
    let follow =
        live::follow(hub, db.clone(), Topic::ListingEvents, "listing", FOLLOW_EVERY, shutdown.clone());
    tasks.spawn("listing changes", follow);
    let audited = kopitiam_kit::audit::run(db.clone(), audit::CHECKS, shutdown.clone());
    tasks.spawn("listing audit", audited);
    tasks.spawn("listing purge", purge::run(db, Vec::new(), shutdown.clone()));
    tasks.spawn("listing sagas", clock::sweep(Arc::clone(&market), shutdown.clone()));
    tasks.spawn("listing timers", clock::run(market, shutdown));
    Ok(Service { router, tasks })
}

/// What an operator can ask of it.
pub fn desk() -> Desk<'static, Copies> {
    Desk { models: Some(&Copies), checks: audit::CHECKS, sagas: SAGAS }
}

fn rules() -> anyhow::Result<Rules> {
    let seconds = match config::variable(EXTENSION_VARIABLE) {
        Some(text) => {
            text.parse::<u32>().map_err(|error| anyhow::anyhow!("{EXTENSION_VARIABLE}: {error}"))?
        }
        None => 0,
    };
    Ok(Rules { extension: (seconds > 0).then(|| TimeDelta::seconds(i64::from(seconds))) })
}

/// The schema over the service's operations.
pub fn schema(market: Arc<Market>) -> ListingSchema {
    let (db, hub) = (market.db.clone(), market.changes.hub.clone());
    builder().data(db).data(hub).data(market).finish()
}

/// The federation SDL, as composition reads it.
pub fn sdl() -> String {
    kopitiam_kit::graphql::sdl(&builder().finish())
}

fn builder() -> async_graphql::SchemaBuilder<Root, Mutation, Subscription> {
    kopitiam_kit::graphql::schema(Root::default(), Mutation, Subscription)
}
