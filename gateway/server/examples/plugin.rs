//! A gateway with code of its own at two stages: `cargo run -p kopitiam-server --example plugin -- supergraph.graphql`.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, StatusCode, request};
use kopitiam_server::{Options, Plugin, PluginRefusal, SubgraphCall, Transport, serve};
use tokio_util::sync::CancellationToken;

const TENANT: HeaderName = HeaderName::from_static("x-tenant");

/// Lets nobody in without a tenant, and tells the subgraphs that they are called by this program.
#[derive(Debug)]
struct Tenants;

#[async_trait]
impl Plugin for Tenants {
    async fn request(&self, request: &mut request::Parts) -> Result<(), PluginRefusal> {
        if request.headers.contains_key(TENANT) {
            return Ok(());
        }
        let (code, message) = ("NO_TENANT".to_owned(), "which tenant?".to_owned());
        Err(PluginRefusal { status: StatusCode::BAD_REQUEST, code, message })
    }

    async fn subgraph_request(&self, call: &mut SubgraphCall<'_>) {
        call.headers.insert("x-caller", HeaderValue::from_static("shop"));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "supergraph.graphql".to_owned());
    let mut options = Options::new(std::fs::read_to_string(file)?, Transport::new());
    options.plugins.push(Arc::new(Tenants));
    serve(options, CancellationToken::new()).await?;
    Ok(())
}
