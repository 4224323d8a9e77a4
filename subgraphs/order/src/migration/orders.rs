//! Orders with their lines, history and invoices, and the counters that number invoices without a gap.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, pk_uuid, string, string_null, text_null, uuid, uuid_null,
};

/// Adds the tables of this file.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_orders"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [orders(), lines(), history(), invoices(), counters()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["counter", "invoice", "order_event", "order_line", "orders"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn orders() -> TableCreateStatement {
    Table::create()
        .table("orders")
        .col(pk_uuid("id"))
        .col(string("number").unique_key())
        .col(string("kind"))
        .col(string("status"))
        .col(string_null("status_reason"))
        .col(uuid("buyer_id"))
        .col(string("currency"))
        .col(big_integer("subtotal_minor").check(Expr::cust("subtotal_minor >= 0")))
        .col(big_integer("fee_minor").check(Expr::cust("fee_minor >= 0")))
        .col(big_integer("total_minor").check(Expr::cust("total_minor >= 0")))
        .col(big_integer("placed_at_ms"))
        .col(big_integer_null("expires_at_ms"))
        .col(big_integer("version"))
        .to_owned()
}

fn lines() -> TableCreateStatement {
    Table::create()
        .table("order_line")
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(integer("position"))
        .col(string("title"))
        .col(uuid_null("product_id"))
        .col(uuid_null("listing_id"))
        .col(uuid_null("seller_id"))
        .col(integer("quantity").check(Expr::cust("quantity > 0")))
        .col(big_integer("unit_price_minor").check(Expr::cust("unit_price_minor >= 0")))
        .col(big_integer("line_total_minor").check(Expr::cust("line_total_minor >= 0")))
        .col(big_integer("fee_minor").check(Expr::cust("fee_minor >= 0")))
        .foreign_key(&mut owner("order_line"))
        .to_owned()
}

fn history() -> TableCreateStatement {
    Table::create()
        .table("order_event")
        .col(pk_uuid("id"))
        .col(uuid("order_id"))
        .col(big_integer("version"))
        .col(big_integer("at_ms"))
        .col(string("status"))
        .col(string("actor"))
        .col(text_null("note"))
        .foreign_key(&mut owner("order_event"))
        .to_owned()
}

fn invoices() -> TableCreateStatement {
    Table::create()
        .table("invoice")
        .col(pk_uuid("id"))
        // Unique: an order has at most one invoice (I10).
        .col(uuid("order_id").unique_key())
        .col(string("number").unique_key())
        .col(integer("year"))
        .col(big_integer("sequence"))
        .col(big_integer("issued_at_ms"))
        .col(big_integer("total_minor"))
        .col(string("currency"))
        .foreign_key(&mut owner("invoice"))
        .to_owned()
}

fn counters() -> TableCreateStatement {
    Table::create().table("counter").col(string("name").primary_key()).col(big_integer("value")).to_owned()
}

fn owner(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, "order_id").to("orders", "id").to_owned()
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        Index::create().name("orders_buyer").table("orders").col("buyer_id").col("id").to_owned(),
        Index::create().name("orders_placed").table("orders").col("placed_at_ms").to_owned(),
        Index::create().name("order_line_order").table("order_line").col("order_id").to_owned(),
        Index::create().name("order_line_seller").table("order_line").col("seller_id").to_owned(),
        Index::create().name("order_line_listing").table("order_line").col("listing_id").to_owned(),
        // Unique: each status change has a version of its own.
        Index::create()
            .name("order_event_version")
            .table("order_event")
            .col("order_id")
            .col("version")
            .unique()
            .to_owned(),
        Index::create()
            .name("invoice_sequence")
            .table("invoice")
            .col("year")
            .col("sequence")
            .unique()
            .to_owned(),
    ]
}
