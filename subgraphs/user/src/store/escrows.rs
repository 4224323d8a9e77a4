//! Escrow: what each booking has in it, and how it leaves.
//!
//! Always: an escrow is paid out once, by a conditional UPDATE in the transaction that posts it; `0 ≤ paid_out ≤ amount`
//! is a CHECK. Elsewhere: who may ask for it (the order service's booking rules).

use chrono::{DateTime, Utc};
use kopitiam_kit::Tx;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};

use super::entity::escrow;
use super::holds::Answer;
use super::ledger::{Posted, post, posted_amount};
use super::plus;
use crate::domain::ledger::{AccountKind, AccountRef, LedgerKind, Share, Transaction};

/// A release asked for.
#[derive(Debug, Clone)]
pub struct Release {
    /// Names the release for ever.
    pub id: Uuid,
    /// What the escrow is for.
    pub reference: Uuid,
    /// Who paid into it.
    pub payer: Uuid,
    /// Who gets what.
    pub shares: Vec<Share>,
    /// For the statement.
    pub reason: String,
}

fn rejected(code: &str) -> Answer {
    Answer::Rejected(code.to_owned())
}

async fn find(tx: &Tx, reference: Uuid) -> Result<Option<escrow::Model>, DbErr> {
    escrow::Entity::find_by_id(reference).one(tx).await
}

/// Whether `payer` may pay into the escrow of `reference`: it is new, or has only this payer's money.
///
/// # Errors
/// Database errors.
pub(super) async fn accepts(tx: &Tx, reference: Uuid, payer: Uuid) -> Result<bool, DbErr> {
    Ok(find(tx, reference).await?.is_none_or(|known| known.payer_id == payer))
}

/// Notes money that a capture moved into escrow.
pub(super) async fn deposit(
    tx: &Tx,
    (reference, payer): (Uuid, Uuid),
    amount: i64,
    currency: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let raised = escrow::Entity::update_many()
        .col_expr(escrow::Column::Amount, plus("amount", amount))
        .filter(escrow::Column::Reference.eq(reference))
        .filter(escrow::Column::PayerId.eq(payer))
        .exec(tx)
        .await?;
    if raised.rows_affected == 0 {
        let row = escrow::Model {
            reference,
            payer_id: payer,
            currency: currency.to_owned(),
            amount,
            paid_out: 0,
            created_at: now,
        };
        escrow::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Notes money that a refund takes out again; `false` when so much is not there.
pub(super) async fn take(tx: &Tx, reference: Uuid, payer: Uuid, amount: i64) -> Result<bool, DbErr> {
    let noted = escrow::Entity::update_many()
        .col_expr(escrow::Column::PaidOut, plus("paid_out", amount))
        .filter(escrow::Column::Reference.eq(reference))
        .filter(escrow::Column::PayerId.eq(payer))
        .filter(plus("paid_out", amount).lte(Expr::col("amount")))
        .exec(tx)
        .await?;
    Ok(noted.rows_affected == 1)
}

/// What the payer still has in the escrow of `reference`, taken out of it; the code of the refusal where there is none.
pub(super) async fn take_all(
    tx: &Tx,
    reference: Uuid,
    payer: Uuid,
) -> Result<Result<i64, &'static str>, DbErr> {
    let Some(known) = find(tx, reference).await?.filter(|known| known.payer_id == payer) else {
        return Ok(Err("UNKNOWN_ESCROW"));
    };
    let left = known.amount - known.paid_out;
    // The amount read is part of the condition: of two that read the same one wins.
    let noted = escrow::Entity::update_many()
        .col_expr(escrow::Column::PaidOut, Expr::value(known.amount))
        .filter(escrow::Column::Reference.eq(reference))
        .filter(escrow::Column::PaidOut.eq(known.paid_out))
        .filter(escrow::Column::Amount.eq(known.amount))
        .filter(escrow::Column::PaidOut.lt(known.amount))
        .exec(tx)
        .await?;
    Ok(if noted.rows_affected == 1 { Ok(left) } else { Err("ESCROW_RESOLVED") })
}

/// Pays the whole escrow out; what the shares leave goes back to the payer.
///
/// # Errors
/// Database errors.
pub async fn release(tx: &Tx, wanted: &Release, currency: &str, now: DateTime<Utc>) -> Result<Answer, DbErr> {
    let account = AccountRef::of(wanted.payer, AccountKind::Escrow);
    if let Some(moved) = posted_amount(tx, LedgerKind::Capture, wanted.id, account, currency).await? {
        return Ok(Answer::EscrowReleased(-moved));
    }
    let savepoint = tx.savepoint().await?;
    let left = match take_all(tx, wanted.reference, wanted.payer).await? {
        Ok(left) => left,
        Err(code) => {
            savepoint.rollback().await?;
            return Ok(rejected(code));
        }
    };
    let reason = wanted.reason.clone();
    let Ok(transaction) = Transaction::release_escrow(wanted.payer, left, &wanted.shares, wanted.id, reason)
    else {
        savepoint.rollback().await?;
        return Ok(rejected("SPLITS_INVALID"));
    };
    match post(tx, &transaction, currency, now).await? {
        Posted::Done => {}
        Posted::Repeated => {
            savepoint.rollback().await?;
            return Ok(rejected("ESCROW_RESOLVED"));
        }
        Posted::Insufficient(account) => {
            return Err(DbErr::Custom(format!(
                "books are wrong: {account:?} lacks the escrow of {}",
                wanted.id
            )));
        }
    }
    savepoint.release().await?;
    Ok(Answer::EscrowReleased(left))
}
