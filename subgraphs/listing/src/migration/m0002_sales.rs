//! What bidding and selling need: one leader and one waiting bid per person and auction, a price that only rises, one lock
//! per listing, and who is banned.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLES: [&str; 6] = [
    "ALTER TABLE bid ADD COLUMN code TEXT",
    // One bid leads, or has won.
    "CREATE UNIQUE INDEX bid_leader ON bid (listing_id) WHERE status IN ('ACCEPTED', 'WON')",
    // A person's next bid waits until the last one is answered: one hold at a time.
    "CREATE UNIQUE INDEX bid_waiting ON bid (listing_id, bidder_id) WHERE status = 'PENDING'",
    // A row stays for ever: it is what makes a repeated command of an order find its first answer.
    "CREATE TABLE listing_lock (
        order_id UUID_TYPE PRIMARY KEY,
        listing_id UUID_TYPE NOT NULL,
        buyer_id UUID_TYPE,
        state TEXT NOT NULL CHECK (state IN ('HELD', 'RELEASED', 'LAPSED', 'SOLD')),
        until TIME_TYPE,
        currency TEXT,
        price_minor BIGINT CHECK (price_minor > 0),
        CHECK (state = 'RELEASED' OR (buyer_id IS NOT NULL AND until IS NOT NULL AND currency IS NOT NULL AND price_minor IS NOT NULL))
    )",
    // One order holds a listing.
    "CREATE UNIQUE INDEX listing_lock_holder ON listing_lock (listing_id) WHERE state = 'HELD'",
    "CREATE TABLE banned_user (id UUID_TYPE PRIMARY KEY)",
];

/// The price of an auction with bids never falls, and a new leading bid raises it.
const SQLITE_TRIGGER: &str = "CREATE TRIGGER auction_price_rises BEFORE UPDATE OF ask_minor, bid_count ON listing
    WHEN OLD.kind = 'AUCTION' AND OLD.bid_count > 0
        AND (NEW.ask_minor < OLD.ask_minor OR (NEW.bid_count > OLD.bid_count AND NEW.ask_minor = OLD.ask_minor))
    BEGIN SELECT RAISE(ABORT, 'the price of an auction only rises'); END";

const POSTGRES_FUNCTION: &str = "CREATE FUNCTION auction_price_rises() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.kind = 'AUCTION' AND OLD.bid_count > 0
            AND (NEW.ask_minor < OLD.ask_minor OR (NEW.bid_count > OLD.bid_count AND NEW.ask_minor = OLD.ask_minor)) THEN
            RAISE EXCEPTION 'the price of an auction only rises' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$";

const POSTGRES_TRIGGER: &str =
    "CREATE TRIGGER auction_price_rises BEFORE UPDATE OF ask_minor, bid_count ON listing
    FOR EACH ROW EXECUTE FUNCTION auction_price_rises()";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let sqlite = manager.get_database_backend() == sea_orm::DbBackend::Sqlite;
        let (uuid, time) = if sqlite { ("BLOB", "TEXT") } else { ("UUID", "TIMESTAMPTZ") };
        for table in TABLES {
            let statement = table.replace("UUID_TYPE", uuid).replace("TIME_TYPE", time);
            connection.execute_unprepared(&statement).await?;
        }
        let triggers: &[&str] =
            if sqlite { &[SQLITE_TRIGGER] } else { &[POSTGRES_FUNCTION, POSTGRES_TRIGGER] };
        for trigger in triggers {
            connection.execute_unprepared(trigger).await?;
        }
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("bids and locks are never dropped".to_owned()))
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
