//! Errors of one response: why values are missing, and the list that the client gets.
//!
//! Always: every error has `extensions.code`; the number of errors is bounded, and the last one says when some were
//! left out; a subgraph's error that has no place in the response is still reported, without a path.
//! Elsewhere: finding the places of subgraph errors (`failure.rs`), null propagation (`nulls.rs`).

use serde_json::{Map, Value as Json};

use crate::json::write_string;
use crate::parse::AnswerError;
use crate::transport::TransportError;
use crate::tree::{CauseId, index_of};
use crate::visibility::ErrorVisibility;

/// Every `extensions.code` that execution itself gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    /// Nothing listens, or the connection broke.
    Unreachable,
    /// No complete answer in time.
    Timeout,
    /// The answer is beyond a limit.
    TooLarge,
    /// An HTTP status without a GraphQL answer.
    HttpStatus,
    /// The client broke off its upload.
    UploadBroken,
    /// Too many requests wait for the subgraph.
    Overloaded,
    /// The subgraph failed too often lately.
    CircuitOpen,
    /// The answer is not a GraphQL response.
    MalformedResponse,
    /// The subgraph's own error has no code.
    DownstreamServiceError,
    /// A non-null field has no value.
    NonNull,
    /// A value does not fit its field's type.
    InvalidValue,
    /// The client may not have the field.
    Unauthorized,
    /// There are more errors than the limit.
    TooManyErrors,
    /// The response would be larger than the limit.
    ResponseTooLarge,
}

impl ErrorCode {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "SUBREQUEST_UNREACHABLE",
            Self::Timeout => "SUBREQUEST_TIMEOUT",
            Self::TooLarge => "SUBREQUEST_TOO_LARGE",
            Self::HttpStatus => "SUBREQUEST_HTTP_STATUS",
            Self::UploadBroken => "SUBREQUEST_UPLOAD_BROKEN",
            Self::Overloaded => "SUBREQUEST_OVERLOADED",
            Self::CircuitOpen => "SUBREQUEST_CIRCUIT_OPEN",
            Self::MalformedResponse => "SUBREQUEST_MALFORMED_RESPONSE",
            Self::DownstreamServiceError => "DOWNSTREAM_SERVICE_ERROR",
            Self::NonNull => "NULL_FOR_NON_NULL",
            Self::InvalidValue => "INVALID_VALUE",
            Self::Unauthorized => "UNAUTHORIZED_FIELD_OR_TYPE",
            Self::TooManyErrors => "TOO_MANY_ERRORS",
            Self::ResponseTooLarge => "RESPONSE_TOO_LARGE",
        }
    }
}

/// A step of an error's path, as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Key(Box<str>),
    Index(u64),
}

/// Why one or more values are missing.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    pub(crate) message: String,
    /// Always with a code.
    pub(crate) extensions: Map<String, Json>,
    /// The subgraph that it is about.
    service: Box<str>,
    /// What follows the path of the field that holds the failure: the subgraph's error lay deeper.
    pub(crate) tail: Vec<Segment>,
    /// The path to report when no response field shows the failure.
    pub(crate) fallback_path: Option<Vec<Segment>>,
    /// A subgraph said this itself: then the client hears of it in any case.
    pub(crate) is_subgraphs_own: bool,
    /// It stands where its effect is: when no response field shows it, no field needed what failed.
    pub(crate) is_placed: bool,
    /// The cause that says the same for another place.
    pub(crate) copy_of: Option<CauseId>,
    reported: bool,
}

impl Cause {
    pub(crate) fn new(
        message: String,
        mut extensions: Map<String, Json>,
        service: &str,
        code: ErrorCode,
    ) -> Self {
        if !extensions.get("code").is_some_and(Json::is_string) {
            extensions.insert("code".to_owned(), code.as_str().into());
        }
        let is_subgraphs_own = code == ErrorCode::DownstreamServiceError;
        Self {
            message,
            extensions,
            service: service.into(),
            tail: Vec::new(),
            fallback_path: None,
            is_subgraphs_own,
            is_placed: false,
            copy_of: None,
            reported: false,
        }
    }

    pub(crate) fn of_transport(error: &TransportError, service: &str) -> Self {
        let code = match error {
            TransportError::Unreachable => ErrorCode::Unreachable,
            TransportError::Timeout => ErrorCode::Timeout,
            TransportError::TooLarge => ErrorCode::TooLarge,
            TransportError::Status(_) => ErrorCode::HttpStatus,
            TransportError::UploadBroken => ErrorCode::UploadBroken,
            TransportError::Overloaded => ErrorCode::Overloaded,
            TransportError::CircuitOpen => ErrorCode::CircuitOpen,
        };
        Self::new(error.to_string(), Map::new(), service, code)
    }

    pub(crate) fn of_answer(error: AnswerError, service: &str) -> Self {
        let (message, code) = match error {
            AnswerError::Malformed => {
                ("the subgraph's answer is not a GraphQL response", ErrorCode::MalformedResponse)
            }
            AnswerError::TooDeep => ("the subgraph's answer is nested too deeply", ErrorCode::TooLarge),
            AnswerError::TooLarge => ("the subgraph's answer is too large", ErrorCode::TooLarge),
        };
        Self::new(message.to_owned(), Map::new(), service, code)
    }
}

impl Cause {
    /// Whether clients would not hear of it.
    pub(crate) fn is_unreported(&self) -> bool {
        !self.reported && !self.is_placed && self.copy_of.is_none()
    }

    /// A fetch's entities need more different values from above than are asked for in one fetch.
    pub(crate) fn of_too_many_values(service: &str) -> Self {
        let message = "too many different context values in one fetch".to_owned();
        Self::new(message, Map::new(), service, ErrorCode::TooLarge)
    }
}

/// All causes of one request.
#[derive(Debug, Default)]
pub(crate) struct Causes(Vec<Cause>);

impl Causes {
    pub(crate) fn add(&mut self, cause: Cause) -> CauseId {
        self.0.push(cause);
        CauseId(index_of(self.0.len() - 1))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, id: CauseId) -> &Cause {
        &self.0[id.0 as usize]
    }

    pub(crate) fn get_mut(&mut self, id: CauseId) -> &mut Cause {
        &mut self.0[id.0 as usize]
    }

    /// Marks a cause as shown by some field of the response.
    pub(crate) fn report(&mut self, id: CauseId) -> &Cause {
        if let Some(original) = self.get(id).copy_of {
            self.get_mut(original).reported = true;
        }
        let cause = self.get_mut(id);
        cause.reported = true;
        cause
    }

    /// Causes that clients would not hear of, with their numbers.
    pub(crate) fn unreported(&self) -> impl Iterator<Item = (usize, &Cause)> {
        self.0.iter().enumerate().filter(|(_, cause)| cause.is_unreported())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// A place in the response that is being written: the way back to the root, on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'p> {
    pub(crate) parent: Option<&'p Frame<'p>>,
    pub(crate) step: Step<'p>,
}

/// One step of a [`Frame`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

/// The response's `errors`, written as they come.
#[derive(Debug)]
pub(crate) struct ErrorList<'a> {
    visibility: &'a ErrorVisibility,
    json: Vec<u8>,
    count: usize,
    count_max: usize,
    left_out: usize,
}

impl<'a> ErrorList<'a> {
    pub(crate) fn new(count_max: usize, visibility: &'a ErrorVisibility) -> Self {
        Self { visibility, json: Vec::new(), count: 0, count_max, left_out: 0 }
    }

    /// How many errors there were, also those left out.
    pub(crate) fn total(&self) -> usize {
        self.count + self.left_out
    }

    pub(crate) fn push_code(&mut self, message: &str, frame: &Frame<'_>, code: ErrorCode) {
        if self.begin(message) {
            self.path(frame, &[]);
            self.extensions(code);
        }
    }

    /// What it shows of subgraphs' errors.
    pub(crate) fn visibility(&self) -> &'a ErrorVisibility {
        self.visibility
    }

    /// An error without a path.
    pub(crate) fn push_plain(&mut self, message: &str, code: ErrorCode) {
        if self.begin(message) {
            self.extensions(code);
        }
    }

    pub(crate) fn push_cause(&mut self, cause: &Cause, frame: Option<&Frame<'_>>) {
        let visibility = self.visibility;
        if !self.begin(visibility.message(&cause.message, &cause.service, cause.is_subgraphs_own)) {
            return;
        }
        match (frame, &cause.fallback_path) {
            (Some(frame), _) => self.path(frame, &cause.tail),
            (None, Some(path)) => {
                self.json.extend_from_slice(b",\"path\":[");
                self.segments(path, true);
                self.json.push(b']');
            }
            (None, None) => {}
        }
        self.json.extend_from_slice(b",\"extensions\":");
        let extensions = visibility.extensions(&cause.extensions, &cause.service, cause.is_subgraphs_own);
        serde_json::to_writer(&mut self.json, &extensions).expect("a JSON map writes to memory without fail");
        self.json.push(b'}');
    }

    /// The list's JSON without its brackets; `None` when there is no error.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        if self.left_out > 0 {
            self.count_max = self.count + 1;
            let message = format!("{} more errors are left out", self.left_out);
            self.begin(&message);
            self.extensions(ErrorCode::TooManyErrors);
        }
        (self.count > 0).then_some(self.json)
    }

    fn begin(&mut self, message: &str) -> bool {
        if self.count >= self.count_max {
            self.left_out += 1;
            return false;
        }
        if self.count > 0 {
            self.json.push(b',');
        }
        self.count += 1;
        self.json.extend_from_slice(b"{\"message\":");
        write_string(&mut self.json, message);
        true
    }

    fn extensions(&mut self, code: ErrorCode) {
        self.json.extend_from_slice(b",\"extensions\":{\"code\":");
        write_string(&mut self.json, code.as_str());
        self.json.extend_from_slice(b"}}");
    }

    fn path(&mut self, frame: &Frame<'_>, tail: &[Segment]) {
        let steps = frame.segments();
        self.json.extend_from_slice(b",\"path\":[");
        self.segments(&steps, true);
        self.segments(tail, steps.is_empty());
        self.json.push(b']');
    }

    fn segments(&mut self, segments: &[Segment], is_start: bool) {
        write_segments(&mut self.json, segments, is_start);
    }
}

impl Frame<'_> {
    /// The path from the root.
    pub(crate) fn segments(&self) -> Vec<Segment> {
        let mut steps = Vec::new();
        let mut next = Some(self);
        while let Some(frame) = next {
            steps.push(match frame.step {
                Step::Key(key) => Segment::Key(key.into()),
                Step::Index(index) => Segment::Index(index as u64),
            });
            next = frame.parent;
        }
        steps.reverse();
        steps
    }
}

/// Writes a path's steps without its brackets.
pub(crate) fn write_segments(json: &mut Vec<u8>, segments: &[Segment], is_start: bool) {
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 || !is_start {
            json.push(b',');
        }
        match segment {
            Segment::Key(key) => write_string(json, key),
            Segment::Index(index) => json.extend_from_slice(index.to_string().as_bytes()),
        }
    }
}
