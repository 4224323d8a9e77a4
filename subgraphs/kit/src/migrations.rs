//! The kit's own tables, for every service's migrator to begin with:
//! `fn migrations() -> Vec<Box<dyn MigrationTrait>> { kit_migrations().into_iter().chain([…]).collect() }`.
//!
//! Here too: [`append_only`], for tables of a service whose rows are its history. Elsewhere: the saga and timer tables,
//! which only services with sagas have.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::prelude::*;

/// The kit's migrations, oldest first.
pub fn kit_migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Messaging), Box::new(Parking), Box::new(Claims), Box::new(History)]
}

/// Has the database itself refuse to delete rows of the table, and to change these columns of them (all when none is
/// named). The table's key is `id`.
///
/// # Errors
/// The database's refusal.
pub async fn append_only(manager: &SchemaManager<'_>, table: &str, kept: &[&str]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let of = if kept.is_empty() { String::new() } else { format!(" OF {}", kept.join(", ")) };
    let statements = if connection.get_database_backend() == DbBackend::Postgres {
        let refuse = "EXECUTE FUNCTION kit_refuse_change()";
        vec![
            "CREATE OR REPLACE FUNCTION kit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
                .to_owned(),
            format!("CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW {refuse}"),
            format!("CREATE TRIGGER {table}_as_written BEFORE UPDATE{of} ON {table} FOR EACH ROW {refuse}"),
            format!(
                "CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}"
            ),
        ]
    } else {
        let refuse = format!("BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END");
        // `INSERT OR REPLACE` deletes without a delete trigger.
        let again = format!("WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)");
        vec![
            format!("CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {refuse}"),
            format!("CREATE TRIGGER {table}_as_written BEFORE UPDATE{of} ON {table} {refuse}"),
            format!("CREATE TRIGGER {table}_not_replaced BEFORE INSERT ON {table} {again} {refuse}"),
        ]
    };
    for statement in statements {
        connection.execute_unprepared(&statement).await?;
    }
    Ok(())
}

struct Messaging;

impl MigrationName for Messaging {
    fn name(&self) -> &'static str {
        "m0001_kit_messaging"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Messaging {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [outbox(), outbox_heads(), outbox_lease(), inbox(), projection_versions(), idempotency()]
        {
            manager.create_table(table).await?;
        }
        let unpublished = Index::create()
            .name("kit_outbox_unpublished")
            .table("kit_outbox")
            .col("seq")
            .and_where(Expr::col("published_at").is_null())
            .to_owned();
        manager.create_index(unpublished).await?;
        let gapless = Index::create()
            .name("kit_outbox_version")
            .table("kit_outbox")
            .col("topic")
            .col("aggregate_type")
            .col("aggregate_id")
            .col("aggregate_version")
            .unique()
            .to_owned();
        manager.create_index(gapless).await
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("events are never dropped".to_owned()))
    }
}

/// Messages that wait, where the broker put what was published, and indexes for purging by age.
struct Parking;

impl MigrationName for Parking {
    fn name(&self) -> &'static str {
        "m0002_kit_parking"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Parking {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(parked()).await?;
        for column in ["published_partition", "published_offset"] {
            let add = ColumnDef::new(column).big_integer().to_owned();
            manager.alter_table(Table::alter().table("kit_outbox").add_column(add).to_owned()).await?;
        }
        let indexes = [
            ("kit_parked_event", "kit_parked", ["consumer", "event_id", ""], true),
            ("kit_parked_key", "kit_parked", ["consumer", "topic", "message_key"], false),
            ("kit_parked_due", "kit_parked", ["consumer", "next_try_ms", ""], false),
            ("kit_outbox_offset", "kit_outbox", ["topic", "published_partition", "published_offset"], false),
            ("kit_inbox_age", "kit_inbox", ["processed_at", "", ""], false),
            ("kit_idempotency_age", "kit_idempotency", ["created_at", "", ""], false),
        ];
        for (name, table, columns, unique) in indexes {
            let mut index = Index::create().name(name).table(table).to_owned();
            for column in columns.into_iter().filter(|column| !column.is_empty()) {
                index.col(column);
            }
            if unique {
                index.unique();
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("events are never dropped".to_owned()))
    }
}

/// Whose a parked message says it is, while nobody has proved it.
struct Claims;

impl MigrationName for Claims {
    fn name(&self) -> &'static str {
        "m0003_kit_parked_claims"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Claims {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let claim = ColumnDef::new("claim").text().to_owned();
        manager.alter_table(Table::alter().table("kit_parked").add_column(claim).to_owned()).await
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("events are never dropped".to_owned()))
    }
}

/// What a service told stays as it was told; only where and when it was published is noted.
struct History;

impl MigrationName for History {
    fn name(&self) -> &'static str {
        "m0004_kit_history"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for History {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kept = [
            "seq",
            "id",
            "topic",
            "message_key",
            "aggregate_type",
            "aggregate_id",
            "aggregate_version",
            "message_type",
            "body",
            "occurred_at",
        ];
        append_only(manager, "kit_outbox", &kept).await
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("events are never dropped".to_owned()))
    }
}

fn parked() -> TableCreateStatement {
    Table::create()
        .table("kit_parked")
        .col(ColumnDef::new("seq").big_integer().not_null().auto_increment().primary_key())
        .col(ColumnDef::new("consumer").text().not_null())
        .col(ColumnDef::new("topic").text().not_null())
        .col(ColumnDef::new("message_key").text().not_null())
        .col(ColumnDef::new("blocks").boolean().not_null())
        .col(ColumnDef::new("event_id").uuid().not_null())
        .col(ColumnDef::new("message_type").text().not_null())
        .col(ColumnDef::new("aggregate_version").big_integer().not_null())
        .col(ColumnDef::new("body").text().not_null())
        .col(ColumnDef::new("reason").text().not_null())
        .col(ColumnDef::new("tries").big_integer().not_null())
        .col(ColumnDef::new("next_try_ms").big_integer().not_null())
        .col(ColumnDef::new("parked_at").timestamp_with_time_zone().not_null())
        .to_owned()
}

fn outbox() -> TableCreateStatement {
    Table::create()
        .table("kit_outbox")
        .col(ColumnDef::new("seq").big_integer().not_null().auto_increment().primary_key())
        .col(ColumnDef::new("id").uuid().not_null().unique_key())
        .col(ColumnDef::new("topic").text().not_null())
        .col(ColumnDef::new("message_key").text().not_null())
        .col(ColumnDef::new("aggregate_type").text().not_null())
        .col(ColumnDef::new("aggregate_id").uuid().not_null())
        .col(ColumnDef::new("aggregate_version").big_integer().not_null())
        .col(ColumnDef::new("message_type").text().not_null())
        .col(ColumnDef::new("body").text().not_null())
        .col(ColumnDef::new("occurred_at").timestamp_with_time_zone().not_null())
        .col(ColumnDef::new("published_at").timestamp_with_time_zone())
        .to_owned()
}

fn outbox_heads() -> TableCreateStatement {
    Table::create()
        .table("kit_outbox_heads")
        .col(ColumnDef::new("topic").text().not_null())
        .col(ColumnDef::new("aggregate_type").text().not_null())
        .col(ColumnDef::new("aggregate_id").uuid().not_null())
        .col(ColumnDef::new("version").big_integer().not_null())
        .primary_key(Index::create().col("topic").col("aggregate_type").col("aggregate_id"))
        .to_owned()
}

fn outbox_lease() -> TableCreateStatement {
    Table::create()
        .table("kit_outbox_lease")
        .col(ColumnDef::new("name").text().not_null().primary_key())
        .col(ColumnDef::new("holder").uuid().not_null())
        .col(ColumnDef::new("until_ms").big_integer().not_null())
        .to_owned()
}

fn inbox() -> TableCreateStatement {
    Table::create()
        .table("kit_inbox")
        .col(ColumnDef::new("consumer").text().not_null())
        .col(ColumnDef::new("event_id").uuid().not_null())
        .col(ColumnDef::new("processed_at").timestamp_with_time_zone().not_null())
        .primary_key(Index::create().col("consumer").col("event_id"))
        .to_owned()
}

fn projection_versions() -> TableCreateStatement {
    Table::create()
        .table("kit_projection_versions")
        .col(ColumnDef::new("projection").text().not_null())
        .col(ColumnDef::new("aggregate_type").text().not_null())
        .col(ColumnDef::new("aggregate_id").uuid().not_null())
        .col(ColumnDef::new("version").big_integer().not_null())
        .primary_key(Index::create().col("projection").col("aggregate_type").col("aggregate_id"))
        .to_owned()
}

fn idempotency() -> TableCreateStatement {
    Table::create()
        .table("kit_idempotency")
        .col(ColumnDef::new("actor").text().not_null())
        .col(ColumnDef::new("operation").text().not_null())
        .col(ColumnDef::new("client_key").text().not_null())
        .col(ColumnDef::new("request_hash").text().not_null())
        .col(ColumnDef::new("answer").text())
        .col(ColumnDef::new("created_at").timestamp_with_time_zone().not_null())
        .primary_key(Index::create().col("actor").col("operation").col("client_key"))
        .to_owned()
}
