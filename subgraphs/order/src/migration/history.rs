//! What happened to orders and bookings, and invoices, are only written on.

use kopitiam_kit::migrations::append_only;
use sea_orm_migration::prelude::*;

/// Adds the triggers.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0008_history"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["order_event", "booking_event", "invoice"] {
            append_only(manager, table, &[]).await?;
        }
        Ok(())
    }
}
