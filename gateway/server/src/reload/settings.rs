//! The file of settings, followed while the gateway serves.
//!
//! Always: what the command line says holds over what the file says, also after a change.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file::WatchedFile;
use super::source::Reader;
use crate::config::{Config, LogFormat};
use crate::server::SchemaHandle;
use crate::subgraph_client::HttpClient;

/// What the command line says over the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    pub(crate) supergraph: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) dev: bool,
    pub(crate) log_format: Option<LogFormat>,
}

impl Overrides {
    pub(crate) fn apply(&self, config: &mut Config) {
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(file) = &self.supergraph {
            config.supergraph.only_file(file.clone());
        }
        config.dev |= self.dev;
        if let Some(format) = self.log_format.or(self.dev.then_some(LogFormat::Text)) {
            config.telemetry.format = format;
        }
    }
}

/// After settings that could not be taken, this many times as long as the attempt took passes before the next one.
const REST_AFTER_FAILURE: u32 = 10;

/// See the module's header.
#[derive(Debug)]
pub(crate) struct FollowedSettings {
    file: WatchedFile,
    overrides: Overrides,
    /// The text of the settings that hold.
    held: String,
    /// What the file said last.
    seen: String,
    /// Why that cannot be taken; `None`: it is what holds.
    failure: Option<Failure>,
    /// The log's form and filter, which hold from the start.
    log: (LogFormat, String),
}

/// Settings that could not be taken. The reason may pass (a server that is down, a file that is not there yet), so they are
/// tried again.
#[derive(Debug)]
struct Failure {
    reason: String,
    retry_at: Instant,
}

/// What the file says now.
#[derive(Debug)]
pub(super) struct ReadSettings {
    text: String,
    pub(super) config: Config,
}

/// Settings that hold from now on.
#[derive(Debug)]
pub(super) struct Taken {
    /// The supergraph that is served with them.
    pub(super) served: String,
    /// How often to look for changes.
    pub(super) interval: Option<Duration>,
    /// What needs a restart.
    pub(super) unchanged: Vec<&'static str>,
}

impl fmt::Display for FollowedSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file.path().display())
    }
}

impl FollowedSettings {
    /// Follows `file`, which said `text` when `config` was read from it.
    pub(crate) fn new(file: PathBuf, text: String, overrides: Overrides, config: &Config) -> Self {
        let log = (config.telemetry.format, config.telemetry.filter.clone());
        Self { file: WatchedFile::new(file), overrides, seen: text.clone(), held: text, failure: None, log }
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The settings when they are others than those that hold, or why there are none. Those that could not be taken count
    /// as others, after a rest or when somebody `asked`.
    pub(super) async fn read(&mut self, asked: bool) -> Option<Result<ReadSettings, String>> {
        let rests = self.failure.as_ref().map(|failure| failure.retry_at > Instant::now());
        let text = match self.file.read(asked || rests == Some(false)).await? {
            Ok(text) => text,
            Err(error) => return Some(Err(error)),
        };
        if text == self.held {
            self.failure = None;
            return None;
        }
        if text == self.seen && rests == Some(true) && !asked {
            return None;
        }
        self.seen.clone_from(&text);
        let config = Config::read(self.file.path(), &text).map_err(|error| error.to_string());
        Some(config.map(|mut config| {
            self.overrides.apply(&mut config);
            ReadSettings { text, config }
        }))
    }

    /// Remembers that what the file says could not be taken, after an attempt of so long. Gives whether that is news.
    pub(super) fn failed(&mut self, reason: &str, took: Duration) -> bool {
        let is_new = self.failure.as_ref().is_none_or(|known| known.reason != reason);
        let retry_at = Instant::now() + took * REST_AFTER_FAILURE;
        self.failure = Some(Failure { reason: reason.to_owned(), retry_at });
        is_new
    }

    /// Goes over to settings, and to their supergraph when they name another one.
    pub(super) async fn take(
        &mut self,
        read: ReadSettings,
        schema: &SchemaHandle,
        reader: &mut Reader,
        served: &str,
    ) -> Result<Taken, String> {
        let (file, config) = (self.file.path(), read.config);
        let source = config.supergraph.source(file).map_err(|error| error.to_string())?;
        let (mut next, sdl) = (None, served.to_owned());
        let sdl = match source {
            Some(source) if source != *reader.source() => {
                let sdl = next.insert(Reader::new(source, HttpClient::new())).first().await;
                sdl.map_err(|error| format!("the supergraph cannot be read: {error}"))?
            }
            _ => sdl,
        };
        let interval = config.supergraph.interval();
        let log = (config.telemetry.format, config.telemetry.filter.clone());
        let options = config.into_options(file, sdl.clone()).map_err(|error| error.to_string())?;
        let mut unchanged = schema.reconfigure(options).await.map_err(|error| error.to_string())?;
        if log != self.log {
            unchanged.push("telemetry.format and filter");
        }
        if let Some(next) = next {
            *reader = next;
        }
        (self.held, self.failure) = (read.text, None);
        Ok(Taken { served: sdl, interval, unchanged })
    }
}
