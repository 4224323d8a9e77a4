//! Log lines on stderr: JSON for machines, text for people.
//!
//! Always: stdout stays free for what a command prints. Values are escaped by the formatters, so a client cannot forge
//! a line.

use std::io::stderr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::LogFormat;

/// Starts logging for this process. A second call has no effect.
///
/// # Errors
/// When `filter` is not a list of levels by target.
pub fn init(format: LogFormat, filter: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // An error means that the embedding program has a subscriber of its own, which then gets our events.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    Ok(())
}
