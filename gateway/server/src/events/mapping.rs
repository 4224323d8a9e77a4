//! What of an event belongs to a subscription: keys, filters, and the entity that it is about.
//!
//! In: the arguments of a subscription's field, and events as JSON. Out: whether the event is meant, and the representation
//! of its entity.

use serde_json::{Map, Value};

/// A text with arguments in it: `{orderId}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Argument(String),
}

/// The text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}`: a brace stands for an argument, such as {{orderId}}")]
pub struct NotATemplate(String);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`NotATemplate`] when a brace is left open, or has no name in it.
    pub fn parse(text: &str) -> Result<Self, NotATemplate> {
        let wrong = || NotATemplate(text.to_owned());
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(wrong)?;
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_name) || before.contains('}') {
                return Err(wrong());
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Argument(name.to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err(wrong());
        }
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Self(pieces))
    }

    /// The text with the arguments' values; `None` when one of them is not given.
    pub(super) fn fill(&self, arguments: &Map<String, Value>) -> Option<String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Argument(name) => filled.push_str(&scalar(arguments.get(name)?)?),
            }
        }
        Some(filled)
    }
}

/// A subscription's field that is fed by the events of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventField {
    /// The field of the subscription type, as its subgraph names it.
    pub field: String,
    /// The topic; its records' values are JSON objects.
    pub topic: String,
    /// The key of the records that are meant. `None`, or with an argument that is not given: those of any key.
    pub key: Option<Template>,
    /// Values that an event must have, by JSON pointer. One with an argument that is not given is left out.
    pub filters: Vec<(String, Template)>,
    /// The type of the entity that an event is about.
    pub entity: String,
    /// Where an event has the entity's key fields: name and JSON pointer.
    pub key_fields: Vec<(String, String)>,
}

/// What one subscription listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) key: Option<String>,
    filters: Vec<(String, String)>,
}

impl EventField {
    /// What a subscription with these arguments listens to.
    pub(super) fn wanted(&self, arguments: &Map<String, Value>) -> Wanted {
        let key = self.key.as_ref().and_then(|key| key.fill(arguments));
        let filters = self
            .filters
            .iter()
            .filter_map(|(pointer, template)| Some((pointer.clone(), template.fill(arguments)?)))
            .collect();
        Wanted { key, filters }
    }

    /// The representation of the entity that an event is about; `None` when the event does not name it.
    pub(super) fn representation(&self, event: &Value) -> Option<Value> {
        let mut representation = Map::new();
        representation.insert("__typename".to_owned(), Value::String(self.entity.clone()));
        for (name, pointer) in &self.key_fields {
            let value = event.pointer(pointer).filter(|value| !value.is_null())?;
            representation.insert(name.clone(), value.clone());
        }
        Some(Value::Object(representation))
    }
}

impl Wanted {
    /// Whether an event has what the filters ask.
    pub(super) fn has(&self, event: &Value) -> bool {
        self.filters
            .iter()
            .all(|(pointer, wanted)| event.pointer(pointer).and_then(scalar).as_deref() == Some(wanted))
    }
}

/// A value as a text; `None` for what has no plain one.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field() -> EventField {
        EventField {
            field: "orderChanged".to_owned(),
            topic: "orders".to_owned(),
            key: Some(Template::parse("order-{orderId}").unwrap()),
            filters: vec![("/data/buyer".to_owned(), Template::parse("{buyer}").unwrap())],
            entity: "Order".to_owned(),
            key_fields: vec![("id".to_owned(), "/data/id".to_owned())],
        }
    }

    fn arguments(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn arguments_choose_the_events_and_absent_ones_choose_none() {
        let wanted = field().wanted(&arguments(&json!({ "orderId": 7, "buyer": "b" })));
        assert_eq!(wanted.key.as_deref(), Some("order-7"));
        assert!(wanted.has(&json!({ "data": { "buyer": "b" } })));
        assert!(!wanted.has(&json!({ "data": { "buyer": "c" } })));
        assert!(!wanted.has(&json!({ "data": {} })));
        let all = field().wanted(&arguments(&json!({ "orderId": null })));
        assert_eq!(all.key, None);
        assert!(all.has(&json!({})));
    }

    #[test]
    fn an_event_gives_the_key_of_its_entity_as_it_stands() {
        let event = json!({ "data": { "id": 9_007_199_254_740_993_i64 } });
        assert_eq!(
            field().representation(&event).unwrap().to_string(),
            r#"{"__typename":"Order","id":9007199254740993}"#
        );
        assert_eq!(field().representation(&json!({ "data": { "id": null } })), None);
    }

    #[test]
    fn a_brace_must_hold_a_name() {
        for text in ["{", "}", "{}", "{a b}", "a}b{c}", "{a"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
