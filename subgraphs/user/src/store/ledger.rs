//! Posts balanced transactions and proves that the books close.
//!
//! Always: a posting and its account's balance change together; balances that must not fall below zero are changed by
//! one conditional UPDATE, never read and written back.

use chrono::{DateTime, Utc};
use kopitiam_kit::Tx;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ConnectionTrait, FromQueryResult, IntoActiveModel, QuerySelect};

use super::entity::{account, ledger_seal, ledger_transaction, posting};
use super::{PLATFORM, plus};
use crate::domain::ledger::{AccountKind, AccountRef, LedgerKind, Posting, Transaction};

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It is in the books.
    Done,
    /// Its cause had its effect before; nothing changed.
    Repeated,
    /// This account would leave its bound (zero); nothing changed.
    Insufficient(AccountRef),
}

/// Enters a transaction into the books, or leaves them as they were.
///
/// # Errors
/// Database errors.
pub async fn post(
    tx: &Tx,
    transaction: &Transaction,
    currency: &str,
    at: DateTime<Utc>,
) -> Result<Posted, DbErr> {
    // A savepoint, so that a posting that finds too little money takes the earlier ones back with it.
    let savepoint = tx.savepoint().await?;
    let id = Uuid::now_v7();
    let row = ledger_transaction::Model {
        id,
        kind: transaction.kind().name().to_owned(),
        cause_id: transaction.cause(),
        reference: transaction.reference().to_owned(),
        currency: currency.to_owned(),
        at,
    };
    let once = OnConflict::columns([ledger_transaction::Column::Kind, ledger_transaction::Column::CauseId])
        .do_nothing()
        .to_owned();
    let inserted = ledger_transaction::Entity::insert(row.into_active_model())
        .on_conflict(once)
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        savepoint.rollback().await?;
        return Ok(Posted::Repeated);
    }
    for leg in transaction.postings() {
        if !apply(tx, id, leg, currency).await? {
            savepoint.rollback().await?;
            return Ok(Posted::Insufficient(leg.account));
        }
    }
    // The database refuses a seal over legs that do not balance, and a commit of legs without their seal.
    ledger_seal::Entity::insert(ledger_seal::Model { transaction_id: id }.into_active_model())
        .exec_without_returning(tx)
        .await?;
    savepoint.release().await?;
    Ok(Posted::Done)
}

/// Moves one account's balance and writes the posting; `false` when the balance would fall below zero.
async fn apply(tx: &Tx, transaction_id: Uuid, leg: Posting, currency: &str) -> Result<bool, DbErr> {
    ensure_account(tx, leg.account, currency).await?;
    let mut update = account::Entity::update_many()
        .col_expr(account::Column::Balance, plus("balance", leg.amount))
        .filter(of(leg.account, currency));
    let after = Expr::col("balance").add(leg.amount);
    if matches!(leg.account.kind, AccountKind::Issuance | AccountKind::Provider) {
        // More cannot come back than was ever issued or taken in.
        update = update.filter(after.lte(0));
    } else if leg.amount < 0 && leg.account.owner.is_some() {
        update = update.filter(after.gte(0));
    }
    if update.exec(tx).await?.rows_affected == 0 {
        return Ok(false);
    }
    let account = account::Entity::find()
        .filter(of(leg.account, currency))
        .one(tx)
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("account that was just updated".to_owned()))?;
    let row = posting::Model {
        id: Uuid::now_v7(),
        transaction_id,
        account_id: account.id,
        kind: leg.kind.name().to_owned(),
        amount: leg.amount,
        balance_after: account.balance,
    };
    posting::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(true)
}

fn of(account: AccountRef, currency: &str) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(account::Column::OwnerId.eq(account.owner.unwrap_or(PLATFORM)))
        .add(account::Column::Kind.eq(account.kind.name()))
        .add(account::Column::Currency.eq(currency))
}

/// Opens an account with a balance of zero unless it is there.
///
/// # Errors
/// Database errors.
pub async fn ensure_account(
    db: &impl ConnectionTrait,
    account: AccountRef,
    currency: &str,
) -> Result<(), DbErr> {
    let row = account::Model {
        id: Uuid::now_v7(),
        owner_id: account.owner.unwrap_or(PLATFORM),
        kind: account.kind.name().to_owned(),
        currency: currency.to_owned(),
        balance: 0,
    };
    let columns = [account::Column::OwnerId, account::Column::Kind, account::Column::Currency];
    account::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// The balance of an account; zero when it was never opened.
///
/// # Errors
/// Database errors.
pub async fn balance(db: &impl ConnectionTrait, account: AccountRef, currency: &str) -> Result<i64, DbErr> {
    let found = account::Entity::find().filter(of(account, currency)).one(db).await?;
    Ok(found.map_or(0, |account| account.balance))
}

/// Total of a transaction's postings to `account`, if the cause was posted; for answering a repeated command.
///
/// # Errors
/// Database errors.
pub async fn posted_amount(
    db: &impl ConnectionTrait,
    kind: LedgerKind,
    cause: Uuid,
    account: AccountRef,
    currency: &str,
) -> Result<Option<i64>, DbErr> {
    let Some(transaction) = ledger_transaction::Entity::find()
        .filter(ledger_transaction::Column::Kind.eq(kind.name()))
        .filter(ledger_transaction::Column::CauseId.eq(cause))
        .one(db)
        .await?
    else {
        return Ok(None);
    };
    let Some(account) = account::Entity::find().filter(of(account, currency)).one(db).await? else {
        return Ok(Some(0));
    };
    let postings = posting::Entity::find()
        .filter(posting::Column::TransactionId.eq(transaction.id))
        .filter(posting::Column::AccountId.eq(account.id))
        .all(db)
        .await?;
    Ok(Some(postings.iter().map(|posting| posting.amount).sum()))
}

/// What a look at the whole books found; all empty and zero when they close.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Sum of all account balances; invariant I1 says zero.
    pub balance_sum: i64,
    /// Transactions whose postings do not sum to zero.
    pub unbalanced: Vec<Uuid>,
    /// Accounts whose balance is not the sum of their postings.
    pub drifted: Vec<Uuid>,
    /// User accounts below zero; invariant I2 says none.
    pub negative: Vec<Uuid>,
}

#[derive(FromQueryResult)]
struct Sum {
    id: Uuid,
    total: i64,
}

/// Closes the books: the proof after every chaos run, over all that triggers check one by one.
///
/// # Errors
/// Database errors.
pub async fn close(db: &impl ConnectionTrait) -> Result<Closing, DbErr> {
    let accounts = account::Entity::find().all(db).await?;
    let per_transaction = sums(db, posting::Column::TransactionId).await?;
    let per_account: std::collections::HashMap<Uuid, i64> =
        sums(db, posting::Column::AccountId).await?.into_iter().map(|sum| (sum.id, sum.total)).collect();
    let guarded = [AccountKind::Available, AccountKind::Held, AccountKind::Escrow].map(AccountKind::name);
    Ok(Closing {
        balance_sum: accounts.iter().map(|account| account.balance).sum(),
        unbalanced: per_transaction.into_iter().filter(|sum| sum.total != 0).map(|sum| sum.id).collect(),
        drifted: accounts
            .iter()
            .filter(|account| per_account.get(&account.id).copied().unwrap_or(0) != account.balance)
            .map(|account| account.id)
            .collect(),
        negative: accounts
            .iter()
            .filter(|account| account.balance < 0 && guarded.contains(&account.kind.as_str()))
            .map(|account| account.id)
            .collect(),
    })
}

async fn sums(db: &impl ConnectionTrait, by: posting::Column) -> Result<Vec<Sum>, DbErr> {
    // PostgreSQL widens SUM(bigint) to numeric, SQLite does not: the cast makes both a 64-bit integer.
    posting::Entity::find()
        .select_only()
        .column_as(by, "id")
        .column_as(Expr::cust("CAST(SUM(amount) AS BIGINT)"), "total")
        .group_by(by)
        .into_model::<Sum>()
        .all(db)
        .await
}
