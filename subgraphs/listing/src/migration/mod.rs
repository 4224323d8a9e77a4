//! The service's tables, in order; the kit's own tables come first.
//!
//! The only source of the schema. A migration that shipped is never edited: the next one changes it.

mod m0001_listings;
mod m0002_sales;
mod m0003_bids;

use sea_orm_migration::{MigrationTrait, MigratorTrait, async_trait};

/// Applies every migration of this service.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = kopitiam_kit::migrations::kit_migrations();
        migrations.push(Box::new(m0001_listings::Migration));
        migrations.extend(kopitiam_kit::saga::migrations());
        migrations.push(Box::new(kopitiam_kit::timers::TimerTable));
        migrations.push(Box::new(m0002_sales::Migration));
        migrations.push(Box::new(m0003_bids::Migration));
        migrations
    }
}
