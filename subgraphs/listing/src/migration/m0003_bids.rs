//! Of a bid only its status moves, and no bid goes; and what labels of bidders are made with.

use kopitiam_kit::migrations::append_only;
use sea_orm_migration::prelude::*;

/// Adds the triggers and the table of secrets.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_bids"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let secrets = Table::create()
            .table("secret")
            .col(ColumnDef::new("name").text().not_null().primary_key())
            .col(ColumnDef::new("value").text().not_null())
            .to_owned();
        manager.create_table(secrets).await?;
        append_only(
            manager,
            "bid",
            &["id", "listing_id", "bidder_id", "currency", "amount_minor", "placed_at"],
        )
        .await
    }
}
