//! Locks of items that run out by themselves, and who held them last: no lock without a living listing.

use sea_orm_migration::prelude::*;

/// Adds the columns.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "product_0003_item_locks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ColumnDef::new("locked_until").timestamp_with_time_zone().to_owned(),
            // The listing whose lock ran out: its sale may still come, and finds the item free.
            ColumnDef::new("freed_from").uuid().to_owned(),
        ];
        for column in columns {
            manager.alter_table(Table::alter().table("items").add_column(column).to_owned()).await?;
        }
        let due = Index::create().name("items_locked_until").table("items").col("locked_until").to_owned();
        manager.create_index(due).await
    }
}
