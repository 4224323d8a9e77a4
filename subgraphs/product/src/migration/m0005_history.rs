//! Who owned an item, and why stock was changed by hand, is only written on.

use kopitiam_kit::migrations::append_only;
use sea_orm_migration::prelude::*;

/// Adds the triggers.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "product_0005_history"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        append_only(manager, "item_transfers", &[]).await?;
        append_only(manager, "stock_adjustments", &[]).await
    }
}
