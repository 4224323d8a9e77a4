//! A module of its own: it counts what was sold of each product, and needs nothing but the event bus. Who writes another one
//! begins here.
//!
//! In: confirmed orders, from `order.events.v1`. Out: a line per product, the best sold first, whenever one was sold. The
//! table `sold` is its own; the inbox beside it makes each event count once, however often it comes, and the gate keeps the
//! events of one order in their order. `KAFKA_BROKERS=host:port cargo run -p kopitiam-kit --example bestsellers`.

use std::io::Write;
use std::time::Duration;

use kopitiam_kafka::messages::order::OrderEvent;
use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::config::KafkaConfig;
use kopitiam_kit::consumer::{self, ConsumerConfig, HandleError, Handler};
use kopitiam_kit::migrations::kit_migrations;
use kopitiam_kit::{Db, SystemError, Tx, inbox};
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::prelude::*;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Names the consumer group and the inbox.
const NAME: &str = "bestsellers";

/// Counts until `shutdown`.
pub(crate) async fn run(db: Db, kafka: KafkaConfig, shutdown: CancellationToken) -> Result<(), SystemError> {
    db.migrate::<Migrator>().await?;
    let config = ConsumerConfig { group: NAME.to_owned(), topics: vec![Topic::OrderEvents] };
    consumer::run(db, kafka, config, Counter, shutdown).await;
    Ok(())
}

/// Product and how many were sold, the best sold first.
pub(crate) async fn best(db: &Db) -> Result<Vec<(Uuid, i64)>, SystemError> {
    let select = "SELECT product_id, quantity FROM sold ORDER BY quantity DESC, product_id";
    let rows = db.read().query_all_raw(Statement::from_string(db.backend(), select)).await?;
    let read =
        |row: &sea_orm::QueryResult| Ok((row.try_get("", "product_id")?, row.try_get("", "quantity")?));
    rows.iter().map(read).collect::<Result<_, DbErr>>().map_err(SystemError::from)
}

struct Counter;

#[async_trait::async_trait]
impl Handler for Counter {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        if !inbox::gate(tx, NAME, envelope).await?.applies(envelope)? {
            return Ok(());
        }
        // Types that it does not know, such as a newer producer sends, are none of its business.
        let Some(OrderEvent::OrderStatusChanged(changed)) = OrderEvent::decode(envelope)? else {
            return Ok(());
        };
        for line in changed.lines.iter().filter(|_| changed.to == "CONFIRMED") {
            let Some(product) = line.product_id else { continue };
            let add = "INSERT INTO sold (product_id, quantity) VALUES ($1, $2)
                ON CONFLICT (product_id) DO UPDATE SET quantity = sold.quantity + excluded.quantity";
            let values = [product.into(), line.quantity.into()];
            tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), add, values)).await?;
        }
        Ok(())
    }
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations().into_iter().chain([Box::new(Sold) as Box<dyn MigrationTrait>]).collect()
    }
}

struct Sold;

impl MigrationName for Sold {
    fn name(&self) -> &'static str {
        "m0001_sold"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Sold {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sold")
            .col(ColumnDef::new("product_id").uuid().not_null().primary_key())
            .col(ColumnDef::new("quantity").big_integer().not_null())
            .to_owned();
        manager.create_table(table).await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let db = Db::connect("sqlite://bestsellers.db").await?;
    let (kafka, shutdown) = (KafkaConfig::from_env(NAME)?, CancellationToken::new());
    let counting = tokio::spawn(run(db.clone(), kafka, shutdown.clone()));
    let mut told = Vec::new();
    while shutdown.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
        // The table is there once the counting has begun.
        let now = best(&db).await.unwrap_or_default();
        if now != told {
            for (product, quantity) in &now {
                writeln!(std::io::stdout(), "{quantity:>6} {product}")?;
            }
            told = now;
        }
        if counting.is_finished() {
            shutdown.cancel();
        }
    }
    Ok(counting.await??)
}
