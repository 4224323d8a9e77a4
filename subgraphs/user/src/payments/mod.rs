//! Payment providers: who takes real money in, for top-ups.
//!
//! - [`Stripe`]: payment intents over HTTP, signed webhooks
//! - [`NoProvider`]: none is configured; every top-up is refused
//! - [`simulator`]: a provider's server with the same interface, for development and tests
//!
//! Always: a payment is created under the top-up's id as idempotency key, so asking again makes no second payment; a report
//! counts only when its signature over the raw bytes and its age are right.

pub mod signature;
pub mod simulator;
mod stripe;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kopitiam_kit::{Money, config};
use uuid::Uuid;

pub use stripe::{Stripe, StripeSettings};

use crate::domain::top_up::TopUpStatus;

/// Why a provider did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// It said no; asking again will not help.
    #[error("the payment provider refused: {0}")]
    Refused(String),
    /// It is away, slow or confused; asking again may help.
    #[error("the payment provider is away: {0}")]
    Away(String),
    /// A setting is missing or not understood.
    #[error("{0}")]
    Setting(String),
}

/// Why a webhook is not believed. The sender learns nothing but that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No signature, or none that is one.
    #[error("no signature")]
    Unsigned,
    /// Signed with another key, or the body is not what was signed.
    #[error("wrong signature")]
    Forged,
    /// Signed too long ago, or in the future.
    #[error("signed at another time")]
    Stale,
    /// Signed, but not what a provider sends.
    #[error("not an event")]
    Malformed,
}

/// A payment to make.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Idempotency key and metadata.
    pub top_up_id: Uuid,
    /// Metadata.
    pub user_id: Uuid,
    /// How much.
    pub amount: Money,
    /// Where the person goes afterwards.
    pub return_url: String,
}

/// A payment as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The provider's id.
    pub id: String,
    /// From its metadata.
    pub top_up_id: Option<Uuid>,
    /// How far it is.
    pub status: TopUpStatus,
    /// What was asked for, or received once it succeeded; minor units.
    pub minor: i64,
    /// ISO 4217, upper case.
    pub currency: String,
    /// Where the person pays.
    pub url: Option<String>,
}

/// A report from the provider; `None` for kinds that say nothing about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Names the report for ever.
    pub id: String,
    /// The payment as of then.
    pub payment: Option<Payment>,
}

/// A payment provider. Two implementations: [`Stripe`], [`NoProvider`].
#[async_trait::async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Makes the payment, or gives the one made before under the same top-up.
    ///
    /// # Errors
    /// [`PaymentError`].
    async fn create(&self, wanted: &Wanted) -> Result<Payment, PaymentError>;

    /// The payment as of now.
    ///
    /// # Errors
    /// [`PaymentError`].
    async fn find(&self, payment_id: &str) -> Result<Payment, PaymentError>;

    /// Reads a report that came at `now` with this signature header.
    ///
    /// # Errors
    /// [`WebhookError`].
    fn read_report(
        &self,
        signature: Option<&str>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Report, WebhookError>;
}

/// No provider is configured.
pub struct NoProvider;

#[async_trait::async_trait]
impl PaymentProvider for NoProvider {
    async fn create(&self, _wanted: &Wanted) -> Result<Payment, PaymentError> {
        Err(PaymentError::Refused("no payment provider is configured".to_owned()))
    }

    async fn find(&self, _payment_id: &str) -> Result<Payment, PaymentError> {
        Err(PaymentError::Refused("no payment provider is configured".to_owned()))
    }

    fn read_report(
        &self,
        _signature: Option<&str>,
        _body: &[u8],
        _now: DateTime<Utc>,
    ) -> Result<Report, WebhookError> {
        Err(WebhookError::Unsigned)
    }
}

/// Which provider `PAYMENT_PROVIDER` names: `stripe` (with `PAYMENT_API_KEY`, `PAYMENT_WEBHOOK_SECRET`, and
/// `PAYMENT_API_URL` for another server that speaks the same), `simulator` for development, nothing for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Top-ups are refused.
    Nothing,
    /// A simulator in this process: its money is not real.
    Simulator,
    /// A real one.
    Stripe(StripeSettings),
}

impl Choice {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`PaymentError::Setting`] naming the variable.
    pub fn from_env() -> Result<Choice, PaymentError> {
        let needed = |name: &'static str| {
            config::required(name, "needed with PAYMENT_PROVIDER=stripe")
                .map_err(|error| PaymentError::Setting(error.to_string()))
        };
        match config::variable("PAYMENT_PROVIDER").as_deref() {
            None => Ok(Choice::Nothing),
            Some("simulator") => Ok(Choice::Simulator),
            Some("stripe") => Ok(Choice::Stripe(StripeSettings {
                api_url: config::variable("PAYMENT_API_URL")
                    .unwrap_or_else(|| "https://api.stripe.com".to_owned()),
                api_key: needed("PAYMENT_API_KEY")?,
                webhook_secret: needed("PAYMENT_WEBHOOK_SECRET")?,
            })),
            Some(other) => {
                Err(PaymentError::Setting(format!("PAYMENT_PROVIDER=`{other}`: stripe or simulator")))
            }
        }
    }
}

/// What top-ups need: the provider, and where people come back to.
#[derive(Clone)]
pub struct Payments {
    /// Who takes the money in.
    pub provider: Arc<dyn PaymentProvider>,
    /// Where a person goes after paying.
    pub return_url: Arc<str>,
}
