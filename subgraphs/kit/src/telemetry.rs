//! Logs: JSON on standard output in production, plain text where a person reads along. `RUST_LOG` chooses what.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,sqlx=warn,sea_orm=warn,sea_orm_migration=warn,rdkafka=warn";

/// Starts logging; a second call changes nothing.
pub fn init() {
    init_with(DEFAULT_FILTER);
}

/// Starts logging with another default for `RUST_LOG`; a second call changes nothing.
pub fn init_with(default_filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default_filter));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter);
    let started = if std::io::stdout().is_terminal() {
        subscriber.try_init()
    } else {
        subscriber.json().flatten_event(true).try_init()
    };
    drop(started);
}
