//! The product service on a port of its own. All of it is in the library.

use kopitiam_product::app;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    kopitiam_kit::service::main("product", app::start, app::desk()).await
}
