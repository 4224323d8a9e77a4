//! The engine in an axum program, without this crate's server: HTTP to clients and to subgraphs is the program's own.
//! `cargo run -p kopitiam-server --example engine -- supergraph.graphql`

use std::sync::Arc;

use axum::{Json, Router, extract::State, http::header, response::IntoResponse, routing::post};
use bytes::Bytes;
use kopitiam_engine::{Engine, EngineSettings, Request, SubgraphRequest, SubgraphTransport, TransportError};

struct Http(reqwest::Client);

impl SubgraphTransport for Http {
    type Context = ();

    async fn send(&self, request: SubgraphRequest<'_>, (): &()) -> Result<Bytes, TransportError> {
        let url = format!("http://{}.internal/graphql", request.subgraph);
        let request = self.0.post(url).header(header::CONTENT_TYPE, "application/json").body(request.body);
        let answer = request.send().await.map_err(|_| TransportError::Unreachable)?;
        answer.bytes().await.map_err(|_| TransportError::Unreachable)
    }
}

async fn graphql(State(engine): State<Arc<Engine<Http>>>, Json(request): Json<Request>) -> impl IntoResponse {
    let response = match engine.prepare(&request) {
        Ok(prepared) => engine.execute(&prepared, &request, &()).await,
        Err(refused) => refused,
    };
    ([(header::CONTENT_TYPE, "application/json")], response.body)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sdl = std::fs::read_to_string(std::env::args().nth(1).unwrap_or("supergraph.graphql".into()))?;
    let engine = Arc::new(Engine::new(&sdl, Http(reqwest::Client::new()), EngineSettings::default())?);
    let router = Router::new().route("/graphql", post(graphql)).with_state(engine);
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:4000").await?, router).await?;
    Ok(())
}
