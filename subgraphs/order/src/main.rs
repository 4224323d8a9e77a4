//! The order service as a process of its own; settings from the environment (`kopitiam_kit::config`).

use kopitiam_order::app;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    kopitiam_kit::service::main("order", app::start, app::desk()).await
}
