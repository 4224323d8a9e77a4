//! Starts the service: database, outbox relay, consumers and GraphQL schema; everything ends with the shutdown token.

use std::sync::Arc;

use async_graphql::{MergedObject, Schema};
use kopitiam_kafka::Topic;
use kopitiam_kit::auth::Verifier;
use kopitiam_kit::config::ServiceConfig;
use kopitiam_kit::consumer::{self, ConsumerConfig};
use kopitiam_kit::live::Hub;
use kopitiam_kit::outbox::relay;
use kopitiam_kit::serve::Endpoint;
use kopitiam_kit::{Db, Service, Tasks};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::graphql::entities::Entities;
use crate::graphql::loaders::Loaders;
use crate::graphql::mutation::Mutation;
use crate::graphql::query::Query;
use crate::graphql::subscription::Subscription;
use crate::migration::Migrator;
use crate::projections::stock::ItemLocks;
use crate::projections::users::Sellers;

/// Root fields and entity resolvers.
#[derive(Default, MergedObject)]
#[graphql(name = "Query")]
pub struct Root(Query, Entities);

/// The service's schema.
pub type ListingSchema = Schema<Root, Mutation, Subscription>;

/// Starts the service; its tasks end when `shutdown` is cancelled.
///
/// # Errors
/// When the database cannot be reached or migrated.
pub async fn start(config: ServiceConfig, shutdown: CancellationToken) -> anyhow::Result<Service> {
    let db = Db::connect(&config.database_url).await?;
    db.migrate::<Migrator>().await?;
    let hub = Hub::default();
    let schema = schema(db.clone(), hub.clone());
    let verifier = Arc::new(Verifier::new(config.auth));
    let loaders_db = db.clone();
    let router = Endpoint::new(schema, verifier, db.clone(), shutdown.clone())
        .per_request(move |request| request.data(Loaders::new(&loaders_db)))
        .router();

    let mut tasks = Tasks::new();
    tasks.spawn("listing relay", relay::run(db.clone(), config.kafka.clone(), shutdown.clone()));
    let group = |name: &str, topic| ConsumerConfig { group: format!("listing.{name}"), topics: vec![topic] };
    let (kafka, users) = (config.kafka.clone(), group("sellers", Topic::UserEvents));
    tasks.spawn("listing sellers", consumer::run(db.clone(), kafka, users, Sellers, shutdown.clone()));
    let stock = group("item-locks", Topic::StockEvents);
    tasks.spawn("listing item locks", consumer::run(db, config.kafka, stock, ItemLocks { hub }, shutdown));
    Ok(Service { router, tasks })
}

/// The schema over a database.
pub fn schema(db: Db, hub: Hub<Uuid>) -> ListingSchema {
    builder().data(db).data(hub).finish()
}

/// The federation SDL, as composition reads it.
pub fn sdl() -> String {
    kopitiam_kit::graphql::sdl(&builder().finish())
}

fn builder() -> async_graphql::SchemaBuilder<Root, Mutation, Subscription> {
    kopitiam_kit::graphql::schema(Root::default(), Mutation, Subscription)
}
