//! What a request came to: the body for the client, and how far it got.
//!
//! Elsewhere: choosing an HTTP status and media type from the [`Outcome`] (`server`).

use bytes::Bytes;
use futures::stream::BoxStream;
use serde::Serialize;

use crate::codes::ErrorCode;

/// How far a request got. HTTP chooses its status by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Execution began: the body has `data`, which may be null, and perhaps `errors`.
    Executed,
    /// The document is not GraphQL.
    ParseError,
    /// The document is GraphQL, but not valid for this schema, beyond a limit, or the operation cannot be chosen.
    ValidationError,
    /// A variable's value does not fit its type.
    VariableError,
    /// A valid operation that this gateway refuses: it has no plan, or it is too complex.
    PlanError,
}

/// One GraphQL response, ready to be sent.
#[derive(Debug, Clone)]
pub struct Response {
    /// The JSON body.
    pub body: Bytes,
    /// How far the request got.
    pub outcome: Outcome,
}

/// A response of which more may follow ([`Engine::execute_incremental`](crate::Engine::execute_incremental)).
pub struct IncrementalResponse {
    /// The first payload, or the whole response.
    pub first: Response,
    /// Whether it has errors.
    pub has_errors: bool,
    /// The other payloads; `None` when the first is the whole response.
    pub rest: Option<BoxStream<'static, Response>>,
}

impl From<Response> for IncrementalResponse {
    fn from(whole: Response) -> Self {
        Self { has_errors: whole.has_errors(), first: whole, rest: None }
    }
}

/// A place in the client's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Counted from one.
    pub line: usize,
    /// Counted from one, in Unicode scalar values.
    pub column: usize,
}

/// An error found before execution (GraphQL specification, section 7.1.2 "Request errors").
#[derive(Debug, Clone)]
pub struct RequestError {
    /// What is wrong, in words for the client's developer.
    pub message: String,
    /// Where in the document.
    pub locations: Vec<Location>,
    /// What is wrong, for programs.
    pub code: ErrorCode,
}

#[derive(Serialize)]
struct ErrorEntry<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "<[Location]>::is_empty")]
    locations: &'a [Location],
    extensions: Extensions,
}

#[derive(Serialize)]
struct Extensions {
    code: &'static str,
}

impl Response {
    /// How many errors a refusal shows: an answer must not grow with what it refuses. Not fewer, as long as they are short: who
    /// tries names and is told of some only takes the others for good.
    pub(crate) const REFUSAL_ERRORS_MAX: usize = 100;

    /// Bytes that the errors of a refusal may come to before the last one.
    const REFUSAL_BYTES_MAX: usize = 14_000;

    /// Characters of a message in a refusal; messages quote the client's document.
    const REFUSAL_MESSAGE_MAX: usize = 400;

    /// Whether the response has errors.
    pub fn has_errors(&self) -> bool {
        // Nothing stands behind `errors`, and nothing but a list ends so: `data` is an object, or null with errors.
        self.outcome != Outcome::Executed || self.body.ends_with(b"]}")
    }

    /// A response without `data`: nothing was executed. Holds the first errors, a hundred at most and fewer when they are
    /// long, each with the first 400 characters of its message.
    pub fn refused(outcome: Outcome, errors: &[RequestError]) -> Self {
        let mut body = br#"{"errors":["#.to_vec();
        for (index, error) in errors.iter().take(Self::REFUSAL_ERRORS_MAX).enumerate() {
            if body.len() > Self::REFUSAL_BYTES_MAX {
                break;
            }
            if index > 0 {
                body.push(b',');
            }
            let entry = ErrorEntry {
                message: shortened(&error.message, Self::REFUSAL_MESSAGE_MAX),
                locations: &error.locations,
                extensions: Extensions { code: error.code.as_str() },
            };
            serde_json::to_writer(&mut body, &entry).expect("strings and numbers always serialise");
        }
        body.extend_from_slice(b"]}");
        Self { body: body.into(), outcome }
    }

    /// As [`Response::refused`], with one error that has no place in the document.
    pub fn refused_with(outcome: Outcome, code: ErrorCode, message: impl Into<String>) -> Self {
        Self::refused(outcome, &[RequestError { message: message.into(), locations: Vec::new(), code }])
    }
}

fn shortened(text: &str, characters_max: usize) -> &str {
    text.char_indices().nth(characters_max).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_request_has_no_data_and_every_error_a_code() {
        let error = RequestError {
            message: "no \"x\"".to_owned(),
            locations: vec![Location { line: 1, column: 3 }],
            code: ErrorCode::ValidationFailed,
        };
        let response = Response::refused(Outcome::ValidationError, &[error]);
        assert_eq!(
            std::str::from_utf8(&response.body).unwrap(),
            r#"{"errors":[{"message":"no \"x\"","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}"#
        );
    }

    #[test]
    fn a_refusal_stays_small_however_much_is_wrong() {
        let long = |characters: usize| RequestError {
            message: "é".repeat(characters),
            locations: vec![Location { line: 1, column: 3 }],
            code: ErrorCode::ValidationFailed,
        };
        for (characters, shown) in [(100_000, 15..20), (400, 15..20), (20, 90..101)] {
            let response = Response::refused(Outcome::ValidationError, &vec![long(characters); 5_000]);
            let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            let errors = body["errors"].as_array().unwrap().len();
            assert!(shown.contains(&errors), "{characters}: {errors}");
            assert!(response.body.len() < 16_000, "{}", response.body.len());
        }
    }
}
