//! Reads what clients send: `operations`, `map`, then the files.
//!
//! Always: `operations` and `map` come first and are bounded like any other body; the map names places in the variables
//! that are null; files stay on the socket.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::body::Body;
use futures::TryStreamExt;
use http::header::{CONTENT_TYPE, HeaderMap};
use kopitiam_engine::Variables;
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::value::RawValue;
use tokio::sync::Mutex;

use super::{Incoming, UploadSettings, Uploads};
use crate::documents::ClientRequest;
use crate::http::{Refusal, request};

/// Places in the variables that one request's files go to.
const PLACES_MAX: usize = 100;
/// Steps of one such place.
const STEPS_MAX: usize = 64;

/// The boundary of a multipart body; `None` when it is none.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    multer::parse_boundary(value.to_str().ok()?).ok()
}

/// Reads a multipart body up to its files.
///
/// # Errors
/// [`Refusal::BadRequest`] when it is not of the specification; [`Refusal::BodyTooLarge`] when it says so itself.
pub(crate) async fn receive(
    boundary: String,
    body: Body,
    settings: &UploadSettings,
    operations_bytes_max: usize,
) -> Result<(ClientRequest, Arc<Uploads>), Refusal> {
    let small = operations_bytes_max as u64;
    let sizes = SizeLimit::new()
        .whole_stream(settings.request_bytes_max)
        .per_field(settings.file_bytes_max)
        .for_field("operations", small)
        .for_field("map", small);
    let chunks = body.into_data_stream().map_err(std::io::Error::other);
    let mut parts = Multipart::with_constraints(chunks, boundary, Constraints::new().size_limit(sizes));
    let operations = text(&mut parts, "operations").await?;
    let map = text(&mut parts, "map").await?;
    let places: HashMap<String, Vec<String>> =
        serde_json::from_str(&map).map_err(|_| bad("`map` must be an object of lists of paths"))?;
    if places.len() > settings.files_max {
        return Err(bad("there are more files than allowed"));
    }
    if places.values().map(Vec::len).sum::<usize>() > PLACES_MAX {
        return Err(bad("`map` has too many paths"));
    }
    let mut client = request::one(operations.as_bytes())?;
    let token = uuid::Uuid::new_v4().simple().to_string();
    let mut names: Vec<String> = places.keys().cloned().collect();
    names.sort_unstable();
    let mut variables = client.request.variables.as_json().to_owned();
    for (index, name) in names.iter().enumerate() {
        let placeholder = format!("\"{token}:{index}\"");
        for place in &places[name] {
            let steps: Vec<&str> = place.split('.').collect();
            let ["variables", steps @ ..] = steps.as_slice() else {
                return Err(bad("a path of `map` must begin with `variables.`"));
            };
            variables = replaced(&variables, steps, &placeholder)
                .filter(|_| !steps.is_empty() && steps.len() <= STEPS_MAX)
                .ok_or_else(|| bad("a path of `map` must lead to a null"))?;
        }
    }
    client.request.variables =
        Variables::from_json(&variables).map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let keeps_max = settings.buffered_bytes_max;
    let incoming = Arc::new(Mutex::new(Incoming { parts, kept: HashMap::new(), keeps_max }));
    Ok((client, Arc::new(Uploads { token, names, incoming })))
}

fn bad(what: &str) -> Refusal {
    Refusal::BadRequest(what.to_owned())
}

async fn text(parts: &mut Multipart<'static>, name: &str) -> Result<String, Refusal> {
    let malformed = |error: multer::Error| Refusal::BadRequest(format!("the multipart body: {error}"));
    let field = parts.next_field().await.map_err(malformed)?;
    let field = field.filter(|field| field.name() == Some(name));
    let field = field.ok_or_else(|| Refusal::BadRequest(format!("the part `{name}` is missing or late")))?;
    let bytes = field.bytes().await.map_err(malformed)?;
    String::from_utf8(bytes.into()).map_err(|_| bad("the multipart body is not UTF-8"))
}

/// The JSON with the null at a place replaced; everything else keeps its bytes. `None` when there is no null.
fn replaced(json: &str, steps: &[&str], by: &str) -> Option<String> {
    let [step, rest @ ..] = steps else { return (json.trim() == "null").then(|| by.to_owned()) };
    if json.trim_start().starts_with('[') {
        let mut items: Vec<Cow<'_, RawValue>> = raw_items(json)?;
        let index: usize = step.parse().ok()?;
        let item = items.get_mut(index)?;
        *item = Cow::Owned(RawValue::from_string(replaced(item.get(), rest, by)?).ok()?);
        return serde_json::to_string(&items).ok();
    }
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    let new = RawValue::from_string(replaced(members.get(*step)?.get(), rest, by)?).ok()?;
    members.insert((*step).to_owned(), &new);
    serde_json::to_string(&members).ok()
}

fn raw_items(json: &str) -> Option<Vec<Cow<'_, RawValue>>> {
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(items.into_iter().map(Cow::Borrowed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_null_at_the_place_is_replaced() {
        let json = r#"{"a":{"files":[null, null],"n":123456789012345678901234567890.10}}"#;
        let new = replaced(json, &["a", "files", "1"], "\"x\"").unwrap();
        assert_eq!(new, r#"{"a":{"files":[null,"x"],"n":123456789012345678901234567890.10}}"#);
    }

    #[test]
    fn a_place_that_is_not_there_or_not_null_is_none() {
        for (json, steps) in [
            ("{}", &["a"][..]),
            (r#"{"a":1}"#, &["a"]),
            (r#"{"a":[null]}"#, &["a", "1"]),
            (r#"{"a":[null]}"#, &["a", "x"]),
            (r#"{"a":null}"#, &["a", "b"]),
            (r#""text""#, &["a"]),
        ] {
            assert_eq!(replaced(json, steps, "\"x\""), None, "{json}");
        }
    }
}
