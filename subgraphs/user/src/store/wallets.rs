//! What a wallet shows: balances in batches, entries by page.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use super::entity::account;
use super::{Before, ledger, placeholders};
use crate::domain::ledger::{AccountKind, AccountRef, LedgerKind};

/// Balances of one wallet, in minor units of its currency. The wallet's id is its user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balances {
    /// To spend.
    pub available: i64,
    /// Promised.
    pub held: i64,
    /// Waiting for a booking.
    pub escrowed: i64,
}

/// One line of a wallet's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The posting.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: LedgerKind,
    /// Minor units; received amounts are positive.
    pub amount: i64,
    /// The account's balance after it: what is available, or for a capture what is still held.
    pub balance_after: i64,
    /// An order number or a reason.
    pub reference: String,
}

/// Opens the accounts of a wallet.
///
/// # Errors
/// Database errors.
pub async fn open(db: &impl ConnectionTrait, user_id: Uuid, currency: &str) -> Result<(), DbErr> {
    for kind in [AccountKind::Available, AccountKind::Held, AccountKind::Escrow] {
        ledger::ensure_account(db, AccountRef::of(user_id, kind), currency).await?;
    }
    Ok(())
}

/// Balances of those users' wallets, in one query.
///
/// # Errors
/// Database errors.
pub async fn balances(
    db: &impl ConnectionTrait,
    user_ids: &[Uuid],
    currency: &str,
) -> Result<HashMap<Uuid, Balances>, DbErr> {
    let rows = account::Entity::find()
        .filter(account::Column::OwnerId.is_in(user_ids.iter().copied()))
        .filter(account::Column::Currency.eq(currency))
        .all(db)
        .await?;
    let mut wallets: HashMap<Uuid, Balances> = HashMap::new();
    for row in rows {
        let wallet = wallets.entry(row.owner_id).or_default();
        match row.kind.as_str() {
            "AVAILABLE" => wallet.available = row.balance,
            "HELD" => wallet.held = row.balance,
            "ESCROW" => wallet.escrowed = row.balance,
            _ => {}
        }
    }
    Ok(wallets)
}

#[derive(FromQueryResult)]
struct EntryRow {
    owner_id: Uuid,
    id: Uuid,
    kind: String,
    amount: i64,
    balance_after: i64,
    at: DateTime<Utc>,
    reference: String,
}

/// One page of each of those users' statements, newest first, in one query: what moved the available balance, and
/// captures of held money.
///
/// # Errors
/// Database errors.
pub async fn entries(
    db: &impl ConnectionTrait,
    user_ids: &[Uuid],
    currency: &str,
    page: Before,
) -> Result<HashMap<Uuid, Vec<Entry>>, DbErr> {
    let owners = placeholders(4, user_ids.len());
    let sql = format!(
        "SELECT owner_id, id, kind, amount, balance_after, at, reference FROM ( \
         SELECT a.owner_id, p.id, p.kind, p.amount, p.balance_after, t.at, t.reference, \
         ROW_NUMBER() OVER (PARTITION BY a.owner_id ORDER BY p.id DESC) AS place \
         FROM postings p JOIN accounts a ON a.id = p.account_id JOIN ledger_transactions t ON t.id = p.transaction_id \
         WHERE a.currency = $1 AND p.id < $2 AND a.owner_id IN ({owners}) \
         AND (a.kind = 'AVAILABLE' OR (a.kind = 'HELD' AND p.kind = 'CAPTURE'))) AS statement \
         WHERE place <= $3 ORDER BY owner_id, place"
    );
    let values = [currency.into(), page.bound().into(), page.limit().into()];
    let values = values.into_iter().chain(user_ids.iter().map(|id| (*id).into()));
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let mut entries: HashMap<Uuid, Vec<Entry>> = HashMap::new();
    for row in EntryRow::find_by_statement(statement).all(db).await? {
        let EntryRow { owner_id, id, kind, amount, balance_after, at, reference } = row;
        let Some(kind) = LedgerKind::parse(&kind) else { continue };
        entries.entry(owner_id).or_default().push(Entry { id, at, kind, amount, balance_after, reference });
    }
    Ok(entries)
}
