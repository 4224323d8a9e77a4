//! Top-ups by a payment provider, and which of its messages were heard.

use sea_orm_migration::prelude::*;

/// Adds the two tables.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "user_0006_top_ups"
    }
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

fn at(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().not_null().to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let top_ups = Table::create()
            .table("top_ups")
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("amount").big_integer().not_null().check(Expr::col("amount").gt(0)))
            .col(text("currency"))
            .col(text("status").check(Expr::col("status").is_in(["PENDING", "SUCCEEDED", "FAILED"])))
            .col(ColumnDef::new("payment_id").text().unique_key())
            .col(ColumnDef::new("url").text())
            .col(at("created_at"))
            .col(at("updated_at"))
            .foreign_key(ForeignKey::create().from("top_ups", "user_id").to("users", "id"))
            .to_owned();
        manager.create_table(top_ups).await?;
        let heard = Table::create()
            .table("payment_events")
            .col(text("event_id").primary_key())
            .col(at("heard_at"))
            .to_owned();
        manager.create_table(heard).await?;
        let pending = Index::create()
            .name("top_ups_pending")
            .table("top_ups")
            .col("status")
            .col("created_at")
            .to_owned();
        manager.create_index(pending).await
    }
}
