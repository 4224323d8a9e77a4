//! The gateway over HTTP: a library for programs that mount it, and the commands of the binary `gateway`.
//!
//! In: a supergraph, places of subgraphs, settings. Out: a listening server.
//! Always: safe without settings: introspection and GraphiQL off, bounds on, cross-site requests refused, no client
//! header forwarded that is not on a list.
//!
//! - `options/`, `server.rs`: [`Options`] in, [`Server`] out
//! - `reload/`: the supergraph and the settings, followed while the server runs
//! - `http/`: requests and answers
//! - `in_flight.rs`: equal work in flight, done once
//! - `events/`: subscriptions fed from Kafka
//! - `streams/`: subscriptions to clients
//! - `subgraph_client/`: [`Transport`], the way to the subgraphs, over HTTP or in process
//! - `cache/`: answers of subgraphs that are kept
//! - `auth/`: access tokens
//! - `certificates.rs`: certificates and keys in files
//! - `uploads/`: files from clients to subgraphs
//! - `documents/`: persisted documents, listed and automatic
//! - `config/`: the settings as YAML
//! - `plugins/`: code of the operator's own, in process and by HTTP
//! - `telemetry/`: log lines, metrics, traces
//! - `commands/`: the command line
//!
//! ```no_run
//! # async fn run(sdl: &str, products: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
//! use kopitiam_server::{Options, Server, Transport};
//! use tokio_util::sync::CancellationToken;
//!
//! // `products` is called in process; other subgraphs are reached by their URL in the supergraph.
//! let transport = Transport::new().with_in_process("products", products);
//! let mut options = Options::new(sdl, transport);
//! options.listen = "127.0.0.1:0".parse()?;
//! let server = Server::bind(options).await?;
//! let address = server.local_addr();
//! server.run(CancellationToken::new()).await;
//! # Ok(())
//! # }
//! ```
//!
//! Elsewhere: everything that is GraphQL (`kopitiam-engine`), composition (`kopitiam-composition`).

mod auth;
mod cache;
mod certificates;
pub mod commands;
pub mod config;
mod documents;
mod events;
mod http;
mod in_flight;
mod options;
mod plugins;
mod reload;
mod server;
mod streams;
mod subgraph_client;
pub mod telemetry;
mod uploads;

pub use auth::{JwtAlgorithm, JwtIssuer, KeyError, KeySource};
pub use cache::{CacheSettings, InvalidationSettings, RedisSettings, RedisSettingsError, SecretTooShort};
pub use certificates::TlsError;
pub use documents::{DocumentsError, ManifestError};
pub use events::{EventField, EventSettings, NotATemplate, Template};
pub use options::{
    CacheStoreSettings, ClientAddress, ClientTls, CorsSettings, DocumentSource, DocumentsSettings, ErrorIds,
    ExposeSettings, FieldLimit, HttpSettings, LabelSettings, Options, OtlpSettings, Rate, RateLimitSettings,
    Statuses, SubscriptionSettings, TelemetrySettings, TrafficSettings, UnlistedDocuments, WebSocketSettings,
};
pub use plugins::{
    CoprocessorError, CoprocessorSettings, CoprocessorStages, OnError, PlannedOperation, Plugin,
    PluginRefusal, SubgraphCall,
};
pub use server::{SchemaHandle, Server, ServerError, serve};
pub use subgraph_client::fetch::FetchError;
pub use subgraph_client::{
    AnswerHeaderRule, AnswerHeaderRules, BreakerSettings, BreakerState, Coding, Combine, CompressionSettings,
    ConcurrencySettings, ConnectionSettings, HeaderRule, HeaderRules, HttpVersion, InvalidSubgraphUrl,
    InvalidUrl, KeyTooShort, RateSettings, RequestContext, RetrySettings, SigningKey, SubgraphSettings, Tls,
    TrafficState, Transport,
};
pub use subgraph_client::{SourceProtocol, SourceSettings};
pub use telemetry::TelemetryError;
pub use uploads::UploadSettings;
