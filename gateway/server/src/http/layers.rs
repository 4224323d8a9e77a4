//! What stands between the log and the paths: cross-origin rules and compression.
//!
//! Always: an origin is compared exactly and never reflected; a stream is never compressed, since its events would wait
//! for more.
//! Elsewhere: refusing requests of foreign pages (`csrf.rs`): CORS only says who may read answers.
//!
//! # Source
//! Fetch Standard, section 3.2 "CORS protocol".

use axum::Router;
use axum::body::Body;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{Method, Request};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::cors::CorsLayer;

use crate::options::CorsSettings;

/// The settings of the layers.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    pub(crate) cors: CorsSettings,
    /// Answers of at least so many bytes are compressed; `None`: none is.
    pub(crate) compression_bytes_min: Option<u16>,
}

impl Layers {
    /// Whether a request needs any of them.
    pub(super) fn concern(&self, request: &Request<Body>) -> bool {
        !self.cors.origins.is_empty()
            || self.compression_bytes_min.is_some() && request.headers().contains_key(ACCEPT_ENCODING)
    }

    /// The router with the layers around it.
    pub(super) fn around(&self, mut router: Router) -> Router {
        if !self.cors.origins.is_empty() {
            router = router.layer(cors(&self.cors));
        }
        if let Some(bytes_min) = self.compression_bytes_min {
            let worth = SizeAbove::new(bytes_min)
                .and(NotForContentType::const_new("text/event-stream"))
                .and(NotForContentType::const_new("multipart/mixed"));
            // Other levels take more time than the network saves.
            let layer = CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth);
            router = router.layer(layer);
        }
        router
    }
}

fn cors(settings: &CorsSettings) -> CorsLayer {
    let own = [
        ACCEPT,
        AUTHORIZATION,
        CONTENT_TYPE,
        HeaderName::from_static("apollo-require-preflight"),
        HeaderName::from_static("graphql-require-preflight"),
        HeaderName::from_static("x-apollo-operation-name"),
        HeaderName::from_static("x-request-id"),
    ];
    let allowed: Vec<HeaderName> = own.into_iter().chain(settings.allowed_headers.iter().cloned()).collect();
    CorsLayer::new()
        .allow_origin(settings.origins.clone())
        .allow_credentials(settings.credentials)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(allowed)
        .expose_headers(settings.exposed_headers.clone())
        .max_age(settings.max_age)
}
