//! One GraphQL request as the client sent it, and what it asks for.
//!
//! Always: variables keep the client's bytes, so that numbers beyond 64 bits and custom scalars survive.
//! Elsewhere: reading it from HTTP (`server`), coercing the variables (`operation/variables.rs`).

use std::sync::Arc;

use kopitiam_executor::IncrementalFormat;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::Grants;

/// A GraphQL request (GraphQL over HTTP, section 5.1 "Request Parameters"); `Deserialize` reads its JSON form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The document. Empty when the request names a persisted document instead.
    #[serde(default, deserialize_with = "null_is_default")]
    pub query: String,
    /// Which of the document's operations to run; needed when there are several.
    #[serde(default)]
    pub operation_name: Option<String>,
    /// The values for the operation's variables, not yet coerced.
    #[serde(default, deserialize_with = "null_is_default")]
    pub variables: Variables,
    /// What the client adds beyond the specification.
    #[serde(default, deserialize_with = "null_is_default")]
    pub extensions: serde_json::Map<String, serde_json::Value>,
    /// What the client was granted. Never read from the client.
    #[serde(skip)]
    pub grants: Arc<Grants>,
    /// How the client takes a response in several payloads; `None` when it does not: `@defer` and `@stream` are then
    /// passed over. Not of the request's JSON: it goes by what carries the response.
    #[serde(skip)]
    pub incremental: Option<IncrementalFormat>,
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// The request's variables: the text of a JSON object, kept as the client wrote it.
#[derive(Debug, Clone)]
pub struct Variables(Box<RawValue>);

/// The text is not a JSON object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("variables must be a JSON object")]
pub struct VariablesNotAnObject;

impl Variables {
    /// Takes the text of a JSON object, or `null` for no variables.
    ///
    /// # Errors
    /// [`VariablesNotAnObject`] for anything else, also text that is not JSON.
    pub fn from_json(text: &str) -> Result<Self, VariablesNotAnObject> {
        let raw: Box<RawValue> = serde_json::from_str(text).map_err(|_| VariablesNotAnObject)?;
        Self::from_raw(raw)
    }

    fn from_raw(raw: Box<RawValue>) -> Result<Self, VariablesNotAnObject> {
        match raw.get().as_bytes().first() {
            Some(b'{') => Ok(Self(raw)),
            Some(b'n') => Ok(Self::default()),
            _ => Err(VariablesNotAnObject),
        }
    }

    /// The JSON object's text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl Default for Variables {
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).expect("an empty object is JSON"))
    }
}

impl From<serde_json::Map<String, serde_json::Value>> for Variables {
    fn from(map: serde_json::Map<String, serde_json::Value>) -> Self {
        Self(serde_json::value::to_raw_value(&map).expect("a JSON map is JSON"))
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_raw(Box::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_body_keeps_the_variables_bytes() {
        let request: Request = serde_json::from_str(
            r#"{"query":"{a}","operationName":null,"variables":{"n":123456789012345678901234567890.10}}"#,
        )
        .unwrap();
        assert_eq!(request.variables.as_json(), r#"{"n":123456789012345678901234567890.10}"#);
    }

    #[test]
    fn null_members_are_absent_members() {
        let request: Request =
            serde_json::from_str(r#"{"query":"{a}","variables":null,"extensions":null}"#).unwrap();
        assert_eq!(request.variables.as_json(), "{}");
    }

    #[test]
    fn variables_that_are_no_object_are_refused() {
        assert!(serde_json::from_str::<Request>(r#"{"query":"{a}","variables":[1]}"#).is_err());
        assert_eq!(Variables::from_json("7").unwrap_err(), VariablesNotAnObject);
    }
}
