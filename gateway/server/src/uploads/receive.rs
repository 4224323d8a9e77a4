//! Reads what clients send: `operations`, `map`, then the files.
//!
//! Always: `operations` and `map` come first and are bounded like any other body; the map names places in the variables
//! that are null; files stay on the socket.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use futures::TryStreamExt;
use http::header::{CONTENT_TYPE, HeaderMap};
use indexmap::IndexMap;
use kopitiam_engine::Variables;
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::value::RawValue;
use tokio::sync::Mutex;

use super::{Incoming, UploadSettings, Uploads};
use crate::documents::ClientRequest;
use crate::http::{Refusal, request};

/// Places in the variables that one request's files go to.
const PLACES_MAX: usize = 100;
/// Steps of one such place, with `variables`: forms are not deeper, and each step costs one more look at what is there.
const STEPS_MAX: usize = 16;

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
    // In the order of the client, who sends the files so.
    let places: IndexMap<String, Vec<String>> =
        serde_json::from_str(&map).map_err(|_| bad("`map` must be an object of lists of paths"))?;
    if places.len() > settings.files_max {
        return Err(bad("there are more files than allowed"));
    }
    if places.values().map(Vec::len).sum::<usize>() > PLACES_MAX {
        return Err(bad("`map` has too many paths"));
    }
    let mut client = request::one(operations.as_bytes())?;
    let token = uuid::Uuid::new_v4().simple().to_string();
    let tree = Places::new(&places)?;
    let mut variables = String::new();
    tree.fill(client.request.variables.as_json(), &token, &mut variables)
        .ok_or_else(|| bad("a path of `map` must lead to a null"))?;
    let names = places.into_keys().collect();
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

/// The places of files below one value of the variables.
#[derive(Debug, Default)]
struct Places<'a> {
    /// The file that stands here.
    file: Option<usize>,
    below: BTreeMap<&'a str, Places<'a>>,
}

impl<'a> Places<'a> {
    /// All places of a client's map.
    fn new(map: &'a IndexMap<String, Vec<String>>) -> Result<Self, Refusal> {
        let mut root = Self::default();
        let paths =
            map.values().enumerate().flat_map(|(file, paths)| paths.iter().map(move |path| (file, path)));
        for (file, path) in paths {
            // Before anything is built that is as deep as the path is long.
            if path.split('.').count() > STEPS_MAX {
                return Err(bad("a path of `map` has too many steps"));
            }
            let steps = path.strip_prefix("variables.");
            let steps = steps.ok_or_else(|| bad("a path of `map` must begin with `variables.`"))?;
            let place = steps.split('.').fold(&mut root, |place, step| place.below.entry(step).or_default());
            if place.file.replace(file).is_some() {
                return Err(bad("two paths of `map` are the same"));
            }
        }
        Ok(root)
    }

    /// Appends the JSON with a placeholder for the null at each place; everything else keeps its bytes. `None` when there
    /// is no null at one of them. All places are filled in one pass, which reads no value oftener than it lies deep, and
    /// none deeper than the places are.
    fn fill(&self, json: &str, token: &str, out: &mut String) -> Option<()> {
        if let Some(file) = self.file {
            let is_free = self.below.is_empty() && json.trim() == "null";
            return is_free.then(|| write!(out, "\"{token}:{file}\"").expect("a string takes all"));
        }
        if self.below.is_empty() {
            out.push_str(json);
            return Some(());
        }
        if json.trim_start().starts_with('[') {
            self.fill_items(json, token, out)
        } else {
            self.fill_members(json, token, out)
        }
    }

    fn fill_items(&self, json: &str, token: &str, out: &mut String) -> Option<()> {
        let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
        let mut below = BTreeMap::new();
        for (step, places) in &self.below {
            let index: usize = step.parse().ok().filter(|index| *index < items.len())?;
            if below.insert(index, places).is_some() {
                return None;
            }
        }
        for (index, item) in items.iter().enumerate() {
            out.push(if index == 0 { '[' } else { ',' });
            match below.get(&index) {
                Some(places) => places.fill(item.get(), token, out)?,
                None => out.push_str(item.get()),
            }
        }
        out.push(']');
        Some(())
    }

    fn fill_members(&self, json: &str, token: &str, out: &mut String) -> Option<()> {
        let members: IndexMap<String, &RawValue> = serde_json::from_str(json).ok()?;
        if !self.below.keys().all(|step| members.contains_key(*step)) {
            return None;
        }
        for (index, (name, member)) in members.iter().enumerate() {
            out.push(if index == 0 { '{' } else { ',' });
            out.push_str(&serde_json::to_string(name).ok()?);
            out.push(':');
            match self.below.get(name.as_str()) {
                Some(places) => places.fill(member.get(), token, out)?,
                None => out.push_str(member.get()),
            }
        }
        out.push('}');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables with the placeholders of one file for each path.
    fn filled(json: &str, paths: &[&str]) -> Option<String> {
        let map = paths.iter().enumerate().map(|(file, path)| (file.to_string(), vec![(*path).to_owned()]));
        let map = map.collect();
        let mut out = String::new();
        Places::new(&map).ok()?.fill(json, "t", &mut out)?;
        Some(out)
    }

    #[test]
    fn only_the_nulls_at_the_places_are_replaced() {
        let json =
            r#"{"b":{"files":[null, null,{"x":null}],"n":123456789012345678901234567890.10},"a\n":null}"#;
        assert_eq!(
            filled(json, &["variables.b.files.2.x", "variables.b.files.1"]).unwrap(),
            r#"{"b":{"files":[null,"t:1",{"x":"t:0"}],"n":123456789012345678901234567890.10},"a\n":null}"#
        );
        assert_eq!(filled(json, &[]).unwrap(), json);
    }

    #[test]
    fn a_place_that_is_not_there_or_not_null_or_named_twice_is_none() {
        for (json, paths) in [
            ("{}", &["variables.a"][..]),
            (r#"{"a":1}"#, &["variables.a"]),
            (r#"{"a":[null]}"#, &["variables.a.1"]),
            (r#"{"a":[null]}"#, &["variables.a.x"]),
            (r#"{"a":[null]}"#, &["variables.a.0", "variables.a.0"]),
            (r#"{"a":[null]}"#, &["variables.a.0", "variables.a.+0"]),
            (r#"{"a":null}"#, &["variables.a.b"]),
            (r#"{"a":null}"#, &["variables.a.b", "variables.a"]),
            (r#"{"a":"text"}"#, &["variables.a.b"]),
            (r#"{"a":null}"#, &["variables"]),
            (r#"{"a":null}"#, &["query.a"]),
        ] {
            assert_eq!(filled(json, paths), None, "{json} {paths:?}");
        }
    }
}
