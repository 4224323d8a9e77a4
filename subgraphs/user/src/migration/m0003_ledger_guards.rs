//! The ledger's rules as the database's own: every transaction balances and is closed, what is written stays, a hold
//! is resolved once; and escrows with their CHECK.
//!
//! How a transaction is closed: its legs refer to a seal by a foreign key that is checked at commit; a seal is refused
//! over legs that do not sum to zero, and a leg is refused under a seal. So no commit leaves an unbalanced transaction,
//! on SQLite, which has no deferred triggers, as on PostgreSQL.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::prelude::*;

/// Adds seals, escrows and the triggers.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "user_0003_ledger_guards"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(ledger_seals()).await?;
        manager.create_table(escrows()).await?;
        let connection = manager.get_connection();
        let statements = match connection.get_database_backend() {
            DbBackend::Sqlite => SQLITE,
            _ => POSTGRES,
        };
        for statement in statements {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

fn ledger_seals() -> TableCreateStatement {
    Table::create()
        .table("ledger_seals")
        .col(ColumnDef::new("transaction_id").uuid().not_null().primary_key())
        .foreign_key(
            ForeignKey::create().from("ledger_seals", "transaction_id").to("ledger_transactions", "id"),
        )
        .to_owned()
}

/// One row per booking: the payer's money that waits for both sides, and how much of it has left.
fn escrows() -> TableCreateStatement {
    Table::create()
        .table("escrows")
        .col(ColumnDef::new("reference").uuid().not_null().primary_key())
        .col(ColumnDef::new("payer_id").uuid().not_null())
        .col(ColumnDef::new("currency").text().not_null())
        .col(ColumnDef::new("amount").big_integer().not_null().check(Expr::col("amount").gt(0)))
        .col(ColumnDef::new("paid_out").big_integer().not_null().check(Expr::col("paid_out").gte(0)))
        .col(ColumnDef::new("created_at").timestamp_with_time_zone().not_null())
        .check(Expr::col("paid_out").lte(Expr::col("amount")))
        .to_owned()
}

/// `INSERT OR REPLACE` deletes without a delete trigger, so inserts over a row that is there are refused as well.
const SQLITE: &[&str] = &[
    "INSERT INTO ledger_seals (transaction_id) SELECT id FROM ledger_transactions",
    // A foreign key cannot be added to a table that is there: it is made anew, with its rows.
    "CREATE TABLE postings_new (
        id uuid_text NOT NULL PRIMARY KEY,
        transaction_id uuid_text NOT NULL REFERENCES ledger_transactions (id),
        account_id uuid_text NOT NULL REFERENCES accounts (id),
        kind text NOT NULL,
        amount bigint NOT NULL CHECK (amount <> 0),
        balance_after bigint NOT NULL,
        FOREIGN KEY (transaction_id) REFERENCES ledger_seals (transaction_id) DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO postings_new SELECT id, transaction_id, account_id, kind, amount, balance_after FROM postings",
    "DROP TABLE postings",
    "ALTER TABLE postings_new RENAME TO postings",
    "CREATE INDEX postings_account ON postings (account_id, id)",
    "CREATE INDEX postings_transaction ON postings (transaction_id)",
    "CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END",
    "CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END",
    "CREATE TRIGGER postings_no_late BEFORE INSERT ON postings
     WHEN EXISTS (SELECT 1 FROM ledger_seals WHERE transaction_id = NEW.transaction_id)
       OR EXISTS (SELECT 1 FROM postings WHERE id = NEW.id)
     BEGIN SELECT RAISE(ABORT, 'the ledger transaction is closed'); END",
    "CREATE TRIGGER ledger_seals_balanced BEFORE INSERT ON ledger_seals
     WHEN COALESCE((SELECT SUM(amount) FROM postings WHERE transaction_id = NEW.transaction_id), 1) <> 0
       OR EXISTS (SELECT 1 FROM ledger_seals WHERE transaction_id = NEW.transaction_id)
     BEGIN SELECT RAISE(ABORT, 'the ledger transaction does not balance'); END",
    "CREATE TRIGGER ledger_seals_no_update BEFORE UPDATE ON ledger_seals BEGIN SELECT RAISE(ABORT, 'ledger seals are append-only'); END",
    "CREATE TRIGGER ledger_seals_no_delete BEFORE DELETE ON ledger_seals BEGIN SELECT RAISE(ABORT, 'ledger seals are append-only'); END",
    "CREATE TRIGGER ledger_transactions_no_replace BEFORE INSERT ON ledger_transactions
     WHEN EXISTS (SELECT 1 FROM ledger_transactions WHERE id = NEW.id)
     BEGIN SELECT RAISE(ABORT, 'ledger transactions are append-only'); END",
    "CREATE TRIGGER accounts_keep_their_owner BEFORE UPDATE OF id, owner_id, kind, currency ON accounts
     BEGIN SELECT RAISE(ABORT, 'an account keeps its owner, kind and currency'); END",
    "CREATE TRIGGER accounts_no_delete BEFORE DELETE ON accounts BEGIN SELECT RAISE(ABORT, 'accounts are not deleted'); END",
    "CREATE TRIGGER holds_resolve_once BEFORE UPDATE ON holds
     WHEN NEW.id <> OLD.id OR NEW.user_id <> OLD.user_id OR NEW.amount <> OLD.amount OR NEW.currency <> OLD.currency
       OR (NEW.status <> OLD.status
         AND NOT (OLD.status = 'HELD' AND NEW.status IN ('RELEASED', 'CAPTURED'))
         AND NOT (OLD.status = 'RELEASED' AND COALESCE(OLD.code, '') = 'EXPIRED' AND NEW.status = 'HELD'))
     BEGIN SELECT RAISE(ABORT, 'a hold is resolved once'); END",
    "CREATE TRIGGER holds_no_delete BEFORE DELETE ON holds BEGIN SELECT RAISE(ABORT, 'holds are not deleted'); END",
];

const POSTGRES: &[&str] = &[
    "INSERT INTO ledger_seals (transaction_id) SELECT id FROM ledger_transactions",
    "ALTER TABLE postings ADD CONSTRAINT postings_sealed FOREIGN KEY (transaction_id)
     REFERENCES ledger_seals (transaction_id) DEFERRABLE INITIALLY DEFERRED",
    // The seal checks once what this checked for every leg.
    "DROP TRIGGER postings_balanced ON postings",
    "DROP FUNCTION check_balanced()",
    "CREATE FUNCTION refuse_late_posting() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       IF EXISTS (SELECT 1 FROM ledger_seals WHERE transaction_id = NEW.transaction_id) THEN
         RAISE EXCEPTION 'the ledger transaction is closed';
       END IF;
       RETURN NEW;
     END $$",
    "CREATE TRIGGER postings_no_late BEFORE INSERT ON postings
     FOR EACH ROW EXECUTE FUNCTION refuse_late_posting()",
    "CREATE FUNCTION check_seal() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       IF COALESCE((SELECT SUM(amount) FROM postings WHERE transaction_id = NEW.transaction_id), 1) <> 0 THEN
         RAISE EXCEPTION 'the ledger transaction does not balance';
       END IF;
       RETURN NEW;
     END $$",
    "CREATE TRIGGER ledger_seals_balanced BEFORE INSERT ON ledger_seals
     FOR EACH ROW EXECUTE FUNCTION check_seal()",
    "CREATE TRIGGER ledger_seals_append_only BEFORE UPDATE OR DELETE ON ledger_seals
     FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER postings_no_truncate BEFORE TRUNCATE ON postings
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER ledger_transactions_no_truncate BEFORE TRUNCATE ON ledger_transactions
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE FUNCTION refuse_new_owner() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'an account keeps its owner, kind and currency'; END $$",
    "CREATE TRIGGER accounts_keep_their_owner BEFORE UPDATE OF id, owner_id, kind, currency ON accounts
     FOR EACH ROW EXECUTE FUNCTION refuse_new_owner()",
    "CREATE TRIGGER accounts_no_delete BEFORE DELETE ON accounts
     FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE FUNCTION check_hold_resolution() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       IF NEW.id <> OLD.id OR NEW.user_id <> OLD.user_id OR NEW.amount <> OLD.amount OR NEW.currency <> OLD.currency
         OR (NEW.status <> OLD.status
           AND NOT (OLD.status = 'HELD' AND NEW.status IN ('RELEASED', 'CAPTURED'))
           AND NOT (OLD.status = 'RELEASED' AND COALESCE(OLD.code, '') = 'EXPIRED' AND NEW.status = 'HELD')) THEN
         RAISE EXCEPTION 'a hold is resolved once';
       END IF;
       RETURN NEW;
     END $$",
    "CREATE TRIGGER holds_resolve_once BEFORE UPDATE ON holds
     FOR EACH ROW EXECUTE FUNCTION check_hold_resolution()",
    "CREATE TRIGGER holds_no_delete BEFORE DELETE ON holds
     FOR EACH ROW EXECUTE FUNCTION refuse_change()",
];
