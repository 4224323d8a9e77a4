//! The product database's schema, the same for SQLite and PostgreSQL. Kit's own tables (outbox, inbox, idempotency)
//! are added by `app.rs`.

mod m0001_catalogue;
mod m0002_stock;
mod m0003_item_locks;
mod m0004_words;
mod m0005_history;

use sea_orm_migration::prelude::*;

/// This service's migrations in order.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m0001_catalogue::Migration),
        Box::new(m0002_stock::Migration),
        Box::new(m0003_item_locks::Migration),
        Box::new(m0004_words::Migration),
        Box::new(m0005_history::Migration),
    ]
}

fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

fn integer(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).integer().not_null().to_owned()
}

fn big(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn at(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().not_null().to_owned()
}
