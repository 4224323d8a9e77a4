//! Holds: money promised to an order or a bid, and what becomes of it.
//!
//! Always: a hold leaves `HELD` once, by a conditional UPDATE in the transaction that posts its resolution. A repeated
//! command changes nothing and gets the first answer again; a release that comes before its hold makes the hold
//! impossible.

use chrono::{DateTime, Utc};
use kopitiam_kit::Tx;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use super::entity::{hold, payment};
use super::ledger::{Posted, post, posted_amount};
use super::{PLATFORM, escrows, plus, users};
use crate::domain::account::UserStatus;
use crate::domain::ledger::{AccountKind, AccountRef, LedgerKind, Receiver, Share, Transaction, merged};

const HELD: &str = "HELD";
const REJECTED: &str = "REJECTED";
const RELEASED: &str = "RELEASED";
const CAPTURED: &str = "CAPTURED";
/// `code` of a hold that was released by the clock.
const EXPIRED: &str = "EXPIRED";

/// A hold asked for.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// Names the hold for ever.
    pub id: Uuid,
    /// Whose money.
    pub user_id: Uuid,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// For the statement.
    pub reason: String,
    /// After this the money is released by itself.
    pub expires_at: DateTime<Utc>,
}

/// The answer to a wallet command; amounts in minor units of the wallet's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The money is set aside.
    Held(i64),
    /// Nothing moved; the code says why.
    Rejected(String),
    /// The money is available again; zero when there was no such hold.
    Released(i64),
    /// The hold is paid out.
    Captured(i64),
    /// The payment was given back.
    Refunded(i64),
    /// What was in escrow is paid out.
    EscrowReleased(i64),
}

fn rejected(code: &str) -> Answer {
    Answer::Rejected(code.to_owned())
}

async fn find(tx: &Tx, id: Uuid) -> Result<Option<hold::Model>, DbErr> {
    hold::Entity::find_by_id(id).one(tx).await
}

/// Sets money aside.
///
/// # Errors
/// Database errors.
pub async fn place(
    tx: &Tx,
    wanted: &NewHold,
    wallet_currency: &str,
    now: DateTime<Utc>,
) -> Result<Answer, DbErr> {
    if let Some(known) = find(tx, wanted.id).await? {
        return Ok(match known.status.as_str() {
            HELD => Answer::Held(known.amount),
            REJECTED => Answer::Rejected(known.code.unwrap_or_default()),
            _ => rejected("HOLD_RESOLVED"),
        });
    }
    let refusal = match users::find(tx, wanted.user_id).await? {
        None => Some("UNKNOWN_USER"),
        Some(user) if user.status == UserStatus::Banned => Some("USER_BANNED"),
        Some(_) if wanted.currency != wallet_currency => Some("CURRENCY_MISMATCH"),
        Some(_) => match Transaction::hold(wanted.user_id, wanted.amount, wanted.id, wanted.reason.clone()) {
            Err(_) => Some("AMOUNT_INVALID"),
            Ok(transaction) => match post(tx, &transaction, wallet_currency, now).await? {
                Posted::Insufficient(_) => Some("INSUFFICIENT_FUNDS"),
                Posted::Done | Posted::Repeated => None,
            },
        },
    };
    let row = hold::Model {
        id: wanted.id,
        user_id: wanted.user_id,
        amount: if refusal.is_none() { wanted.amount } else { 0 },
        currency: wanted.currency.clone(),
        reason: wanted.reason.clone(),
        status: if refusal.is_none() { HELD } else { REJECTED }.to_owned(),
        code: refusal.map(str::to_owned),
        expires_at: Some(wanted.expires_at),
        created_at: now,
        resolved_at: refusal.map(|_| now),
    };
    hold::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(refusal.map_or(Answer::Held(wanted.amount), rejected))
}

/// Moves a hold out of `HELD`; `false` when someone else did first.
async fn resolve(
    tx: &Tx,
    id: Uuid,
    status: &str,
    code: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let updated = hold::Entity::update_many()
        .col_expr(hold::Column::Status, Expr::value(status))
        .col_expr(hold::Column::Code, Expr::value(code.map(str::to_owned)))
        .col_expr(hold::Column::ResolvedAt, Expr::value(Some(now)))
        .filter(hold::Column::Id.eq(id))
        .filter(hold::Column::Status.eq(HELD))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Gives promised money back.
///
/// # Errors
/// Database errors.
pub async fn release(
    tx: &Tx,
    id: Uuid,
    user_id: Uuid,
    currency: &str,
    now: DateTime<Utc>,
) -> Result<Answer, DbErr> {
    let Some(known) = find(tx, id).await? else {
        // The release overtook its hold: this row makes the late hold impossible.
        let row = hold::Model {
            id,
            user_id,
            amount: 0,
            currency: currency.to_owned(),
            reason: String::new(),
            status: RELEASED.to_owned(),
            code: None,
            expires_at: None,
            created_at: now,
            resolved_at: Some(now),
        };
        hold::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
        return Ok(Answer::Released(0));
    };
    match known.status.as_str() {
        HELD => release_held(tx, &known, None, now).await,
        CAPTURED => Ok(rejected("HOLD_RESOLVED")),
        _ => Ok(Answer::Released(known.amount)),
    }
}

async fn release_held(
    tx: &Tx,
    known: &hold::Model,
    code: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Answer, DbErr> {
    if !resolve(tx, known.id, RELEASED, code, now).await? {
        return Ok(rejected("HOLD_RESOLVED"));
    }
    let transaction = Transaction::release(known.user_id, known.amount, known.id, known.reason.clone())
        .map_err(|error| DbErr::Custom(format!("hold {} cannot be released: {error}", known.id)))?;
    must_post(tx, &transaction, &known.currency, now).await?;
    Ok(Answer::Released(known.amount))
}

/// Posts what the books must be able to carry: money that is held is there.
async fn must_post(
    tx: &Tx,
    transaction: &Transaction,
    currency: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    match post(tx, transaction, currency, now).await? {
        Posted::Done | Posted::Repeated => Ok(()),
        Posted::Insufficient(account) => Err(DbErr::Custom(format!(
            "books are wrong: {account:?} lacks held money for {}",
            transaction.cause()
        ))),
    }
}

/// A capture asked for.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The hold.
    pub hold_id: Uuid,
    /// Who gets what.
    pub shares: Vec<Share>,
    /// The booking whose escrow is paid out with it.
    pub escrow: Option<Uuid>,
}

/// Pays a hold out, and with it what its payer has in escrow under a reference, in one ledger transaction.
///
/// # Errors
/// Database errors.
pub async fn capture(tx: &Tx, wanted: &Capture, now: DateTime<Utc>) -> Result<Answer, DbErr> {
    let Some(known) = find(tx, wanted.hold_id).await? else { return Ok(rejected("UNKNOWN_HOLD")) };
    match known.status.as_str() {
        CAPTURED => return Ok(Answer::Captured(known.amount)),
        REJECTED => return Ok(rejected("UNKNOWN_HOLD")),
        _ => {}
    }
    for share in &wanted.shares {
        if let Receiver::Escrow(reference) = share.receiver
            && !escrows::accepts(tx, reference, known.user_id).await?
        {
            return Ok(rejected("SPLITS_INVALID"));
        }
    }
    let savepoint = tx.savepoint().await?;
    match capture_in(tx, &known, wanted, now).await? {
        Ok(()) => {
            savepoint.release().await?;
            Ok(Answer::Captured(known.amount))
        }
        Err(code) => {
            savepoint.rollback().await?;
            Ok(rejected(code))
        }
    }
}

/// The code of a refusal is the inner error; what was written before it is the caller's to take back.
async fn capture_in(
    tx: &Tx,
    known: &hold::Model,
    wanted: &Capture,
    now: DateTime<Utc>,
) -> Result<Result<(), &'static str>, DbErr> {
    let escrowed = match wanted.escrow {
        Some(reference) => match escrows::take_all(tx, reference, known.user_id).await? {
            Ok(left) => left,
            Err(code) => return Ok(Err(code)),
        },
        None => 0,
    };
    let (shares, reference) = (&wanted.shares, known.reason.clone());
    let transaction =
        Transaction::capture(known.user_id, known.amount, escrowed, shares, known.id, reference);
    let Ok(transaction) = transaction else { return Ok(Err("SPLITS_INVALID")) };
    if known.status == RELEASED {
        // The clock was faster than the broker: the order is confirmed already, so take the money again if it is still
        // there.
        let by_clock = known.code.as_deref() == Some(EXPIRED);
        if !by_clock || !retake(tx, known, now).await? {
            return Ok(Err("HOLD_RESOLVED"));
        }
    }
    if !resolve(tx, known.id, CAPTURED, None, now).await? {
        return Ok(Err("HOLD_RESOLVED"));
    }
    must_post(tx, &transaction, &known.currency, now).await?;
    for share in merged(shares) {
        let row = payment::Model {
            hold_id: known.id,
            receiver_id: receiver_id(share.receiver),
            amount: share.amount,
            refunded: 0,
        };
        payment::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
        if let Receiver::Escrow(reference) = share.receiver {
            let whose = (reference, known.user_id);
            escrows::deposit(tx, whose, share.amount, &known.currency, now).await?;
        }
    }
    Ok(Ok(()))
}

fn receiver_id(receiver: Receiver) -> Uuid {
    match receiver {
        Receiver::Fees => PLATFORM,
        Receiver::User(id) | Receiver::Escrow(id) => id,
    }
}

async fn retake(tx: &Tx, known: &hold::Model, now: DateTime<Utc>) -> Result<bool, DbErr> {
    // The hold's own cause is used up; its bitwise complement is as unique.
    let cause = Uuid::from_u128(!known.id.as_u128());
    let Ok(again) = Transaction::hold(known.user_id, known.amount, cause, known.reason.clone()) else {
        return Ok(false);
    };
    if post(tx, &again, &known.currency, now).await? != Posted::Done {
        return Ok(false);
    }
    let updated = hold::Entity::update_many()
        .col_expr(hold::Column::Status, Expr::value(HELD))
        .filter(hold::Column::Id.eq(known.id))
        .filter(hold::Column::Status.eq(RELEASED))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// A refund asked for.
#[derive(Debug, Clone)]
pub struct Refund {
    /// Names the refund for ever.
    pub id: Uuid,
    /// The captured hold.
    pub hold_id: Uuid,
    /// Who gives back what.
    pub shares: Vec<Share>,
    /// For the statement.
    pub reason: String,
}

/// Gives a payment back, never more than each receiver got, and all of it or nothing: while a receiver lacks the money it
/// is refused, and the same refund may be asked for again. Nobody else pays for it: a buyer and a seller who are one
/// person would make money by spending it and then calling the order off.
///
/// # Errors
/// Database errors.
pub async fn refund(tx: &Tx, wanted: &Refund, now: DateTime<Utc>) -> Result<Answer, DbErr> {
    let Some(known) = find(tx, wanted.hold_id).await? else { return Ok(rejected("UNKNOWN_HOLD")) };
    let payer = AccountRef::of(known.user_id, AccountKind::Available);
    if let Some(amount) = posted_amount(tx, LedgerKind::Refund, wanted.id, payer, &known.currency).await? {
        return Ok(Answer::Refunded(amount));
    }
    if known.status != CAPTURED {
        return Ok(rejected("UNKNOWN_HOLD"));
    }
    let savepoint = tx.savepoint().await?;
    for share in merged(&wanted.shares) {
        let noted = payment::Entity::update_many()
            .col_expr(payment::Column::Refunded, plus("refunded", share.amount))
            .filter(payment::Column::HoldId.eq(wanted.hold_id))
            .filter(payment::Column::ReceiverId.eq(receiver_id(share.receiver)))
            .filter(plus("refunded", share.amount).lte(Expr::col("amount")))
            .exec(tx)
            .await?;
        let escrowed = match share.receiver {
            Receiver::Escrow(reference) => escrows::take(tx, reference, known.user_id, share.amount).await?,
            Receiver::User(_) | Receiver::Fees => true,
        };
        if share.amount <= 0 || noted.rows_affected == 0 || !escrowed {
            savepoint.rollback().await?;
            return Ok(rejected("REFUND_EXCEEDS_PAYMENT"));
        }
    }
    let transaction = Transaction::refund(known.user_id, &wanted.shares, wanted.id, wanted.reason.clone());
    let Ok(transaction) = transaction else {
        savepoint.rollback().await?;
        return Ok(rejected("SPLITS_INVALID"));
    };
    if let Posted::Insufficient(_) = post(tx, &transaction, &known.currency, now).await? {
        savepoint.rollback().await?;
        return Ok(rejected("INSUFFICIENT_FUNDS"));
    }
    savepoint.release().await?;
    Ok(Answer::Refunded(wanted.shares.iter().map(|share| share.amount).sum()))
}

/// Releases holds whose time is over, oldest first, at most `limit`. Gives each hold, its user and amount.
///
/// # Errors
/// Database errors.
pub async fn release_expired(
    tx: &Tx,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, Uuid, i64)>, DbErr> {
    let overdue = hold::Entity::find()
        .filter(hold::Column::Status.eq(HELD))
        .filter(hold::Column::ExpiresAt.lt(now))
        .order_by_asc(hold::Column::ExpiresAt)
        .limit(limit)
        .all(tx)
        .await?;
    let mut released = Vec::new();
    for known in overdue {
        if let Answer::Released(amount) = release_held(tx, &known, Some(EXPIRED), now).await? {
            released.push((known.id, known.user_id, amount));
        }
    }
    Ok(released)
}
