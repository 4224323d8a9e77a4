//! Carts and their lines.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, pk_uuid, uuid, uuid_null};

/// Adds the tables of this file.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_carts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let carts = Table::create()
            .table("cart")
            .col(pk_uuid("id"))
            // Unique: one cart per person. A guest's cart has no owner, and any number of those may exist.
            .col(uuid_null("owner_id").unique_key())
            .col(big_integer("updated_at_ms"))
            .to_owned();
        manager.create_table(carts).await?;
        let lines = Table::create()
            .table("cart_line")
            .col(pk_uuid("id"))
            .col(uuid("cart_id"))
            .col(uuid("product_id"))
            .col(integer("position"))
            .col(integer("quantity").check(Expr::cust("quantity > 0")))
            .foreign_key(
                ForeignKey::create()
                    .from("cart_line", "cart_id")
                    .to("cart", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(lines).await?;
        let once_per_cart = Index::create()
            .name("cart_line_product")
            .table("cart_line")
            .col("cart_id")
            .col("product_id")
            .unique()
            .to_owned();
        manager.create_index(once_per_cart).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("cart_line").to_owned()).await?;
        manager.drop_table(Table::drop().table("cart").to_owned()).await
    }
}
