//! The listing service as a program of its own: settings from the environment, HTTP until SIGTERM.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    kopitiam_kit::service::main("listing", kopitiam_listing::app::start).await
}
