//! Users, sellers, sessions, refresh tokens, signing keys and the audit trail.

use sea_orm_migration::prelude::*;

/// Creates the account tables.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "user_0001_accounts"
    }
}

fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
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
        for table in [users(), sellers(), sessions(), refresh_tokens(), signing_keys(), audit()] {
            manager.create_table(table).await?;
        }
        for (name, table, column) in [
            ("sessions_user", "sessions", "user_id"),
            ("refresh_tokens_session", "refresh_tokens", "session_id"),
            ("audit_subject", "audit", "subject_id"),
        ] {
            manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await?;
        }
        Ok(())
    }
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(uuid("id").primary_key())
        .col(text("email"))
        .col(text("email_key").unique_key())
        .col(text("username"))
        .col(text("username_key").unique_key())
        .col(ColumnDef::new("full_name").text())
        .col(text("password_hash"))
        .col(text("status").check(Expr::col("status").is_in(["ACTIVE", "UNVERIFIED", "BANNED"])))
        .col(text("roles"))
        .col(ColumnDef::new("token_version").integer().not_null())
        .col(ColumnDef::new("version").integer().not_null())
        .col(at("created_at"))
        .col(at("updated_at"))
        .to_owned()
}

fn sellers() -> TableCreateStatement {
    Table::create()
        .table("sellers")
        .col(uuid("id").primary_key())
        .col(text("handle").unique_key())
        .col(text("display_name"))
        .col(ColumnDef::new("bio").text())
        .col(ColumnDef::new("verified").boolean().not_null())
        .col(at("member_since"))
        .foreign_key(ForeignKey::create().from("sellers", "id").to("users", "id"))
        .to_owned()
}

fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(at("created_at"))
        .col(ColumnDef::new("revoked_at").timestamp_with_time_zone())
        .col(ColumnDef::new("revoked_reason").text())
        .foreign_key(ForeignKey::create().from("sessions", "user_id").to("users", "id"))
        .to_owned()
}

/// The hash is the key: a token in clear text is never stored.
fn refresh_tokens() -> TableCreateStatement {
    Table::create()
        .table("refresh_tokens")
        .col(text("token_hash").primary_key())
        .col(uuid("session_id"))
        .col(at("issued_at"))
        .col(at("expires_at"))
        .col(ColumnDef::new("used_at").timestamp_with_time_zone())
        .foreign_key(ForeignKey::create().from("refresh_tokens", "session_id").to("sessions", "id"))
        .to_owned()
}

fn signing_keys() -> TableCreateStatement {
    Table::create()
        .table("signing_keys")
        .col(text("kid").primary_key())
        .col(text("private_key"))
        .col(at("created_at"))
        .col(ColumnDef::new("retired_at").timestamp_with_time_zone())
        .to_owned()
}

fn audit() -> TableCreateStatement {
    Table::create()
        .table("audit")
        .col(uuid("id").primary_key())
        .col(at("at"))
        .col(ColumnDef::new("actor_id").uuid())
        .col(text("action"))
        .col(uuid("subject_id"))
        .col(text("detail"))
        .to_owned()
}
