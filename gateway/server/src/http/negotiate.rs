//! Which media type a response gets.
//!
//! In: the `Accept` header. Out: what the client takes, best first.
//! Elsewhere: the choice by what the operation turned out to be (`handler.rs`).

use http::header::{ACCEPT, HeaderMap};
use kopitiam_engine::IncrementalFormat;

/// What Apollo's clients name the format of 2022.
const DEFER_SPEC: &str = "20220824";
/// What they name the current one, that of graphql-js 17.
const INCREMENTAL_SPEC: &str = "v0.2";

/// The format of a response in several payloads that a client names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum NamedFormat {
    /// It leaves it to us.
    #[default]
    Any,
    One(IncrementalFormat),
    /// It reads one that is not known here, and so none that we could write.
    Unknown,
}

impl NamedFormat {
    /// By the current parameter, or by the one of 2022.
    pub(crate) fn of(incremental_spec: Option<&str>, defer_spec: Option<&str>) -> Self {
        match (incremental_spec, defer_spec) {
            (None, None) => Self::Any,
            (Some(INCREMENTAL_SPEC), _) => Self::One(IncrementalFormat::Current),
            (_, Some(DEFER_SPEC)) => Self::One(IncrementalFormat::August2022),
            _ => Self::Unknown,
        }
    }

    /// What is written for it over anything that carries either.
    pub(crate) fn written(self) -> Option<IncrementalFormat> {
        match self {
            Self::Any => Some(IncrementalFormat::Current),
            Self::One(format) => Some(format),
            Self::Unknown => None,
        }
    }
}

/// A media type of a single GraphQL response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonType {
    /// `application/graphql-response+json`: the status tells what became of the request.
    GraphqlResponse,
    /// `application/json`: a well-formed request is answered with 200, whatever became of it.
    Json,
}

impl JsonType {
    /// The `Content-Type` value.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// A media type of a stream of GraphQL responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamType {
    /// `text/event-stream`.
    Events,
    /// `multipart/mixed;subscriptionSpec=1.0`: subscriptions as Apollo's clients take them.
    Parts,
}

/// How a client takes a query's or a mutation's response in several payloads (`@defer`, `@stream`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IncrementalType {
    /// How payloads are written.
    pub(crate) format: IncrementalFormat,
    /// What carries them.
    pub(crate) carrier: Carrier,
}

/// What carries the payloads of one response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// `multipart/mixed`; with the parameter by which the client has named the format.
    Parts(Option<&'static str>),
    /// `text/event-stream`.
    Events,
}

/// What a client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// The best type for a single response, if any is taken.
    pub(crate) json: Option<JsonType>,
    /// The best type for a subscription, if any is taken.
    pub(crate) stream: Option<StreamType>,
    /// How a response in several payloads is taken, if it is.
    pub(crate) incremental: Option<IncrementalType>,
    /// Whether the client is a browser that wants a page.
    pub(crate) html: bool,
}

impl Accepted {
    /// The type for a response that the client did not ask for in this form, such as a refusal.
    pub(crate) fn json_or_default(self) -> JsonType {
        self.json.unwrap_or(JsonType::Json)
    }

    /// Whether there is no form of any response that the client takes.
    pub(crate) fn is_nothing(self) -> bool {
        self.json.is_none() && self.stream.is_none() && self.incremental.is_none()
    }

    /// Reads the header; none means that anything is taken.
    ///
    /// # Source
    /// RFC 9110, section 12.5.1; GraphQL over HTTP, section 6.1 "Legacy watershed": without a preference the answer is
    /// `application/json`.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(ACCEPT).iter().peekable();
        if values.peek().is_none() {
            return Self { json: Some(JsonType::Json), stream: None, incremental: None, html: false };
        }
        let mut weights = Weights::default();
        for range in values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
            weights.add(range);
        }
        weights.accepted()
    }
}

/// The weight of each media type in thousandths; `None` when not mentioned.
#[derive(Default)]
struct Weights {
    graphql: Option<u16>,
    json: Option<u16>,
    /// `text/event-stream`, by the format of a response in several payloads: as of now, as of 2022, and one that is not known.
    events: Option<u16>,
    events_2022: Option<u16>,
    events_only: Option<u16>,
    parts: Option<u16>,
    /// `multipart/mixed` for a response in several payloads: as of 2022, as of now, and without saying which.
    deferred_2022: Option<u16>,
    deferred: Option<u16>,
    mixed: Option<u16>,
    html: Option<u16>,
    application: Option<u16>,
    any: Option<u16>,
}

impl Weights {
    fn add(&mut self, range: &str) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameter = |name: &str| {
            let mut parameters = parts.clone().filter_map(|part| part.split_once('='));
            let found = parameters.find(|(known, _)| known.trim_end().eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().trim_matches('"'))
        };
        let weight = parameter("q").map_or(1000, thousandths);
        let format = NamedFormat::of(parameter("incrementalSpec"), parameter("deferSpec"));
        let slot = match kind.as_str() {
            "application/graphql-response+json" => &mut self.graphql,
            "application/json" => &mut self.json,
            "text/event-stream" => match format.written() {
                Some(IncrementalFormat::Current) => &mut self.events,
                Some(IncrementalFormat::August2022) => &mut self.events_2022,
                None => &mut self.events_only,
            },
            "multipart/mixed" if parameter("subscriptionSpec").is_some() => &mut self.parts,
            "multipart/mixed" => match format {
                NamedFormat::Any => &mut self.mixed,
                NamedFormat::One(IncrementalFormat::Current) => &mut self.deferred,
                NamedFormat::One(IncrementalFormat::August2022) => &mut self.deferred_2022,
                NamedFormat::Unknown => return,
            },
            "text/html" => &mut self.html,
            "application/*" => &mut self.application,
            "*/*" => &mut self.any,
            _ => return,
        };
        *slot = Some(slot.unwrap_or(0).max(weight));
    }

    fn accepted(&self) -> Accepted {
        let wild = self.application.or(self.any).unwrap_or(0);
        let json = self.json.unwrap_or(wild);
        // A wildcard means the older type: clients that know the newer one name it.
        let graphql = self.graphql.unwrap_or(0);
        let best = match (graphql, json) {
            (0, 0) => None,
            (graphql, json) if graphql >= json => Some(JsonType::GraphqlResponse),
            _ => Some(JsonType::Json),
        };
        let events = self.events.max(self.events_2022).max(self.events_only);
        let stream = match (events.unwrap_or(0), self.parts.unwrap_or(0)) {
            (0, 0) => None,
            (events, parts) if events >= parts => Some(StreamType::Events),
            _ => Some(StreamType::Parts),
        };
        Accepted { json: best, stream, incremental: self.incremental(), html: self.html.unwrap_or(0) > 0 }
    }

    /// The form of several payloads that is liked best; of those liked alike, the current one.
    fn incremental(&self) -> Option<IncrementalType> {
        use IncrementalFormat::{August2022, Current};
        let all = [
            (self.deferred, Current, Carrier::Parts(Some("incrementalSpec=v0.2"))),
            (self.deferred_2022, August2022, Carrier::Parts(Some("deferSpec=20220824"))),
            (self.mixed, Current, Carrier::Parts(None)),
            (self.events, Current, Carrier::Events),
            (self.events_2022, August2022, Carrier::Events),
        ];
        let taken = all.into_iter().rev().filter(|(weight, ..)| weight.unwrap_or(0) > 0);
        let best = taken.max_by_key(|(weight, ..)| *weight);
        best.map(|(_, format, carrier)| IncrementalType { format, carrier })
    }
}

/// A weight such as `0.8` in thousandths; one that is malformed counts as full.
fn thousandths(text: &str) -> u16 {
    let weight: f32 = text.trim().parse().unwrap_or(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
    let rounded = (weight.clamp(0.0, 1.0) * 1000.0).round() as u16;
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn accepted(value: &'static str) -> Accepted {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(value));
        Accepted::from_headers(&headers)
    }

    #[test]
    fn the_clients_order_of_preference_decides() {
        use JsonType::{GraphqlResponse, Json};
        for (header, json) in [
            ("*/*", Some(Json)),
            ("application/*", Some(Json)),
            ("application/json", Some(Json)),
            ("application/graphql-response+json", Some(GraphqlResponse)),
            ("application/graphql-response+json, application/json", Some(GraphqlResponse)),
            ("application/graphql-response+json;q=0.5, application/json", Some(Json)),
            ("application/json;q=0, */*;q=0.1", None),
            ("application/json;q=0", None),
            ("text/plain", None),
            ("multipart/mixed;deferSpec=20220824, application/json", Some(Json)),
            ("Application/JSON; charset=utf-8", Some(Json)),
        ] {
            assert_eq!(accepted(header).json, json, "{header}");
        }
    }

    #[test]
    fn no_header_means_application_json_and_no_stream() {
        let all = Accepted::from_headers(&HeaderMap::new());
        let json = Some(JsonType::Json);
        assert_eq!(all, Accepted { json, stream: None, incremental: None, html: false });
    }

    #[test]
    fn a_stream_is_taken_only_when_named() {
        use StreamType::{Events, Parts};
        for (header, stream) in [
            ("text/event-stream", Some(Events)),
            ("text/event-stream;deferSpec=20220824", Some(Events)),
            (
                "text/event-stream;incrementalSpec=v9, multipart/mixed;subscriptionSpec=1.0;q=0.5",
                Some(Events),
            ),
            ("application/json, text/event-stream;q=0.1", Some(Events)),
            ("*/*", None),
            ("multipart/mixed", None),
            ("multipart/mixed;deferSpec=20220824, application/json", None),
            ("multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json", Some(Parts)),
            ("multipart/mixed; subscriptionspec=\"1.0\"; q=0.5, text/event-stream;q=0.4", Some(Parts)),
            ("multipart/mixed;subscriptionSpec=1.0, text/event-stream", Some(Events)),
            ("multipart/mixed;subscriptionSpec=1.0;q=0", None),
        ] {
            assert_eq!(accepted(header).stream, stream, "{header}");
        }
    }

    #[test]
    fn several_payloads_are_taken_only_in_a_form_that_is_named() {
        use IncrementalFormat::{August2022, Current};
        for (header, expected) in [
            ("*/*", None),
            ("application/json", None),
            ("multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json", None),
            ("multipart/mixed;deferSpec=20991231, application/json", None),
            ("multipart/mixed;deferSpec=20220824;q=0, application/json", None),
            (
                "multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9",
                Some((August2022, Carrier::Parts(Some("deferSpec=20220824")))),
            ),
            (
                "multipart/mixed;incrementalSpec=v0.2,application/graphql-response+json,application/json;q=0.9",
                Some((Current, Carrier::Parts(Some("incrementalSpec=v0.2")))),
            ),
            ("application/json, multipart/mixed", Some((Current, Carrier::Parts(None)))),
            ("application/json, text/event-stream, multipart/mixed", Some((Current, Carrier::Parts(None)))),
            ("text/event-stream", Some((Current, Carrier::Events))),
            ("text/event-stream;deferSpec=20220824", Some((August2022, Carrier::Events))),
            ("text/event-stream;incrementalSpec=v0.2, application/json", Some((Current, Carrier::Events))),
            ("text/event-stream;incrementalSpec=v9", None),
        ] {
            let found = accepted(header).incremental.map(|found| (found.format, found.carrier));
            assert_eq!(found, expected, "{header}");
        }
    }
}
