//! What a wallet shows: balances in batches, entries by page.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, ConnectionTrait, QueryOrder, QuerySelect};

use super::entity::{account, ledger_transaction, posting};
use super::ledger;
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

/// One page of a wallet's statement, newest first: what moved the available balance, and captures of held money.
///
/// # Errors
/// Database errors.
pub async fn entries(
    db: &impl ConnectionTrait,
    user_id: Uuid,
    currency: &str,
    before: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Entry>, DbErr> {
    let accounts = account::Entity::find()
        .filter(account::Column::OwnerId.eq(user_id))
        .filter(account::Column::Currency.eq(currency))
        .all(db)
        .await?;
    let id_of = |kind: AccountKind| {
        accounts.iter().find(|account| account.kind == kind.name()).map_or(Uuid::nil(), |account| account.id)
    };
    let shown = Condition::any().add(posting::Column::AccountId.eq(id_of(AccountKind::Available))).add(
        Condition::all()
            .add(posting::Column::AccountId.eq(id_of(AccountKind::Held)))
            .add(posting::Column::Kind.eq(LedgerKind::Capture.name())),
    );
    let mut select = posting::Entity::find().filter(shown).order_by_desc(posting::Column::Id).limit(limit);
    if let Some(before) = before {
        select = select.filter(posting::Column::Id.lt(before));
    }
    let postings = select.all(db).await?;
    let transactions: HashMap<Uuid, ledger_transaction::Model> = ledger_transaction::Entity::find()
        .filter(ledger_transaction::Column::Id.is_in(postings.iter().map(|posting| posting.transaction_id)))
        .all(db)
        .await?
        .into_iter()
        .map(|transaction| (transaction.id, transaction))
        .collect();
    Ok(postings.into_iter().filter_map(|posting| entry(&posting, &transactions)).collect())
}

fn entry(posting: &posting::Model, transactions: &HashMap<Uuid, ledger_transaction::Model>) -> Option<Entry> {
    let transaction = transactions.get(&posting.transaction_id)?;
    Some(Entry {
        id: posting.id,
        at: transaction.at,
        kind: LedgerKind::parse(&posting.kind)?,
        amount: posting.amount,
        balance_after: posting.balance_after,
        reference: transaction.reference.clone(),
    })
}
