//! Notifications, and what is remembered of listings, orders and bookings to write them.

use sea_orm_migration::prelude::*;

/// Adds the two tables.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "user_0005_notices"
    }
}

fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(notifications()).await?;
        manager.create_table(notice_subjects()).await?;
        let page = Index::create()
            .name("notifications_user")
            .table("notifications")
            .col("user_id")
            .col("id")
            .to_owned();
        manager.create_index(page).await
    }
}

/// An event gives a person one notification of each kind, whoever consumes it how often.
fn notifications() -> TableCreateStatement {
    Table::create()
        .table("notifications")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(text("kind"))
        .col(text("title"))
        .col(text("body"))
        .col(text("path"))
        .col(uuid("event_id"))
        .col(ColumnDef::new("created_at").timestamp_with_time_zone().not_null())
        .col(ColumnDef::new("read_at").timestamp_with_time_zone())
        .index(Index::create().name("notifications_once").col("event_id").col("user_id").col("kind").unique())
        .to_owned()
}

fn notice_subjects() -> TableCreateStatement {
    Table::create()
        .table("notice_subjects")
        .col(uuid("id").primary_key())
        .col(text("title"))
        .col(ColumnDef::new("seller_id").uuid())
        .col(ColumnDef::new("buyer_id").uuid())
        .col(text("lines"))
        .to_owned()
}
