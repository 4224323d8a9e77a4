//! What is wrong with a file of settings, and where.
//!
//! In: the YAML library's error. Out: a diagnostic with file, line, column and code, and the nearest known key for one
//! that is misspelt.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing wrong with a file that the command line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file as the user wrote it.
    pub file: PathBuf,
    /// Line and column, both from 1, when the problem has a place.
    pub place: Option<(usize, usize)>,
    /// The stable code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl FileError {
    /// A problem without a place in the file.
    pub fn new(file: &Path, code: &'static str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, code, message: message.into() }
    }

    /// A file that cannot be read.
    pub fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        Self::new(file, "FILE_UNREADABLE", error.to_string())
    }

    /// A file that is not the YAML it should be.
    pub fn from_yaml(file: &Path, error: &serde_yaml_ng::Error) -> Self {
        let place = error.location().map(|location| (location.line(), location.column()));
        let text = without_place(&error.to_string());
        let unknown = unknown_key(&text);
        let code = if unknown.is_some() { "CONFIG_UNKNOWN_KEY" } else { "CONFIG_INVALID" };
        Self { file: file.to_owned(), place, code, message: unknown.unwrap_or(text) }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(formatter, ":{line}:{column}")?;
        }
        write!(formatter, ": error[{}]: {}", self.code, self.message)
    }
}

impl std::error::Error for FileError {}

/// The library names the place in the text, which is printed in front already.
fn without_place(text: &str) -> String {
    let Some((before, place)) = text.split_once(" at line ") else { return text.to_owned() };
    let after = place.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let after = after.strip_prefix(" column ").unwrap_or(after);
    format!("{before}{}", after.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}

/// Reads ``unknown field `x`, expected one of `a`, `b` `` (serde's wording) into a sentence with the nearest key.
fn unknown_key(text: &str) -> Option<String> {
    let (path, rest) = text.split_once("unknown field `")?;
    let (key, expected) = rest.split_once('`')?;
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let nearest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(key, candidate), *candidate))
        .min()
        // Beyond a third of the word it is another word, not a slip.
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 3)
        .map(|(_, candidate)| candidate);
    let hint = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("known keys: {}", known.join(", ")),
    };
    Some(format!("unknown key `{}{key}`; {hint}", path.trim_end_matches(": ").replace(": ", ".") + dot(path)))
}

fn dot(path: &str) -> &'static str {
    if path.is_empty() { "" } else { "." }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_gets_its_neighbour() {
        let text = "http: unknown field `bodybytes_max`, expected one of `body_bytes_max`, `header_timeout`";
        assert_eq!(
            unknown_key(text).unwrap(),
            "unknown key `http.bodybytes_max`; did you mean `body_bytes_max`?"
        );
    }

    #[test]
    fn a_key_like_no_other_gets_the_list() {
        let text = "unknown field `zzz`, expected `file` or `subgraph_url`";
        assert_eq!(unknown_key(text).unwrap(), "unknown key `zzz`; known keys: file, subgraph_url");
    }
}
