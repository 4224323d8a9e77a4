//! The product service on a port of its own. All of it is in the library.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let ratings = kopitiam_product::projections::review_events::ReviewEvents;
    kopitiam_kit::service::main_with("product", kopitiam_product::app::start, Some(ratings)).await
}
