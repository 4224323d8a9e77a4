//! Real money into a wallet: begun here, paid at the provider, told by its reports.
//!
//! Always: the provider is called outside of any transaction, under the top-up's id as its idempotency key; a report and its
//! effect are one transaction; a top-up is credited once, by the ledger's unique cause.

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Failure, Money, SystemError, Tx, UserError, time};
use serde::Serialize;
use uuid::Uuid;

use super::Commands;
use crate::domain::account::UserStatus;
use crate::domain::ledger::Transaction;
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::domain::top_up::{MINOR_MAX, MINOR_MIN, TopUp, TopUpStatus};
use crate::events::{self, Cause, publish};
use crate::payments::{Payment, PaymentError, Report, Wanted};
use crate::security::limits;
use crate::store::ledger::{self, Posted};
use crate::store::{top_ups, users};

/// Reports may be lost: whoever has not paid after this is asked about.
const ASK_AFTER: TimeDelta = TimeDelta::minutes(2);
/// Nobody pays a page that is older.
const ASK_UNTIL: TimeDelta = TimeDelta::days(3);
const ASK_BATCH: u64 = 50;

/// Raw input of `startTopUp`.
#[derive(Debug, Clone, Serialize)]
pub struct TopUpForm {
    /// Any text.
    pub amount: String,
    /// Any text.
    pub currency: String,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It had its effect.
    Done,
    /// It came before, or changes nothing any more.
    Repeated,
    /// It is about no payment of ours, or does not fit ours: nothing was credited, and the log says why.
    NotOurs,
}

impl Commands {
    /// Begins a top-up, once per key, and gives the page to pay on.
    ///
    /// # Errors
    /// Refusals by field, [`Refusal::PaymentRefused`], [`Refusal::TooManyAttempts`]; unavailable while the provider is
    /// away: the same key may try again.
    pub async fn start_top_up(
        &self,
        user_id: Uuid,
        form: TopUpForm,
        client_key: &str,
    ) -> Result<Option<String>, Failure> {
        let amount = Money::parse(&form.amount, &form.currency).map_err(UserError::from)?;
        if amount.currency() != self.rules.currency {
            return Err(Refusal::CurrencyUnsupported.into());
        }
        if !(MINOR_MIN..=MINOR_MAX).contains(&amount.minor()) {
            return Err(Refusal::AmountInvalid.into());
        }
        let key = Key::new(format!("user:{user_id}"), "startTopUp", client_key)?;
        self.admit(&[limits::top_up(user_id)]).await?;
        let now = time::now();
        let id: Uuid = idempotency::once(&self.db, &key, &form, |tx| begin(tx, user_id, amount, now)).await?;
        let top_up = top_ups::find(self.db.read(), id).await?;
        let top_up = top_up.ok_or_else(|| SystemError::Invariant(format!("top-up {id} is gone")))?;
        if top_up.payment_id.is_some() {
            return Ok(top_up.url);
        }
        Ok(self.create_payment(&top_up).await?.url)
    }

    /// Asks the provider for the payment of a top-up and notes its answer.
    async fn create_payment(&self, top_up: &TopUp) -> Result<Payment, Failure> {
        let wanted = Wanted {
            top_up_id: top_up.id,
            user_id: top_up.user_id,
            amount: top_up.amount,
            return_url: self.payments.return_url.to_string(),
        };
        let payment = self.payments.provider.create(&wanted).await.map_err(|error| match error {
            PaymentError::Refused(reason) => {
                tracing::error!(top_up = %top_up.id, reason, "the payment provider refused a top-up");
                Failure::from(Refusal::PaymentRefused)
            }
            error => SystemError::Unavailable(error.to_string()).into(),
        })?;
        let (id, noted, now) = (top_up.id, &payment, time::now());
        self.db
            .transaction(|tx| async move {
                Ok::<_, Failure>(top_ups::set_payment(&tx, id, &noted.id, noted.url.clone(), now).await?)
            })
            .await?;
        Ok(payment)
    }

    /// Applies a provider's report.
    ///
    /// # Errors
    /// System failures only; the provider is to send it again.
    pub async fn hear(&self, report: &Report) -> Result<Heard, SystemError> {
        let now = time::now();
        self.db
            .transaction(|tx| async move {
                if !top_ups::first_time(&tx, &report.id, now).await? {
                    return Ok(Heard::Repeated);
                }
                match &report.payment {
                    Some(payment) => self.apply_payment(&tx, payment, now).await,
                    None => Ok(Heard::NotOurs),
                }
            })
            .await
    }

    async fn apply_payment(
        &self,
        tx: &Tx,
        payment: &Payment,
        now: DateTime<Utc>,
    ) -> Result<Heard, SystemError> {
        let found = match payment.top_up_id {
            Some(id) => top_ups::find(tx, id).await?,
            None => top_ups::find_by_payment(tx, &payment.id).await?,
        };
        let Some(top_up) = found else {
            tracing::error!(payment = payment.id, "a report about a payment that is not ours");
            return Ok(Heard::NotOurs);
        };
        let same_payment = top_up.payment_id.as_ref().is_none_or(|known| *known == payment.id);
        let same_amount =
            payment.minor == top_up.amount.minor() && payment.currency == top_up.amount.currency().code();
        if !same_payment || (payment.status == TopUpStatus::Succeeded && !same_amount) {
            tracing::error!(
                payment = payment.id, top_up = %top_up.id, minor = payment.minor, currency = payment.currency,
                "a report that does not fit its top-up: nothing is credited"
            );
            return Ok(Heard::NotOurs);
        }
        let Some(to) = top_up.status.after(payment.status) else { return Ok(Heard::Repeated) };
        if !top_ups::move_on(tx, top_up.id, [top_up.status, to], now).await? {
            return Ok(Heard::Repeated);
        }
        let amount = top_up.amount.to_string();
        if to == TopUpStatus::Succeeded {
            self.credit(tx, &top_up, &payment.id, now).await?;
            self.herald().tell(tx, top_up.user_id, Notice::ToppedUp { amount }, top_up.id, now).await?;
        } else {
            self.herald().tell(tx, top_up.user_id, Notice::TopUpFailed { amount }, top_up.id, now).await?;
        }
        Ok(Heard::Done)
    }

    async fn credit(
        &self,
        tx: &Tx,
        top_up: &TopUp,
        payment_id: &str,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let (minor, currency) = (top_up.amount.minor(), top_up.amount.currency());
        let credit = Transaction::top_up(top_up.user_id, minor, top_up.id, payment_id.to_owned())
            .map_err(|error| SystemError::Invariant(error.to_string()))?;
        if ledger::post(tx, &credit, currency.code(), now).await? == Posted::Done {
            let event = events::topped_up(minor, currency.code(), payment_id);
            publish(tx, Cause::Service, top_up.user_id, &event).await?;
            self.wallets.changed_by(tx, top_up.user_id);
        }
        Ok(())
    }

    /// Asks the provider about top-ups that nothing was heard of for two minutes: reports may be lost. Gives how many had
    /// an answer that changed something.
    ///
    /// # Errors
    /// Database errors; a provider that is away is asked again next time.
    pub async fn reconcile_top_ups(&self, now: DateTime<Utc>) -> Result<usize, SystemError> {
        let pending =
            top_ups::pending_between(self.db.read(), now - ASK_UNTIL, now - ASK_AFTER, ASK_BATCH).await?;
        let mut changed = 0;
        for top_up in pending {
            let asked = match &top_up.payment_id {
                Some(payment_id) => {
                    self.payments.provider.find(payment_id).await.map_err(|error| error.to_string())
                }
                // We ended between asking for the payment and noting the answer.
                None => self.create_payment(&top_up).await.map_err(|error| error.to_string()),
            };
            match asked {
                Ok(payment) => {
                    let payment = &payment;
                    let applied =
                        self.db.transaction(|tx| async move { self.apply_payment(&tx, payment, now).await });
                    changed += usize::from(applied.await? == Heard::Done);
                }
                Err(reason) => {
                    tracing::warn!(top_up = %top_up.id, reason, "cannot ask about a top-up");
                }
            }
        }
        Ok(changed)
    }
}

async fn begin(tx: Tx, user_id: Uuid, amount: Money, now: DateTime<Utc>) -> Result<Uuid, Failure> {
    let user = users::find(&tx, user_id).await?.ok_or(Refusal::UserNotFound)?;
    if user.status == UserStatus::Banned {
        return Err(Refusal::UserBanned.into());
    }
    let id = Uuid::now_v7();
    let top_up = TopUp {
        id,
        user_id,
        amount,
        status: TopUpStatus::Pending,
        payment_id: None,
        url: None,
        created_at: now,
    };
    top_ups::insert(&tx, &top_up).await?;
    Ok(id)
}
