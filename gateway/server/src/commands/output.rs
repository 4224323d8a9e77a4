//! What commands have in common: printing and exit codes.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::config::FileError;

/// The input is wrong: lines for stderr, then exit code 1. Wrong usage is found by clap, which exits with 2.
#[derive(Debug)]
pub(super) struct Failure(Vec<String>);

impl Failure {
    pub(super) fn input(line: impl Display) -> Self {
        Self(vec![format!("error: {line}")])
    }

    /// Several diagnostics that already begin with their place and code.
    pub(super) fn diagnostics<T: Display>(diagnostics: impl IntoIterator<Item = T>) -> Self {
        Self(diagnostics.into_iter().map(|diagnostic| diagnostic.to_string()).collect())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::diagnostics([error])
    }
}

/// The exit code of a result, after its diagnostics are printed.
pub(super) fn exit(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(lines)) => {
            for line in lines {
                // With stderr closed there is nobody left to tell.
                let _ = writeln!(io::stderr(), "{line}");
            }
            ExitCode::from(1)
        }
    }
}

/// Prints a line for people on stderr.
pub(super) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a command's result to a file, or to stdout without one.
pub(super) fn write(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    match file {
        Some(file) => {
            std::fs::write(file, text).map_err(|error| Failure::input(format!("{}: {error}", file.display())))
        }
        None => io::stdout()
            .write_all(text.as_bytes())
            .and_then(|()| io::stdout().flush())
            .map_err(|error| Failure::input(format!("stdout: {error}"))),
    }
}

/// Reads a file that an argument names.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| FileError::unreadable(file, &error).into())
}

/// The errors of a GraphQL response as `file:line:column: error[CODE]: message`.
pub(super) fn diagnostics(body: &[u8], file: &str) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors
        .iter()
        .map(|error| {
            let place = error["locations"]
                .get(0)
                .map(|location| format!(":{}:{}", location["line"], location["column"]))
                .unwrap_or_default();
            let code = error["extensions"]["code"].as_str().unwrap_or("ERROR");
            format!("{file}{place}: error[{code}]: {}", error["message"].as_str().unwrap_or_default())
        })
        .collect()
}
