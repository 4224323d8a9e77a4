//! The listing service as a program of its own: settings from the environment, HTTP until SIGTERM.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let copies = kopitiam_listing::projections::users::Copies;
    kopitiam_kit::service::main_with("listing", kopitiam_listing::app::start, Some(copies)).await
}
