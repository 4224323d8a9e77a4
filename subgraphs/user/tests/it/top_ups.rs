//! Top-ups: the real adapter against the simulator's server, with failures, duplicates, reorderings and forgeries; on
//! SQLite and PostgreSQL.

use std::sync::Arc;

use crate::common::{Shop, codes, error_codes, manager, shops, viewer};
use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::time;
use kopitiam_user::commands::SignedIn;
use kopitiam_user::domain::ledger::AccountKind;
use kopitiam_user::payments::simulator::{Faults, Outcome, Simulator};
use kopitiam_user::payments::{Stripe, signature};
use kopitiam_user::webhooks;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

const START: &str = "mutation($amount: Decimal!, $currency: String!, $key: ID!) {
    startTopUp(amount: $amount, currency: $currency, idempotencyKey: $key) { providerUrl userErrors { code field } } }";

/// The service, a provider that reports to it over HTTP, and a person with 100.00.
struct Till {
    shop: Shop,
    simulator: Simulator,
    webhook: String,
    bob: SignedIn,
}

async fn tills() -> Vec<Till> {
    let mut tills = Vec::new();
    for mut shop in shops().await {
        let simulator = Simulator::start(false).await.unwrap();
        shop.pay_by(Arc::new(Stripe::new(simulator.settings()).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook = format!("http://{}{}", listener.local_addr().unwrap(), webhooks::PATH);
        let router = webhooks::router(shop.commands.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        simulator.deliver_to(webhook.clone());
        let bob = shop.register("bob").await;
        tills.push(Till { shop, simulator, webhook, bob });
    }
    tills
}

impl Till {
    async fn start(&self, amount: &str, key: &str) -> Value {
        let variables = json!({ "amount": amount, "currency": "USD", "key": key });
        self.shop.ask(&viewer(&self.bob), START, variables).await
    }

    /// Begins a top-up and gives the provider's id of its payment.
    async fn begin(&self, amount: &str, key: &str) -> String {
        let answer = self.start(amount, key).await;
        let payload = &answer["data"]["startTopUp"];
        assert_eq!(codes(payload), Vec::<&str>::new(), "{answer}");
        payload["providerUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    async fn available(&self) -> i64 {
        self.shop.balance(self.bob.user.id, AccountKind::Available).await
    }

    /// Sends a body as the provider would, or as somebody else does.
    async fn report(&self, body: &str, header: Option<String>) -> u16 {
        let mut request = reqwest::Client::new().post(&self.webhook).body(body.to_owned());
        if let Some(header) = header {
            request = request.header("stripe-signature", header);
        }
        request.send().await.unwrap().status().as_u16()
    }

    fn signed(&self, body: &str, at: DateTime<Utc>) -> String {
        signature::sign(&self.simulator.settings().webhook_secret, body.as_bytes(), at)
    }
}

fn success(event: &str, payment: &str, minor: i64, currency: &str) -> String {
    let object = json!({ "id": payment, "status": "succeeded", "amount": minor, "amount_received": minor, "currency": currency });
    json!({ "id": event, "type": "payment_intent.succeeded", "data": { "object": object } }).to_string()
}

#[tokio::test]
async fn what_was_paid_is_in_the_wallet_once_whatever_comes_twice() {
    for till in tills().await {
        let payment = till.begin("25.00", "k-1").await;
        assert_eq!(till.begin("25.00", "k-1").await, payment, "the same key is the same payment");
        assert_eq!(till.simulator.payments(), 1);
        assert_eq!(till.available().await, 10_000, "nothing is paid yet");
        assert!(till.simulator.act(&payment, Outcome::Paid));
        till.simulator.set_faults(Faults { duplicates: 3, ..Faults::default() });
        assert_eq!(till.simulator.deliver().await, [200, 200, 200, 200]);
        assert_eq!(till.available().await, 12_500);
        let query =
            "{ me { wallet { entries(first: 1) { edges { node { kind amount { amount } reference } } } }
            notifications(first: 1) { edges { node { kind } } } } }";
        let me = till.shop.ask(&viewer(&till.bob), query, json!({})).await["data"]["me"].clone();
        let entry = &me["wallet"]["entries"]["edges"][0]["node"];
        assert_eq!((&entry["kind"], &entry["reference"]), (&json!("TOP_UP"), &json!(payment)));
        assert_eq!(me["notifications"]["edges"][0]["node"]["kind"], "TOPPED_UP");
        till.shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn reports_in_the_wrong_order_end_in_the_right_state() {
    for till in tills().await {
        let payment = till.begin("25.00", "k-1").await;
        assert!(till.simulator.act(&payment, Outcome::Declined));
        assert!(till.simulator.act(&payment, Outcome::Paid));
        till.simulator.set_faults(Faults { reversed: true, duplicates: 1, ..Faults::default() });
        assert_eq!(till.simulator.deliver().await, [200; 4]);
        assert_eq!(till.available().await, 12_500);
        let declined = till.begin("10.00", "k-2").await;
        assert!(till.simulator.act(&declined, Outcome::Declined));
        till.simulator.deliver().await;
        assert_eq!(till.available().await, 12_500);
        assert!(till.simulator.act(&declined, Outcome::Paid), "the person tries another card");
        till.simulator.deliver().await;
        assert_eq!(till.available().await, 13_500);
        till.shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_failing_provider_makes_no_second_payment_and_a_later_try_goes_on() {
    for till in tills().await {
        till.simulator.set_faults(Faults { refused_requests: 1, lost_answers: 1, ..Faults::default() });
        till.begin("25.00", "k-1").await;
        assert_eq!(till.simulator.payments(), 1, "a lost answer was asked for again, not paid again");
        till.simulator.set_faults(Faults { refused_requests: 99, ..Faults::default() });
        let away = till.start("30.00", "k-2").await;
        assert_eq!(error_codes(&away), ["SERVICE_UNAVAILABLE"]);
        assert!(!away.to_string().contains("sk_test"), "{away}");
        till.simulator.set_faults(Faults::default());
        let payment = till.begin("30.00", "k-2").await;
        assert_eq!(till.simulator.payments(), 2);
        assert!(till.simulator.act(&payment, Outcome::Paid));
        till.simulator.deliver().await;
        assert_eq!(till.available().await, 13_000);
    }
}

#[tokio::test]
async fn a_payment_whose_reports_are_lost_is_found_by_asking() {
    for till in tills().await {
        let payment = till.begin("25.00", "k-1").await;
        assert!(till.simulator.act(&payment, Outcome::Paid));
        assert_eq!(till.shop.commands.reconcile_top_ups(time::now()).await.unwrap(), 0, "too early to ask");
        let later = time::now() + TimeDelta::minutes(3);
        // The answer to our asking and the late report at the same moment.
        let (asked, reported) =
            tokio::join!(till.shop.commands.reconcile_top_ups(later), till.simulator.deliver());
        assert!(asked.is_ok() && reported == [200]);
        assert_eq!(till.available().await, 12_500);
        assert_eq!(till.shop.commands.reconcile_top_ups(later).await.unwrap(), 0);
        // We ended between making the payment and noting it: the report alone names the top-up.
        till.simulator.set_faults(Faults { lost_answers: 3, ..Faults::default() });
        assert_eq!(error_codes(&till.start("10.00", "k-2").await), ["SERVICE_UNAVAILABLE"]);
        assert_eq!(till.shop.commands.reconcile_top_ups(later).await.unwrap(), 0, "known now, not paid yet");
        assert_eq!(till.simulator.payments(), 2);
        assert!(till.simulator.act(&till.begin("10.00", "k-2").await, Outcome::Paid));
        assert_eq!(till.shop.commands.reconcile_top_ups(later).await.unwrap(), 1);
        assert_eq!(till.available().await, 13_500);
        till.shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn forged_stale_and_re_encoded_reports_are_refused_and_replays_do_nothing() {
    for till in tills().await {
        let payment = till.begin("25.00", "k-1").await;
        let body = success("evt_1", &payment, 2500, "usd");
        let now = time::now();
        let forged = Some(signature::sign("whsec_guess", body.as_bytes(), now));
        for (body, header) in [
            (body.clone(), None),
            (body.clone(), forged),
            (body.clone(), Some("t=1,v1=zz".to_owned())),
            (body.clone(), Some(till.signed(&body, now - TimeDelta::minutes(6)))),
            (body.clone(), Some(till.signed(&body, now + TimeDelta::minutes(6)))),
            (format!("{body} "), Some(till.signed(&body, now))),
            ("{}".to_owned(), Some(till.signed("{}", now))),
        ] {
            assert_eq!(till.report(&body, header.clone()).await, 400, "{header:?}");
        }
        assert_eq!(till.available().await, 10_000);
        let header = Some(till.signed(&body, now));
        let all: Vec<u16> =
            futures::future::join_all((0..10).map(|_| till.report(&body, header.clone()))).await;
        assert_eq!(all, [200; 10]);
        assert_eq!(till.available().await, 12_500);
        let large = "x".repeat(70_000);
        assert_eq!(till.report(&large, Some(till.signed(&large, now))).await, 413);
        till.shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_report_that_does_not_fit_its_top_up_credits_nothing() {
    for till in tills().await {
        let payment = till.begin("25.00", "k-1").await;
        let now = time::now();
        for (at, body) in [
            success("evt_1", &payment, 2501, "usd"),
            success("evt_2", &payment, 2500, "jpy"),
            success("evt_3", "pi_unknown", 2500, "usd"),
            json!({ "id": "evt_4", "type": "charge.refunded", "data": { "object": {} } }).to_string(),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(till.report(&body, Some(till.signed(&body, now))).await, 200, "{at}: taken note of");
        }
        assert_eq!(till.available().await, 10_000);
        let right = success("evt_5", &payment, 2500, "usd");
        till.report(&right, Some(till.signed(&right, now))).await;
        assert_eq!(till.available().await, 12_500);
    }
}

#[tokio::test]
async fn senseless_top_ups_are_refused_before_anybody_is_asked() {
    for till in tills().await {
        for (amount, code) in [
            ("0.99", "AMOUNT_INVALID"),
            ("5000.01", "AMOUNT_INVALID"),
            ("-5", "AMOUNT_INVALID"),
            ("1e9", "INVALID_AMOUNT"),
        ] {
            assert_eq!(codes(&till.start(amount, amount).await["data"]["startTopUp"]), [code], "{amount}");
        }
        let yen = json!({ "amount": "500", "currency": "JPY", "key": "yen" });
        let answer = till.shop.ask(&viewer(&till.bob), START, yen.clone()).await;
        assert_eq!(codes(&answer["data"]["startTopUp"]), ["CURRENCY_UNSUPPORTED"]);
        assert_eq!(error_codes(&till.shop.ask(&Viewer::anonymous(), START, yen).await), ["UNAUTHENTICATED"]);
        till.begin("20.00", "k-1").await;
        let other = till.start("21.00", "k-1").await;
        assert_eq!(codes(&other["data"]["startTopUp"]), ["IDEMPOTENCY_MISMATCH"]);
        till.shop.commands.ban(manager().user_id().unwrap(), till.bob.user.id, "Stolen cards").await.unwrap();
        assert_eq!(codes(&till.start("20.00", "k-2").await["data"]["startTopUp"]), ["USER_BANNED"]);
        assert_eq!(till.simulator.payments(), 1);
        assert!(till.simulator.payment_of(Uuid::now_v7()).is_none());
    }
}

#[tokio::test]
async fn without_a_provider_top_ups_are_refused_and_no_report_is_believed() {
    for shop in shops().await {
        let bob = shop.register("bob").await;
        let variables = json!({ "amount": "20.00", "currency": "USD", "key": "k" });
        let answer = shop.ask(&viewer(&bob), START, variables).await;
        assert_eq!(codes(&answer["data"]["startTopUp"]), ["PAYMENT_REFUSED"]);
        let report = shop.commands.payments.provider.read_report(Some("t=1,v1=00"), b"{}", time::now());
        assert!(report.is_err());
    }
}
