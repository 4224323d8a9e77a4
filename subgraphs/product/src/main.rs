//! The product service on a port of its own. All of it is in the library.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    kopitiam_kit::service::main("product", kopitiam_product::app::start).await
}
