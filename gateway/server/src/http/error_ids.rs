//! Puts the ids of a request into its errors, so that whoever is shown one can tell the operator which.
//!
//! In: a response's body, and the request's ids. Out: the body with `requestId` and `traceId` in each error's `extensions`.
//! Always: everything but the errors keeps its bytes.
//! Elsewhere: where the ids come from (`access_log.rs`, `telemetry/`).

use bytes::Bytes;
use indexmap::IndexMap;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The ids of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids<'a> {
    pub(crate) request: &'a str,
    pub(crate) trace: &'a str,
}

impl Ids<'_> {
    /// The body with the ids in its errors.
    pub(crate) fn add_to(&self, body: Bytes) -> Bytes {
        self.added(&body).map_or(body, Into::into)
    }

    /// `None` for what has no errors.
    fn added(&self, body: &[u8]) -> Option<Vec<u8>> {
        let members: IndexMap<&str, &RawValue> = serde_json::from_slice(body).ok()?;
        let mut errors: Vec<Map<String, Value>> = serde_json::from_str(members.get("errors")?.get()).ok()?;
        for error in &mut errors {
            let extensions = error.entry("extensions").or_insert_with(|| Map::new().into());
            if let Value::Object(extensions) = extensions {
                extensions.insert("requestId".to_owned(), self.request.into());
                extensions.insert("traceId".to_owned(), self.trace.into());
            }
        }
        let errors = serde_json::value::to_raw_value(&errors).expect("maps are JSON");
        let mut members = members;
        members.insert("errors", &errors);
        Some(serde_json::to_vec(&members).expect("JSON stays JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_in_every_error_and_nothing_else_changes() {
        let ids = Ids { request: "r", trace: "t" };
        let add = |body: &'static str| String::from_utf8(ids.add_to(body.into()).to_vec()).unwrap();
        assert_eq!(
            add(
                r#"{"data":{"n":1.0000000000000000001},"errors":[{"message":"m","path":["n"],"extensions":{"code":"C"}},{"message":"k"}]}"#
            ),
            r#"{"data":{"n":1.0000000000000000001},"errors":[{"message":"m","path":["n"],"extensions":{"code":"C","requestId":"r","traceId":"t"}},{"message":"k","extensions":{"requestId":"r","traceId":"t"}}]}"#
        );
        for untouched in [r#"{"data":{"errors":[]}}"#, "[]", ""] {
            assert_eq!(add(untouched), untouched);
        }
    }
}
