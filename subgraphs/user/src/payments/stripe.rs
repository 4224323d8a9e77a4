//! Payment intents over HTTP, as Stripe has them.
//!
//! Always: every creation carries the top-up's id as idempotency key, so a lost answer is asked for again without a second
//! payment; answers are bounded in time and size; the key is in no log and no error.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use serde::Deserialize;
use uuid::Uuid;

use super::{Payment, PaymentError, PaymentProvider, Report, Wanted, WebhookError, signature};
use crate::domain::top_up::TopUpStatus;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// The interface's version that this adapter is written for.
const VERSION: &str = "2025-03-31.basil";

/// How to reach the provider.
#[derive(Clone, PartialEq, Eq)]
pub struct StripeSettings {
    /// Such as `https://api.stripe.com`.
    pub api_url: String,
    /// Secret.
    pub api_key: String,
    /// Secret that webhooks are signed with.
    pub webhook_secret: String,
}

impl std::fmt::Debug for StripeSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StripeSettings").field("api_url", &self.api_url).finish_non_exhaustive()
    }
}

/// The adapter.
pub struct Stripe {
    client: Client,
    settings: StripeSettings,
}

impl Stripe {
    /// An adapter; connects when the first payment is made.
    ///
    /// # Errors
    /// [`PaymentError::Setting`] when the HTTP client cannot be set up.
    pub fn new(settings: StripeSettings) -> Result<Stripe, PaymentError> {
        let client = Client::builder()
            .timeout(ANSWER_WITHIN)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| PaymentError::Setting(format!("HTTP client: {error}")))?;
        Ok(Stripe { client, settings })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/payment_intents{path}", self.settings.api_url.trim_end_matches('/'))
    }

    /// Sends until there is an answer that asking again would not change, at most three times.
    async fn ask(&self, request: RequestBuilder) -> Result<Payment, PaymentError> {
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let again = request.try_clone().expect("the body is in memory");
            match self.ask_once(again).await {
                Err(PaymentError::Away(reason)) if tries < TRIES => {
                    tracing::warn!(tries, reason, "the payment provider is asked again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn ask_once(&self, request: RequestBuilder) -> Result<Payment, PaymentError> {
        let away = |error: reqwest::Error| PaymentError::Away(error.without_url().to_string());
        let request = request.bearer_auth(&self.settings.api_key).header("stripe-version", VERSION);
        let mut response = request.send().await.map_err(away)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(PaymentError::Away("the answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            let intent: Intent =
                serde_json::from_slice(&body).map_err(|error| PaymentError::Away(error.to_string()))?;
            return Ok(intent.into());
        }
        let error: Refusal = serde_json::from_slice(&body).unwrap_or_default();
        let reason = format!("{status} {}", error.error.code.or(error.error.kind).unwrap_or_default());
        if status.is_server_error() || [StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS].contains(&status)
        {
            Err(PaymentError::Away(reason))
        } else {
            Err(PaymentError::Refused(reason))
        }
    }
}

#[async_trait::async_trait]
impl PaymentProvider for Stripe {
    async fn create(&self, wanted: &Wanted) -> Result<Payment, PaymentError> {
        let form = [
            ("amount", wanted.amount.minor().to_string()),
            ("currency", wanted.amount.currency().code().to_lowercase()),
            ("confirm", "true".to_owned()),
            ("automatic_payment_methods[enabled]", "true".to_owned()),
            ("return_url", wanted.return_url.clone()),
            ("metadata[top_up_id]", wanted.top_up_id.to_string()),
            ("metadata[user_id]", wanted.user_id.to_string()),
        ];
        let request = self.client.post(self.url(""));
        self.ask(request.header("idempotency-key", wanted.top_up_id.to_string()).form(&form)).await
    }

    async fn find(&self, payment_id: &str) -> Result<Payment, PaymentError> {
        // The id is the provider's own, but it goes into a path.
        if payment_id.is_empty() || !payment_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(PaymentError::Refused("not a payment id".to_owned()));
        }
        self.ask(self.client.get(self.url(&format!("/{payment_id}")))).await
    }

    fn read_report(
        &self,
        header: Option<&str>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Report, WebhookError> {
        signature::verify(&self.settings.webhook_secret, header, body, now)?;
        let event: Event = serde_json::from_slice(body).map_err(|_| WebhookError::Malformed)?;
        let reported = match event.kind.as_str() {
            "payment_intent.succeeded" => Some(TopUpStatus::Succeeded),
            "payment_intent.payment_failed" | "payment_intent.canceled" => Some(TopUpStatus::Failed),
            _ => None,
        };
        let payment = match reported {
            Some(status) => {
                let intent: Intent =
                    serde_json::from_value(event.data.object).map_err(|_| WebhookError::Malformed)?;
                Some(Payment { status, ..intent.into() })
            }
            None => None,
        };
        Ok(Report { id: event.id, payment })
    }
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    object: serde_json::Value,
}

#[derive(Deserialize)]
struct Intent {
    id: String,
    status: String,
    amount: i64,
    #[serde(default)]
    amount_received: i64,
    currency: String,
    #[serde(default)]
    metadata: Metadata,
    last_payment_error: Option<serde_json::Value>,
    next_action: Option<NextAction>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    top_up_id: Option<Uuid>,
}

#[derive(Deserialize)]
struct NextAction {
    redirect_to_url: Option<Redirect>,
}

#[derive(Deserialize)]
struct Redirect {
    url: String,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: RefusalDetail,
}

#[derive(Default, Deserialize)]
struct RefusalDetail {
    code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl From<Intent> for Payment {
    fn from(intent: Intent) -> Payment {
        let status = match intent.status.as_str() {
            "succeeded" => TopUpStatus::Succeeded,
            "canceled" => TopUpStatus::Failed,
            _ if intent.last_payment_error.is_some() => TopUpStatus::Failed,
            _ => TopUpStatus::Pending,
        };
        let minor = if status == TopUpStatus::Succeeded { intent.amount_received } else { intent.amount };
        Payment {
            id: intent.id,
            top_up_id: intent.metadata.top_up_id,
            status,
            minor,
            currency: intent.currency.to_uppercase(),
            url: intent.next_action.and_then(|action| action.redirect_to_url).map(|redirect| redirect.url),
        }
    }
}
