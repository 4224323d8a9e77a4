//! GraphiQL, bundled: the page and its files come from this binary, nothing from another host.
//!
//! Always: served in development only (`handler.rs`, `mod.rs` decide); the content security policy allows no script but
//! these files.
//! Elsewhere: the files and where they come from (`assets/README.md`).

use axum::body::Body;
use axum::extract::Path;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};

const PAGE: &[u8] = include_bytes!("../../assets/index.html");
const FILES: [(&str, &str, &[u8]); 6] = [
    ("react.js", "text/javascript", include_bytes!("../../assets/react.js")),
    ("react-dom.js", "text/javascript", include_bytes!("../../assets/react-dom.js")),
    ("graphiql.js", "text/javascript", include_bytes!("../../assets/graphiql.js")),
    ("graphiql.css", "text/css", include_bytes!("../../assets/graphiql.css")),
    ("start.css", "text/css", include_bytes!("../../assets/start.css")),
    ("start.js", "text/javascript", include_bytes!("../../assets/start.js")),
];

/// Styles inline: the editor sets them on its elements. Everything else from this server alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The page itself.
pub(super) fn page() -> Response<Body> {
    let mut response = file("text/html; charset=utf-8", PAGE);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// One of the page's files.
pub(super) async fn asset(Path(name): Path<String>) -> Response<Body> {
    if let Some((_, kind, content)) = FILES.iter().find(|(known, ..)| *known == name) {
        return file(kind, content);
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn file(kind: &'static str, content: &'static [u8]) -> Response<Body> {
    let mut response = Response::new(Body::from(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
