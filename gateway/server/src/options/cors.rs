//! Which web pages may read answers.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};

/// Which web pages may read answers. None by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsSettings {
    /// Exact origins, such as `https://shop.example`.
    pub origins: Vec<HeaderValue>,
    /// Whether browsers may send cookies and client certificates along. Tokens in `Authorization` need it not.
    pub credentials: bool,
    /// Request headers that pages may set, beside those of GraphQL over HTTP and `Authorization`.
    pub allowed_headers: Vec<HeaderName>,
    /// Response headers that pages may read.
    pub exposed_headers: Vec<HeaderName>,
    /// How long browsers may remember all this.
    pub max_age: Duration,
}

impl Default for CorsSettings {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            credentials: false,
            allowed_headers: Vec::new(),
            exposed_headers: vec![HeaderName::from_static("x-request-id"), http::header::RETRY_AFTER],
            max_age: Duration::from_hours(1),
        }
    }
}
