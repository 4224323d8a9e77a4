//! The order database's schema, in steps that only ever expand.
//!
//! Times are UTC milliseconds and money is minor units, both `BIGINT`: they order and add the same on SQLite and
//! PostgreSQL. Elsewhere: what the columns mean (`store`), the tables of outbox, inbox and sagas (kit).

mod carts;
mod earlier_sagas;
mod history;
mod orders;
mod replicas;
mod reputation;
mod selling;

use kopitiam_kit::migrations::kit_migrations;
use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait};

/// Runs the migrations of this service.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let own: [Box<dyn MigrationTrait>; 7] = [
            Box::new(replicas::Migration),
            Box::new(carts::Migration),
            Box::new(orders::Migration),
            Box::new(reputation::Migration),
            Box::new(selling::Migration),
            Box::new(earlier_sagas::Migration),
            Box::new(history::Migration),
        ];
        kit_migrations().into_iter().chain(kopitiam_kit::saga::migrations()).chain(own).collect()
    }
}
