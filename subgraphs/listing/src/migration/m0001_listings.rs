//! Listings, bids, and the replicas of sellers and products that events keep.
//!
//! Written as SQL that SQLite and PostgreSQL both take, so that every CHECK and partial index is the same on both.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLES: [&str; 10] = [
    "CREATE TABLE listing (
        id UUID_TYPE PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('AUCTION', 'FIXED_PRICE', 'SERVICE')),
        title TEXT NOT NULL,
        seller_id UUID_TYPE NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'RESERVED', 'SETTLING', 'SOLD', 'CLOSED', 'CANCELLED')),
        currency TEXT NOT NULL,
        ask_minor BIGINT NOT NULL CHECK (ask_minor > 0),
        created_at TIME_TYPE NOT NULL,
        version BIGINT NOT NULL CHECK (version > 0),
        item_id UUID_TYPE,
        start_minor BIGINT CHECK (start_minor > 0),
        reserve_minor BIGINT CHECK (reserve_minor >= start_minor),
        buy_now_minor BIGINT CHECK (buy_now_minor > start_minor),
        ends_at TIME_TYPE,
        bid_count INTEGER NOT NULL DEFAULT 0 CHECK (bid_count >= 0),
        highest_bid_id UUID_TYPE,
        product_id UUID_TYPE,
        quantity INTEGER CHECK (quantity > 0),
        reserved_until TIME_TYPE,
        reserved_by UUID_TYPE,
        locked_by_order UUID_TYPE,
        description TEXT,
        deposit_percent INTEGER CHECK (deposit_percent BETWEEN 0 AND 100),
        duration_minutes INTEGER CHECK (duration_minutes > 0),
        CHECK (kind <> 'AUCTION' OR (item_id IS NOT NULL AND start_minor IS NOT NULL AND ends_at IS NOT NULL)),
        CHECK (kind <> 'FIXED_PRICE' OR quantity IS NOT NULL),
        CHECK (kind <> 'SERVICE' OR (description IS NOT NULL AND deposit_percent IS NOT NULL))
    )",
    // An item is under one open auction at most.
    "CREATE UNIQUE INDEX listing_open_item ON listing (item_id) WHERE status IN ('PENDING', 'ACTIVE', 'SETTLING')",
    "CREATE INDEX listing_by_seller ON listing (seller_id, created_at, id)",
    "CREATE INDEX listing_by_product ON listing (product_id, ask_minor, id)",
    "CREATE INDEX listing_by_status_end ON listing (status, ends_at, id)",
    "CREATE TABLE bid (
        id UUID_TYPE PRIMARY KEY,
        listing_id UUID_TYPE NOT NULL REFERENCES listing (id),
        bidder_id UUID_TYPE NOT NULL,
        currency TEXT NOT NULL,
        amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
        placed_at TIME_TYPE NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('PENDING', 'ACCEPTED', 'OUTBID', 'REJECTED', 'WON'))
    )",
    "CREATE INDEX bid_by_listing ON bid (listing_id, placed_at, id)",
    "CREATE INDEX bid_by_bidder ON bid (bidder_id, placed_at, id)",
    // At most one winner.
    "CREATE UNIQUE INDEX bid_winner ON bid (listing_id) WHERE status = 'WON'",
    "CREATE TABLE seller (id UUID_TYPE PRIMARY KEY, display_name TEXT NOT NULL)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        // SQLite keeps a UUID as 16 bytes and a time as text; PostgreSQL has types of its own.
        let (uuid, time) = match manager.get_database_backend() {
            sea_orm::DbBackend::Sqlite => ("BLOB", "TEXT"),
            _ => ("UUID", "TIMESTAMPTZ"),
        };
        for table in TABLES {
            let statement = table.replace("UUID_TYPE", uuid).replace("TIME_TYPE", time);
            connection.execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["seller", "bid", "listing"] {
            manager.get_connection().execute_unprepared(&format!("DROP TABLE {table}")).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
