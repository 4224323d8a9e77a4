//! A response in several payloads, put together as a client would, with what must hold of them on the way.
//!
//! Elsewhere: making them (`executor/incremental`).

use std::collections::HashMap;

use kopitiam_engine::IncrementalFormat;
use serde_json::{Value as Json, json};

/// Puts the payloads of one response together: `data`, and all `errors` of all of them.
///
/// # Errors
/// What a client could not make sense of: a payload after the last, something delivered that was not announced or has no
/// place, announced twice, not completed, or delivered twice.
pub fn merge_payloads(payloads: &[Json], format: IncrementalFormat) -> Result<Json, String> {
    let mut merge = Merge { format, data: payloads[0]["data"].clone(), ..Merge::default() };
    for (index, payload) in payloads.iter().enumerate() {
        let is_last = index + 1 == payloads.len();
        let has_next = payload["hasNext"].as_bool().unwrap_or(false);
        if has_next == is_last {
            return Err(format!("payload {index} has hasNext {has_next} though it is last {is_last}"));
        }
        merge.payload(payload)?;
    }
    if let Some(id) = merge.pending.keys().next() {
        return Err(format!("{id} is never completed"));
    }
    let mut whole = json!({"data": merge.data});
    if !merge.errors.is_empty() {
        whole["errors"] = json!(merge.errors);
    }
    Ok(whole)
}

#[derive(Default)]
struct Merge {
    format: IncrementalFormat,
    data: Json,
    errors: Vec<Json>,
    pending: HashMap<String, Vec<Json>>,
    announced: Vec<String>,
}

impl Merge {
    fn payload(&mut self, payload: &Json) -> Result<(), String> {
        self.errors.extend(list(&payload["errors"]).iter().cloned());
        for pending in list(&payload["pending"]) {
            let (id, path) = (text(&pending["id"]), list(&pending["path"]).to_vec());
            if self.announced.contains(&id) {
                return Err(format!("{id} is announced twice"));
            }
            self.announced.push(id.clone());
            self.pending.insert(id, path);
        }
        for piece in list(&payload["incremental"]) {
            self.piece(piece)?;
        }
        // What is announced stands in what was delivered before, or with it.
        for pending in list(&payload["pending"]) {
            let place = at(&mut self.data, list(&pending["path"]));
            place.ok_or_else(|| format!("{pending} has no place"))?;
        }
        for completed in list(&payload["completed"]) {
            self.errors.extend(list(&completed["errors"]).iter().cloned());
            let id = text(&completed["id"]);
            self.pending.remove(&id).ok_or_else(|| format!("{id} is completed but not pending"))?;
        }
        Ok(())
    }

    fn piece(&mut self, piece: &Json) -> Result<(), String> {
        self.errors.extend(list(&piece["errors"]).iter().cloned());
        let mut path = match self.format {
            IncrementalFormat::Current => {
                let id = text(&piece["id"]);
                self.pending.get(&id).cloned().ok_or_else(|| format!("{piece} was not announced"))?
            }
            IncrementalFormat::August2022 => list(&piece["path"]).to_vec(),
        };
        path.extend(list(&piece["subPath"]).iter().cloned());
        if let Some(items) = piece.get("items") {
            let start = match self.format {
                IncrementalFormat::Current => None,
                IncrementalFormat::August2022 => path.pop().and_then(|start| start.as_u64()),
            };
            let place = at(&mut self.data, &path).and_then(Json::as_array_mut);
            let place = place.ok_or_else(|| format!("{piece} has no list"))?;
            if start.is_some_and(|start| start != place.len() as u64) {
                return Err(format!("{piece} does not continue its list"));
            }
            place.extend(list(items).iter().cloned());
            return Ok(());
        }
        if piece["data"].is_null() {
            return Ok(());
        }
        let place = at(&mut self.data, &path).ok_or_else(|| format!("{piece} has no place"))?;
        add(place, &piece["data"]).map_err(|key| format!("{piece} delivers {key} again"))
    }
}

/// Adds the members of an object to another that has none of them.
fn add(place: &mut Json, more: &Json) -> Result<(), String> {
    let (Some(place), Some(more)) = (place.as_object_mut(), more.as_object()) else {
        return Err("no object".to_owned());
    };
    for (key, value) in more {
        if place.insert(key.clone(), value.clone()).is_some() {
            return Err(key.clone());
        }
    }
    Ok(())
}

fn at<'j>(data: &'j mut Json, path: &[Json]) -> Option<&'j mut Json> {
    let mut here = data;
    for step in path {
        here = match step {
            Json::String(key) => here.get_mut(key)?,
            index => here.get_mut(usize::try_from(index.as_u64()?).ok()?)?,
        };
    }
    (!here.is_null()).then_some(here)
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
