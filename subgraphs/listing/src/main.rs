//! The listing service as a program of its own: settings from the environment, HTTP until SIGTERM.

use kopitiam_listing::app;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    kopitiam_kit::service::main("listing", app::start, app::desk()).await
}
