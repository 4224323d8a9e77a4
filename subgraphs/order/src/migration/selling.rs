//! Copies of listings, lines that are handed over and refunded one by one, bookings with escrow, ratings.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, pk_uuid, string, text_null, uuid, uuid_null,
};

/// Adds the tables and columns of this file.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0006_selling"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [listings(), booking_events(), ratings(), secrets()] {
            manager.create_table(table).await?;
        }
        for (table, column) in columns() {
            let add = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(add).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        let stars = "INSERT INTO rating (subject, subject_id, count, sum) \
            SELECT subject, subject_id, COUNT(*), SUM(rating) FROM review GROUP BY subject, subject_id";
        manager.get_connection().execute_unprepared(stars).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("bookings and refunds are never dropped".to_owned()))
    }
}

fn listings() -> TableCreateStatement {
    Table::create()
        .table("listing_replica")
        .col(pk_uuid("listing_id"))
        .col(string("kind"))
        .col(string("title"))
        .col(uuid("seller_id"))
        .col(string("status"))
        .col(big_integer("price_minor"))
        .col(string("currency"))
        .col(integer("deposit_percent"))
        .to_owned()
}

fn booking_events() -> TableCreateStatement {
    Table::create()
        .table("booking_event")
        .col(pk_uuid("id"))
        .col(uuid("booking_id"))
        .col(big_integer("version"))
        .col(big_integer("at_ms"))
        .col(string("state"))
        .col(string("actor"))
        .col(text_null("note"))
        .foreign_key(ForeignKey::create().from("booking_event", "booking_id").to("booking", "id"))
        .to_owned()
}

/// Number and sum of the stars of each subject: read at once, and changed by whoever adds a review, one after another.
fn ratings() -> TableCreateStatement {
    Table::create()
        .table("rating")
        .col(string("subject"))
        .col(uuid("subject_id"))
        .col(big_integer("count").check(Expr::cust("count > 0")))
        .col(big_integer("sum"))
        .primary_key(Index::create().col("subject").col("subject_id"))
        .to_owned()
}

/// Keys that this service makes for itself at its first start; all its processes share them.
fn secrets() -> TableCreateStatement {
    Table::create().table("secret").col(string("name").primary_key()).col(string("value")).to_owned()
}

fn columns() -> Vec<(&'static str, ColumnDef)> {
    let line_status = "status IN ('OPEN', 'FULFILLED', 'REFUNDING', 'REFUNDED')";
    vec![
        ("orders", uuid_null("hold_id")),
        ("orders", big_integer_null("settled_at_ms")),
        ("order_line", string("status").default("OPEN").check(Expr::cust(line_status)).to_owned()),
        // The refund that claimed the line: a line has at most one.
        ("order_line", uuid_null("refund_id")),
        ("booking", string("title").default("").to_owned()),
        ("booking", text_null("note")),
        // Never more than was paid in, never less than nothing (I2, I9).
        (
            "booking",
            big_integer("escrow_minor")
                .default(0)
                .check(Expr::cust("escrow_minor >= 0 AND escrow_minor <= deposit_minor"))
                .to_owned(),
        ),
        ("booking", big_integer_null("starts_at_ms")),
        ("booking", big_integer("created_at_ms").default(0).to_owned()),
        ("booking", big_integer("state_since_ms").default(0).to_owned()),
        ("booking", big_integer_null("reminded_at_ms")),
        ("booking", big_integer_null("due_at_ms")),
        // The order line or booking that gives the right to the review.
        ("review", uuid_null("source_id")),
    ]
}

fn indexes() -> Vec<IndexCreateStatement> {
    let index = |name: &str, table: &'static str, columns: &[&'static str]| {
        let mut index = Index::create();
        index.name(name).table(table);
        for column in columns {
            index.col(*column);
        }
        index
    };
    vec![
        index("orders_buyer_placed", "orders", &["buyer_id", "placed_at_ms", "id"]),
        index("booking_buyer_created", "booking", &["buyer_id", "created_at_ms", "id"]),
        index("booking_seller_created", "booking", &["seller_id", "created_at_ms", "id"]),
        // Timers are the bookings' own rows: what is due next is at the front.
        index("booking_due", "booking", &["due_at_ms"]),
        index("review_subject_created", "review", &["subject", "subject_id", "created_at_ms", "id"]),
        index("cart_updated", "cart", &["updated_at_ms"]),
        index("booking_event_version", "booking_event", &["booking_id", "version"]).unique().to_owned(),
        // One review per order line or booking, subject and author.
        index("review_once", "review", &["source_id", "subject", "author_id"]).unique().to_owned(),
    ]
}
