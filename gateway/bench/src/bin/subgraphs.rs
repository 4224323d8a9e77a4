//! The benchmark's subgraphs: `bench-subgraphs ADDRESS [DELAY_MS]`.

use std::net::SocketAddr;
use std::time::Duration;

use kopitiam_bench::subgraphs::{Requests, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().ok_or("usage: bench-subgraphs ADDRESS [DELAY_MS]")?.parse()?;
    let delay: u64 = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router(Duration::from_millis(delay), &Requests::default())).await?;
    Ok(())
}
