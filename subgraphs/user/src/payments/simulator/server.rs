//! The simulator's HTTP interface: `/v1/payment_intents` for shops, `/pay/{id}` for people.

use std::collections::HashMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Intent, Outcome, Simulator};

pub(super) fn router(simulator: Simulator) -> Router {
    Router::new()
        .route("/v1/payment_intents", post(create))
        .route("/v1/payment_intents/{id}", get(find))
        .route("/pay/{id}", get(page).post(decide))
        .with_state(simulator)
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn error(status: StatusCode, code: &str) -> Response {
    answer(status, &json!({ "error": { "type": "invalid_request_error", "code": code } }))
}

fn is_shop(simulator: &Simulator, headers: &HeaderMap) -> bool {
    let expected = format!("Bearer {}", simulator.api_key);
    headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

/// The fields of a form body.
fn fields(body: &[u8]) -> HashMap<String, String> {
    reqwest::Url::parse(&format!("http://form/?{}", String::from_utf8_lossy(body)))
        .map(|url| url.query_pairs().into_owned().collect())
        .unwrap_or_default()
}

async fn create(State(simulator): State<Simulator>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_shop(&simulator, &headers) {
        return error(StatusCode::UNAUTHORIZED, "api_key_invalid");
    }
    let delay = simulator.state().faults.answer_delay;
    tokio::time::sleep(delay).await;
    let mut state = simulator.state();
    if state.faults.refused_requests > 0 {
        state.faults.refused_requests -= 1;
        return error(StatusCode::INTERNAL_SERVER_ERROR, "api_error");
    }
    let form = fields(&body);
    let text = String::from_utf8_lossy(&body).into_owned();
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let id = match state.keys.get(key) {
        Some((first, _)) if *first != text => {
            return error(StatusCode::BAD_REQUEST, "idempotency_key_in_use");
        }
        Some((_, id)) => id.clone(),
        None => {
            let Some(intent) = intent(&form) else {
                return error(StatusCode::BAD_REQUEST, "parameter_invalid");
            };
            let id = format!("pi_{}", Uuid::new_v4().simple());
            state.intents.insert(id.clone(), intent);
            state.keys.insert(key.to_owned(), (text, id.clone()));
            id
        }
    };
    if state.faults.lost_answers > 0 {
        state.faults.lost_answers -= 1;
        return error(StatusCode::INTERNAL_SERVER_ERROR, "api_error");
    }
    let found = state.intents.get(&id).map(|intent| intent.as_json(&id, simulator.address));
    answer(StatusCode::OK, &found.unwrap_or_default())
}

fn intent(form: &HashMap<String, String>) -> Option<Intent> {
    let metadata = form.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((name.to_owned(), value.clone()))
    });
    Some(Intent {
        amount: form.get("amount")?.parse().ok().filter(|amount| *amount > 0)?,
        currency: form.get("currency")?.clone(),
        metadata: metadata.collect(),
        return_url: form.get("return_url")?.clone(),
        status: "requires_action",
        last_error: false,
    })
}

async fn find(State(simulator): State<Simulator>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !is_shop(&simulator, &headers) {
        return error(StatusCode::UNAUTHORIZED, "api_key_invalid");
    }
    let state = simulator.state();
    match state.intents.get(&id) {
        Some(intent) => answer(StatusCode::OK, &intent.as_json(&id, simulator.address)),
        None => error(StatusCode::NOT_FOUND, "resource_missing"),
    }
}

async fn page(State(simulator): State<Simulator>, Path(id): Path<String>) -> Response {
    let state = simulator.state();
    let Some(intent) = state.intents.get(&id) else {
        return (StatusCode::NOT_FOUND, "no such payment").into_response();
    };
    let whole = intent.amount / 100;
    let cents = intent.amount % 100;
    // The currency is the only text of others in this page, and three letters at most.
    let currency: String = intent.currency.chars().filter(char::is_ascii_alphabetic).take(3).collect();
    let form = "<form method=post><button name=outcome value=pay>Pay</button> \
                <button name=outcome value=decline>Let the card be refused</button></form>";
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Payment simulator</title>\
         <h1>Payment simulator</h1><p>No real money. To pay: {whole}.{cents:02} {currency}</p>{form}</html>"
    ))
    .into_response()
}

async fn decide(State(simulator): State<Simulator>, Path(id): Path<String>, body: Bytes) -> Response {
    let paid = fields(&body).get("outcome").is_some_and(|outcome| outcome == "pay");
    simulator.act(&id, if paid { Outcome::Paid } else { Outcome::Declined });
    let back = simulator.state().intents.get(&id).map(|intent| intent.return_url.clone());
    match back {
        Some(url) => Redirect::to(&url).into_response(),
        None => (StatusCode::NOT_FOUND, "no such payment").into_response(),
    }
}
