//! The two small subgraphs of the manual and of the tests, on fixed ports of loopback.
//! `cargo run -p kopitiam-server --example subgraphs`

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::net::TcpListener;

#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use more of it")]
#[path = "../tests/server/common/subgraphs.rs"]
mod subgraphs;

async fn serve(router: Router, port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    axum::serve(listener, router).await
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tokio::try_join!(serve(subgraphs::products().router, 4001), serve(subgraphs::reviews(), 4002))?;
    Ok(())
}
