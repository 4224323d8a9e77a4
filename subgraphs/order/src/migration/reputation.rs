//! Reviews and bookings.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, pk_uuid, string, text_null, uuid, uuid_null,
};

/// Adds the tables of this file.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0005_reputation"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(reviews()).await?;
        manager.create_table(bookings()).await?;
        for index in [
            Index::create()
                .name("review_subject")
                .table("review")
                .col("subject")
                .col("subject_id")
                .to_owned(),
            Index::create().name("booking_buyer").table("booking").col("buyer_id").to_owned(),
            Index::create().name("booking_seller").table("booking").col("seller_id").to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("booking").to_owned()).await?;
        manager.drop_table(Table::drop().table("review").to_owned()).await
    }
}

fn reviews() -> TableCreateStatement {
    Table::create()
        .table("review")
        .col(pk_uuid("id"))
        // PRODUCT, SELLER or BUYER, and the id of that.
        .col(string("subject"))
        .col(uuid("subject_id"))
        .col(uuid("author_id"))
        .col(uuid_null("order_id"))
        .col(integer("rating").check(Expr::cust("rating BETWEEN 1 AND 5")))
        .col(text_null("body"))
        .col(big_integer("created_at_ms"))
        .to_owned()
}

fn bookings() -> TableCreateStatement {
    Table::create()
        .table("booking")
        .col(pk_uuid("id"))
        .col(uuid("listing_id"))
        .col(uuid("buyer_id"))
        .col(uuid("seller_id"))
        .col(string("state"))
        .col(string("currency"))
        .col(big_integer("price_minor").check(Expr::cust("price_minor >= 0")))
        .col(
            big_integer("deposit_minor")
                .check(Expr::cust("deposit_minor >= 0 AND deposit_minor <= price_minor")),
        )
        .col(boolean("deposit_paid"))
        .col(big_integer_null("seller_confirmed_at_ms"))
        .col(big_integer_null("buyer_confirmed_at_ms"))
        .col(big_integer_null("auto_confirm_at_ms"))
        .col(big_integer("version"))
        .to_owned()
}
