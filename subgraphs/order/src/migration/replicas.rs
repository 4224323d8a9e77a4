//! Copies of what other services announce: products, their stock, users. Written by `projections` only.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, pk_uuid, string, string_null, uuid_null};

/// Adds the tables of this file.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0002_replicas"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let products = Table::create()
            .table("product_replica")
            .col(pk_uuid("product_id"))
            .col(string("name"))
            .col(big_integer("price_minor"))
            .col(string("currency"))
            .col(uuid_null("seller_id"))
            .col(boolean("archived"))
            .col(big_integer("version"))
            .to_owned();
        manager.create_table(products).await?;
        let stock = Table::create()
            .table("stock_replica")
            .col(pk_uuid("product_id"))
            .col(big_integer("on_hand"))
            .col(big_integer("reserved"))
            .col(big_integer("version"))
            .to_owned();
        manager.create_table(stock).await?;
        let users = Table::create()
            .table("user_replica")
            .col(pk_uuid("user_id"))
            .col(string_null("username"))
            .col(boolean("banned"))
            .col(big_integer("version"))
            .to_owned();
        manager.create_table(users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["user_replica", "stock_replica", "product_replica"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
