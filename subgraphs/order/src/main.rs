//! The order service as a process of its own; settings from the environment (`kopitiam_kit::config`).

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    kopitiam_kit::service::main_with(
        "order",
        kopitiam_order::app::start,
        Some(kopitiam_order::projections::Copies),
    )
    .await
}
