//! The file of settings, followed while the gateway serves.
//!
//! Always: what the command line says holds over what the file says, also after a change.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// See the module's header.
#[derive(Debug)]
pub(crate) struct FollowedSettings {
    file: WatchedFile,
    overrides: Overrides,
    seen: Result<String, String>,
    /// The log's form and filter, which hold from the start.
    log: (LogFormat, String),
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
        Self { file: WatchedFile::new(file), overrides, seen: Ok(text), log }
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The settings when they are new, or why there are none.
    pub(super) async fn read(&mut self, asked: bool) -> Option<Result<Config, String>> {
        let read = self.file.read(asked).await?;
        if read == self.seen {
            return None;
        }
        self.seen.clone_from(&read);
        let text = match read {
            Ok(text) => text,
            Err(error) => return Some(Err(error)),
        };
        let config = Config::read(self.file.path(), &text).map_err(|error| error.to_string());
        Some(config.map(|mut config| {
            self.overrides.apply(&mut config);
            config
        }))
    }

    /// Goes over to settings, and to their supergraph when they name another one.
    pub(super) async fn take(
        &self,
        config: Config,
        schema: &SchemaHandle,
        reader: &mut Reader,
        served: &str,
    ) -> Result<Taken, String> {
        let file = self.file.path();
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
        Ok(Taken { served: sdl, interval, unchanged })
    }
}
