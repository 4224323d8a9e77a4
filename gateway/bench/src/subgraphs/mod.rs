//! The four subgraphs on one listener, and a count of the requests they get.
//!
//! - `data.rs`: what they hold
//! - `accounts.rs`, `inventory.rs`, `products.rs`, `reviews.rs`: one schema each
//!
//! Elsewhere: composing them (the gateway's `compose`).

mod accounts;
pub(crate) mod data;
mod inventory;
mod products;
mod reviews;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_graphql::{EmptyMutation, EmptySubscription, ObjectType, Request, SDLExportOptions, Schema};
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

type Subgraph<Q> = Schema<Q, EmptyMutation, EmptySubscription>;

/// Names in the order of the routes; each is served at `/<name>`.
pub const NAMES: [&str; 4] = ["accounts", "inventory", "products", "reviews"];

/// A subgraph's federation SDL.
///
/// # Panics
/// When `name` is not one of [`NAMES`].
pub fn sdl(name: &str) -> String {
    fn of<Q: ObjectType + 'static>(schema: &Subgraph<Q>) -> String {
        schema.sdl_with_options(SDLExportOptions::new().federation())
    }
    match name {
        "accounts" => of(&accounts::schema()),
        "inventory" => of(&inventory::schema()),
        "products" => of(&products::schema()),
        "reviews" => of(&reviews::schema()),
        _ => panic!("no subgraph is called `{name}`"),
    }
}

/// How many GraphQL requests the subgraphs got. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Requests(Arc<AtomicU64>);

impl Requests {
    /// All so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The four schemas, built. Cheap to clone.
#[derive(Clone)]
pub struct Subgraphs {
    accounts: Subgraph<accounts::Query>,
    inventory: Subgraph<inventory::Query>,
    products: Subgraph<products::Query>,
    reviews: Subgraph<reviews::Query>,
}

impl std::fmt::Debug for Subgraphs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Subgraphs")
    }
}

impl Default for Subgraphs {
    fn default() -> Self {
        Self {
            accounts: accounts::schema(),
            inventory: inventory::schema(),
            products: products::schema(),
            reviews: reviews::schema(),
        }
    }
}

impl Subgraphs {
    /// A GraphQL response for a request's body; `None` when no subgraph has this name or the body is no request.
    pub async fn answer(&self, name: &str, body: &[u8]) -> Option<Bytes> {
        let request: Request = serde_json::from_slice(body).ok()?;
        let answer = match name {
            "accounts" => self.accounts.execute(request).await,
            "inventory" => self.inventory.execute(request).await,
            "products" => self.products.execute(request).await,
            "reviews" => self.reviews.execute(request).await,
            _ => return None,
        };
        Some(serde_json::to_vec(&answer).expect("a response in memory always serialises").into())
    }
}

/// All four, each at its name; `GET /requests` answers with their count. Every answer waits for `delay`.
pub fn router(delay: Duration, requests: &Requests) -> Router {
    let (counted, requests) = (requests.clone(), requests.clone());
    let subgraphs = Subgraphs::default();
    let serve = async move |Path(name): Path<String>, body: Bytes| -> Response {
        requests.0.fetch_add(1, Ordering::Relaxed);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match subgraphs.answer(&name, &body).await {
            Some(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
            None => StatusCode::BAD_REQUEST.into_response(),
        }
    };
    Router::new()
        .route("/{name}", post(serve))
        .route("/requests", get(move || std::future::ready(counted.count().to_string())))
}
