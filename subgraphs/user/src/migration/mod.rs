//! The user database's schema, the same for SQLite and PostgreSQL. Kit's own tables (outbox, inbox, idempotency) are
//! added by `app.rs`.

mod m0001_accounts;
mod m0002_ledger;
mod m0003_ledger_guards;
mod m0004_hardening;
mod m0005_notices;
mod m0006_top_ups;
mod m0007_service_accounts;
mod m0008_audit_kept;

use sea_orm_migration::prelude::*;

/// This service's migrations in order.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m0001_accounts::Migration),
        Box::new(m0002_ledger::Migration),
        Box::new(m0003_ledger_guards::Migration),
        Box::new(m0004_hardening::Migration),
        Box::new(m0005_notices::Migration),
        Box::new(m0006_top_ups::Migration),
        Box::new(m0007_service_accounts::Migration),
        Box::new(m0008_audit_kept::Migration),
    ]
}
