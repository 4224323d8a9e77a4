//! Stock, reservations, adjustments and items, with the constraint that keeps invariant I3.

use sea_orm_migration::prelude::*;

use super::{at, big, integer, text, uuid};

/// Creates the stock and item tables.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "product_0002_stock"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            stock(),
            reservations(),
            reservation_lines(),
            restocks(),
            adjustments(),
            items(),
            item_transfers(),
        ] {
            manager.create_table(table).await?;
        }
        let indexes = [
            Index::create()
                .name("reservations_expiry")
                .table("reservations")
                .col("status")
                .col("expires_at")
                .to_owned(),
            Index::create()
                .name("adjustments_product")
                .table("stock_adjustments")
                .col("product_id")
                .to_owned(),
            Index::create().name("items_owner").table("items").col("owner_id").col("id").to_owned(),
            Index::create().name("item_transfers_item").table("item_transfers").col("item_id").to_owned(),
        ];
        for index in indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// Apart from `products`, so that orders and catalogue edits do not wait for the same row.
fn stock() -> TableCreateStatement {
    Table::create()
        .table("stock")
        .col(uuid("product_id").primary_key())
        .col(big("on_hand"))
        .col(big("reserved"))
        .col(integer("version"))
        .foreign_key(ForeignKey::create().from("stock", "product_id").to("products", "id"))
        .check(Expr::col("reserved").gte(0))
        .check(Expr::col("reserved").lte(Expr::col("on_hand")))
        .to_owned()
}

/// `id` is the order's.
fn reservations() -> TableCreateStatement {
    Table::create()
        .table("reservations")
        .col(uuid("id").primary_key())
        .col(text("status").check(Expr::col("status").is_in([
            "RESERVED",
            "REJECTED",
            "RELEASED",
            "COMMITTED",
        ])))
        .col(ColumnDef::new("expires_at").timestamp_with_time_zone())
        .col(at("created_at"))
        .col(ColumnDef::new("resolved_at").timestamp_with_time_zone())
        .to_owned()
}

fn reservation_lines() -> TableCreateStatement {
    Table::create()
        .table("reservation_lines")
        .col(uuid("reservation_id"))
        .col(uuid("product_id"))
        .col(big("quantity").check(Expr::col("quantity").gt(0)))
        .col(big("restocked").check(Expr::col("restocked").gte(0)))
        .primary_key(Index::create().col("reservation_id").col("product_id"))
        .foreign_key(
            ForeignKey::create().from("reservation_lines", "reservation_id").to("reservations", "id"),
        )
        .foreign_key(ForeignKey::create().from("reservation_lines", "product_id").to("products", "id"))
        .check(Expr::col("restocked").lte(Expr::col("quantity")))
        .to_owned()
}

/// Which restocks were done: the command carries no id of its own, its saga's stands for it.
fn restocks() -> TableCreateStatement {
    Table::create()
        .table("restocks")
        .col(uuid("reservation_id"))
        .col(uuid("saga_id"))
        .primary_key(Index::create().col("reservation_id").col("saga_id"))
        .foreign_key(ForeignKey::create().from("restocks", "reservation_id").to("reservations", "id"))
        .to_owned()
}

fn adjustments() -> TableCreateStatement {
    Table::create()
        .table("stock_adjustments")
        .col(uuid("id").primary_key())
        .col(uuid("product_id"))
        .col(big("delta"))
        .col(text("reason"))
        .col(ColumnDef::new("actor_id").uuid())
        .col(at("at"))
        .foreign_key(ForeignKey::create().from("stock_adjustments", "product_id").to("products", "id"))
        .to_owned()
}

/// A deleted item keeps its row: its history and old listings refer to it.
fn items() -> TableCreateStatement {
    Table::create()
        .table("items")
        .col(uuid("id").primary_key())
        .col(text("title"))
        .col(ColumnDef::new("image_url").text())
        .col(uuid("owner_id"))
        .col(ColumnDef::new("locked_by").uuid())
        .col(integer("version"))
        .col(ColumnDef::new("deleted_at").timestamp_with_time_zone())
        .to_owned()
}

fn item_transfers() -> TableCreateStatement {
    Table::create()
        .table("item_transfers")
        .col(uuid("id").primary_key())
        .col(uuid("item_id"))
        .col(ColumnDef::new("from_id").uuid())
        .col(uuid("to_id"))
        .col(at("at"))
        .foreign_key(ForeignKey::create().from("item_transfers", "item_id").to("items", "id"))
        .to_owned()
}
