//! The ledger: accounts, transactions, postings and holds, with the constraints that keep invariants I1 and I2.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::prelude::*;

/// Creates the ledger tables, their CHECKs and triggers.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "user_0002_ledger"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [accounts(), ledger_transactions(), postings(), holds(), payments()] {
            manager.create_table(table).await?;
        }
        let indexes = [
            Index::create().name("postings_account").table("postings").col("account_id").col("id").to_owned(),
            Index::create().name("postings_transaction").table("postings").col("transaction_id").to_owned(),
            Index::create().name("holds_expiry").table("holds").col("status").col("expires_at").to_owned(),
            // A cause has one transaction of each kind: a repeated command cannot move money twice.
            Index::create()
                .name("ledger_transactions_cause")
                .table("ledger_transactions")
                .col("kind")
                .col("cause_id")
                .unique()
                .to_owned(),
        ];
        for index in indexes {
            manager.create_index(index).await?;
        }
        let connection = manager.get_connection();
        let statements = match connection.get_database_backend() {
            DbBackend::Sqlite => SQLITE_TRIGGERS,
            _ => POSTGRES_TRIGGERS,
        };
        for statement in statements {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

fn minor(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn at(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().not_null().to_owned()
}

/// `owner_id` is the nil UUID for the platform's accounts, so that the unique key covers them too.
fn accounts() -> TableCreateStatement {
    Table::create()
        .table("accounts")
        .col(uuid("id").primary_key())
        .col(uuid("owner_id"))
        .col(text("kind"))
        .col(text("currency"))
        .col(minor("balance"))
        .index(Index::create().name("accounts_owner").col("owner_id").col("kind").col("currency").unique())
        .check(Expr::col("kind").is_not_in(["AVAILABLE", "HELD", "ESCROW"]).or(Expr::col("balance").gte(0)))
        .check(Expr::col("kind").ne("ISSUANCE").or(Expr::col("balance").lte(0)))
        .to_owned()
}

fn ledger_transactions() -> TableCreateStatement {
    Table::create()
        .table("ledger_transactions")
        .col(uuid("id").primary_key())
        .col(text("kind"))
        .col(uuid("cause_id"))
        .col(text("reference"))
        .col(text("currency"))
        .col(at("at"))
        .to_owned()
}

fn postings() -> TableCreateStatement {
    Table::create()
        .table("postings")
        .col(uuid("id").primary_key())
        .col(uuid("transaction_id"))
        .col(uuid("account_id"))
        .col(text("kind"))
        .col(minor("amount").check(Expr::col("amount").ne(0)))
        .col(minor("balance_after"))
        .foreign_key(ForeignKey::create().from("postings", "transaction_id").to("ledger_transactions", "id"))
        .foreign_key(ForeignKey::create().from("postings", "account_id").to("accounts", "id"))
        .to_owned()
}

/// One row per hold; its id is the primary key and `status` leaves `HELD` once, by a conditional update.
fn holds() -> TableCreateStatement {
    Table::create()
        .table("holds")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(minor("amount").check(Expr::col("amount").gte(0)))
        .col(text("currency"))
        .col(text("reason"))
        .col(text("status").check(Expr::col("status").is_in(["HELD", "REJECTED", "RELEASED", "CAPTURED"])))
        .col(ColumnDef::new("code").text())
        .col(ColumnDef::new("expires_at").timestamp_with_time_zone())
        .col(at("created_at"))
        .col(ColumnDef::new("resolved_at").timestamp_with_time_zone())
        .to_owned()
}

/// What each receiver got of a captured hold and has given back since: a refund never exceeds it.
fn payments() -> TableCreateStatement {
    Table::create()
        .table("payments")
        .col(uuid("hold_id"))
        .col(uuid("receiver_id"))
        .col(minor("amount").check(Expr::col("amount").gt(0)))
        .col(minor("refunded").check(Expr::col("refunded").gte(0)))
        .primary_key(Index::create().col("hold_id").col("receiver_id"))
        .foreign_key(ForeignKey::create().from("payments", "hold_id").to("holds", "id"))
        .check(Expr::col("refunded").lte(Expr::col("amount")))
        .to_owned()
}

/// SQLite has no deferred constraint trigger: balance is checked in `Transaction::new` and by
/// `store::ledger::audit`; here the books are only made append-only.
const SQLITE_TRIGGERS: &[&str] = &[
    "CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END",
    "CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END",
    "CREATE TRIGGER ledger_transactions_no_update BEFORE UPDATE ON ledger_transactions BEGIN SELECT RAISE(ABORT, 'ledger transactions are append-only'); END",
    "CREATE TRIGGER ledger_transactions_no_delete BEFORE DELETE ON ledger_transactions BEGIN SELECT RAISE(ABORT, 'ledger transactions are append-only'); END",
];

const POSTGRES_TRIGGERS: &[&str] = &[
    "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
    "CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE ON postings
     FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER ledger_transactions_append_only BEFORE UPDATE OR DELETE ON ledger_transactions
     FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE FUNCTION check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       IF (SELECT COALESCE(SUM(amount), 0) FROM postings WHERE transaction_id = NEW.transaction_id) <> 0 THEN
         RAISE EXCEPTION 'ledger transaction % does not balance', NEW.transaction_id;
       END IF;
       RETURN NULL;
     END $$",
    "CREATE CONSTRAINT TRIGGER postings_balanced AFTER INSERT ON postings
     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_balanced()",
];
