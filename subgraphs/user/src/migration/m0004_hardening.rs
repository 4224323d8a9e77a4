//! Verified addresses, one-time tokens, counters of attempts, letters to send, nonces of refresh tokens.

use sea_orm_migration::prelude::*;

/// Adds the tables and columns.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "user_0004_hardening"
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

fn maybe_at(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ("users", maybe_at("email_verified_at")),
            ("refresh_tokens", ColumnDef::new("nonce_hash").text().to_owned()),
        ];
        for (table, column) in columns {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        // Accounts made before there was a verification count as verified.
        let verified = "UPDATE users SET email_verified_at = created_at WHERE status <> 'UNVERIFIED'";
        manager.get_connection().execute_unprepared(verified).await?;
        for table in [one_time_tokens(), attempts(), mails()] {
            manager.create_table(table).await?;
        }
        for (name, table, column) in [
            ("one_time_tokens_user", "one_time_tokens", "user_id"),
            ("one_time_tokens_expiry", "one_time_tokens", "expires_at"),
            ("attempts_until", "attempts", "until"),
            ("mails_due", "mails", "due_at"),
            ("refresh_tokens_expiry", "refresh_tokens", "expires_at"),
        ] {
            manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await?;
        }
        Ok(())
    }
}

/// The hash is the key, as with refresh tokens. `email_key` is the address that the token was sent to: it is worth nothing
/// once the account has another.
fn one_time_tokens() -> TableCreateStatement {
    Table::create()
        .table("one_time_tokens")
        .col(text("token_hash").primary_key())
        .col(text("purpose").check(Expr::col("purpose").is_in(["VERIFY_EMAIL", "RESET_PASSWORD"])))
        .col(uuid("user_id"))
        .col(text("email_key"))
        .col(at("issued_at"))
        .col(at("expires_at"))
        .col(maybe_at("used_at"))
        .foreign_key(ForeignKey::create().from("one_time_tokens", "user_id").to("users", "id"))
        .to_owned()
}

fn attempts() -> TableCreateStatement {
    Table::create()
        .table("attempts")
        .col(text("name").primary_key())
        .col(ColumnDef::new("count").big_integer().not_null().check(Expr::col("count").gte(0)))
        .col(at("until"))
        .to_owned()
}

/// Letters that wait to be sent; a row goes when its letter has gone. Tokens are made when a letter is written, so none
/// is stored here. The recipient is a user, or whoever has the address.
fn mails() -> TableCreateStatement {
    Table::create()
        .table("mails")
        .col(uuid("id").primary_key())
        .col(ColumnDef::new("user_id").uuid())
        .col(ColumnDef::new("email_key").text())
        .col(text("letter"))
        .col(ColumnDef::new("attempts").big_integer().not_null())
        .col(at("due_at"))
        .col(at("created_at"))
        .to_owned()
}
