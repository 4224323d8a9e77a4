//! A payment provider's server for development and tests: payment intents, a page to pay on, signed webhooks. Its money is
//! not real; all the rest is as over the network, faults included.
//!
//! - `server.rs`: its HTTP interface
//! - [`Faults`]: what goes wrong on purpose
//!
//! Always: what it was told is in its memory only; it speaks on loopback addresses only.

mod server;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use kopitiam_kit::time;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{StripeSettings, signature};

const DELIVER_WITHIN: Duration = Duration::from_secs(10);
/// Deliveries of one event before it is given up; a real provider tries for days.
const DELIVERIES_MAX: u32 = 5;

/// What goes wrong on purpose.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// So many requests are answered with 500 before anything is done.
    pub refused_requests: u32,
    /// So many requests are done and then answered with 500: the other side does not learn of it.
    pub lost_answers: u32,
    /// Answers wait this long.
    pub answer_delay: Duration,
    /// Each event is delivered so many times more.
    pub duplicates: u32,
    /// Waiting events are delivered last first.
    pub reversed: bool,
    /// Events are signed as if this much later (earlier when negative).
    pub clock_skew: TimeDelta,
}

/// What the person does on the payment page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Pays.
    Paid,
    /// The card is refused; another try is possible.
    Declined,
}

struct Intent {
    amount: i64,
    currency: String,
    metadata: HashMap<String, String>,
    return_url: String,
    status: &'static str,
    last_error: bool,
}

#[derive(Default)]
struct State {
    intents: HashMap<String, Intent>,
    /// Idempotency key → what it was first used for, and the intent made.
    keys: HashMap<String, (String, String)>,
    events: Vec<Value>,
    faults: Faults,
}

/// A running simulator. Clones are the same one; it runs as long as the process.
#[derive(Clone)]
pub struct Simulator {
    address: SocketAddr,
    api_key: Arc<str>,
    webhook_secret: Arc<str>,
    webhook_url: Arc<Mutex<Option<String>>>,
    /// Whether events go out as soon as they happen.
    at_once: bool,
    state: Arc<Mutex<State>>,
}

impl Simulator {
    /// Starts one on a free port. With `at_once` it delivers events by itself; else [`Self::deliver`] does.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(at_once: bool) -> std::io::Result<Simulator> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let secret = |prefix: &str| format!("{prefix}_{}", Uuid::new_v4().simple()).into();
        let simulator = Simulator {
            address: listener.local_addr()?,
            api_key: secret("sk_test"),
            webhook_secret: secret("whsec"),
            webhook_url: Arc::default(),
            at_once,
            state: Arc::default(),
        };
        let router = server::router(simulator.clone());
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the payment simulator ended");
            }
        });
        Ok(simulator)
    }

    /// How an adapter reaches it.
    pub fn settings(&self) -> StripeSettings {
        StripeSettings {
            api_url: format!("http://{}", self.address),
            api_key: self.api_key.to_string(),
            webhook_secret: self.webhook_secret.to_string(),
        }
    }

    /// Where events go.
    pub fn deliver_to(&self, url: String) {
        *self.webhook_url.lock().expect("no code panics while it holds this lock") = Some(url);
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// How many payments were made.
    pub fn payments(&self) -> usize {
        self.state().intents.len()
    }

    /// The payment of that top-up.
    pub fn payment_of(&self, top_up_id: Uuid) -> Option<String> {
        let wanted = top_up_id.to_string();
        let state = self.state();
        let mut found =
            state.intents.iter().filter(|(_, intent)| intent.metadata.get("top_up_id") == Some(&wanted));
        found.next().map(|(id, _)| id.clone())
    }

    /// The person acts on the payment page; `false` when there is no such payment or it is paid already.
    pub fn act(&self, payment_id: &str, outcome: Outcome) -> bool {
        let mut state = self.state();
        let Some(intent) = state.intents.get_mut(payment_id) else { return false };
        if intent.status == "succeeded" {
            return false;
        }
        let kind = match outcome {
            Outcome::Paid => {
                intent.status = "succeeded";
                intent.last_error = false;
                "payment_intent.succeeded"
            }
            Outcome::Declined => {
                intent.status = "requires_payment_method";
                intent.last_error = true;
                "payment_intent.payment_failed"
            }
        };
        let object = intent.as_json(payment_id, self.address);
        let id = format!("evt_{}", Uuid::new_v4().simple());
        state.events.push(json!({ "id": id, "object": "event", "type": kind, "data": { "object": object } }));
        drop(state);
        if self.at_once {
            let simulator = self.clone();
            tokio::spawn(async move { simulator.deliver().await });
        }
        true
    }

    /// Delivers what waits, with the faults that are set; gives the status of each delivery (0: nobody answered). What was
    /// not taken waits again.
    pub async fn deliver(&self) -> Vec<u16> {
        let url = self.webhook_url.lock().expect("no code panics while it holds this lock").clone();
        let Some(url) = url else { return Vec::new() };
        let (mut events, faults) = {
            let mut state = self.state();
            (std::mem::take(&mut state.events), state.faults.clone())
        };
        if faults.reversed {
            events.reverse();
        }
        let mut statuses = Vec::new();
        for event in events {
            let mut taken = false;
            for _ in 0..=faults.duplicates {
                let (status, copies) = self.deliver_one(&url, &event, &faults).await;
                taken |= (200..300).contains(&status);
                statuses.extend(std::iter::repeat_n(status, copies));
            }
            if !taken && !self.at_once {
                self.state().events.push(event);
            }
        }
        statuses
    }

    async fn deliver_one(&self, url: &str, event: &Value, faults: &Faults) -> (u16, usize) {
        let client = reqwest::Client::builder().timeout(DELIVER_WITHIN).build();
        let Ok(client) = client else { return (0, 1) };
        let body = event.to_string().into_bytes();
        let tries = if self.at_once { DELIVERIES_MAX } else { 1 };
        let mut status = 0;
        for attempt in 1..=tries {
            let header = signature::sign(&self.webhook_secret, &body, time::now() + faults.clock_skew);
            let request = client.post(url).header("stripe-signature", header).body(body.clone());
            status = request.send().await.map_or(0, |response| response.status().as_u16());
            if (200..300).contains(&status) || attempt == tries {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200) * attempt).await;
        }
        (status, 1)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

impl Intent {
    fn as_json(&self, id: &str, address: SocketAddr) -> Value {
        let received = if self.status == "succeeded" { self.amount } else { 0 };
        let next_action = if self.status == "succeeded" {
            Value::Null
        } else {
            json!({ "type": "redirect_to_url", "redirect_to_url": { "url": format!("http://{address}/pay/{id}") } })
        };
        let last_error = if self.last_error { json!({ "code": "card_declined" }) } else { Value::Null };
        json!({
            "id": id, "object": "payment_intent", "status": self.status, "amount": self.amount,
            "amount_received": received, "currency": self.currency, "metadata": self.metadata,
            "next_action": next_action, "last_payment_error": last_error,
        })
    }
}
