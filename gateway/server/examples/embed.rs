//! A gateway inside another axum program: `cargo run -p kopitiam-server --example embed -- supergraph.graphql`.
//!
//! One subgraph (`hello`) is a router of this process, the others are reached at their URL in the supergraph.

use axum::routing::{get, post};
use axum::{Json, Router};
use kopitiam_server::{Options, Transport, serve};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

async fn hello(Json(_request): Json<Value>) -> Json<Value> {
    Json(json!({ "data": { "hello": "kopi" } }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "supergraph.graphql".to_owned());
    let subgraph = Router::new().route("/graphql", post(hello));
    let transport = Transport::new().with_in_process("hello", subgraph);
    let mut options = Options::new(std::fs::read_to_string(file)?, transport);
    options.routes = Router::new().route("/own", get(async || "a page of this program"));
    serve(options, CancellationToken::new()).await?;
    Ok(())
}
