//! Which media type a response gets.
//!
//! In: the `Accept` header. Out: what the client takes, best first.
//! Elsewhere: the choice by what the operation turned out to be (`handler.rs`).

use http::header::{ACCEPT, HeaderMap};

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

/// What a client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// The best type for a single response, if any is taken.
    pub(crate) json: Option<JsonType>,
    /// The best type for a subscription, if any is taken.
    pub(crate) stream: Option<StreamType>,
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
        self.json.is_none() && self.stream.is_none()
    }

    /// Reads the header; none means that anything is taken.
    ///
    /// # Source
    /// RFC 9110, section 12.5.1; GraphQL over HTTP, section 6.1 "Legacy watershed": without a preference the answer is
    /// `application/json`.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(ACCEPT).iter().peekable();
        if values.peek().is_none() {
            return Self { json: Some(JsonType::Json), stream: None, html: false };
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
    events: Option<u16>,
    parts: Option<u16>,
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
        let slot = match kind.as_str() {
            "application/graphql-response+json" => &mut self.graphql,
            "application/json" => &mut self.json,
            "text/event-stream" => &mut self.events,
            "multipart/mixed" if parameter("subscriptionSpec").is_some() => &mut self.parts,
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
        let stream = match (self.events.unwrap_or(0), self.parts.unwrap_or(0)) {
            (0, 0) => None,
            (events, parts) if events >= parts => Some(StreamType::Events),
            _ => Some(StreamType::Parts),
        };
        Accepted { json: best, stream, html: self.html.unwrap_or(0) > 0 }
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
        assert_eq!(all, Accepted { json: Some(JsonType::Json), stream: None, html: false });
    }

    #[test]
    fn a_stream_is_taken_only_when_named() {
        use StreamType::{Events, Parts};
        for (header, stream) in [
            ("text/event-stream", Some(Events)),
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
}
