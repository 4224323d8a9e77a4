//! The user service on a port of its own. All of it is in the library.
//!
//! `user service-secret NAME` gives the service NAME a new secret for `POST /oauth/token` and prints it this once;
//! `user service-disable NAME` takes it away.

use std::io::Write as _;

use kopitiam_user::app;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["service-secret", name] => {
            let secret = app::operate().await?.issue_service_secret(name).await?;
            Ok(writeln!(std::io::stdout(), "{secret}")?)
        }
        ["service-disable", name] => Ok(app::operate().await?.disable_service(name).await?),
        _ => kopitiam_kit::service::main("user", app::start, app::desk()).await,
    }
}
