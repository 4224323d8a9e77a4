//! A request to a subgraph taken apart, and its answer put together.
//!
//! In: a request's body and its `_entities` fields. Out: one part for each representation (or one for all root fields),
//! the request for some of the parts, and the answer from all of them.
//! Always: parts keep their order; JSON is copied byte for byte; an error keeps pointing at its entity.
//! Elsewhere: keeping parts (`store.rs`).

use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexMap;
use kopitiam_executor::transport::EntityField;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::key::ScopeWriter;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    query: &'a RawValue,
    #[serde(borrow, default)]
    variables: IndexMap<&'a str, &'a RawValue>,
}

/// A request, taken apart.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    query: &'a RawValue,
    variables: IndexMap<&'a str, &'a RawValue>,
    entities: &'a [EntityField],
    /// Of each `_entities` field.
    representations: Vec<Vec<&'a RawValue>>,
}

/// What a subgraph answered for some parts.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// In the order of the parts asked for. `None`: the answer cannot be taken apart.
    pub(crate) values: Option<Vec<Bytes>>,
    /// Whether there are errors and nothing else: that is so of every part.
    pub(crate) is_failure: bool,
    /// Each pointing at its place in the whole.
    pub(crate) errors: Vec<Box<RawValue>>,
    pub(crate) extensions: Extensions,
}

/// What a subgraph says of the tags of its answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Extensions {
    /// Of root fields.
    pub(crate) apollo_cache_tags: Vec<Box<str>>,
    /// Of entities, in their order.
    pub(crate) apollo_entity_cache_tags: Vec<Vec<Box<str>>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
    #[serde(borrow, default)]
    extensions: Option<&'a RawValue>,
}

impl<'a> Parts<'a> {
    /// `None` for a body that is not what the executor writes.
    pub(crate) fn read(body: &'a [u8], entities: &'a [EntityField]) -> Option<Self> {
        let Body { query, variables } = serde_json::from_slice(body).ok()?;
        let list = |field: &EntityField| serde_json::from_str(variables.get(&*field.variable)?.get()).ok();
        let representations = entities.iter().map(list).collect::<Option<_>>()?;
        Some(Self { query, variables, entities, representations })
    }

    pub(crate) fn is_root(&self) -> bool {
        self.entities.is_empty()
    }

    /// The document, as JSON.
    pub(crate) fn query(&self) -> &'a RawValue {
        self.query
    }

    /// A variable's value.
    pub(crate) fn variable(&self, name: &str) -> Option<&'a RawValue> {
        self.variables.get(name).copied()
    }

    /// The representations of all fields, one after the other; none for root fields.
    pub(crate) fn representations(&self) -> impl Iterator<Item = &'a RawValue> {
        self.representations.iter().flatten().copied()
    }

    /// Writes what all parts depend on.
    pub(crate) fn write_scope(&self, scope: &mut ScopeWriter) {
        scope.item(self.query.get().as_bytes());
        for (name, value) in self.variables.iter().filter(|(name, _)| !self.is_representations(name)) {
            scope.item(name.as_bytes());
            scope.item(value.get().as_bytes());
        }
        scope.item(b"");
    }

    fn is_representations(&self, variable: &str) -> bool {
        self.entities.iter().any(|field| *field.variable == *variable)
    }

    /// What each part depends on alone: its field, and its representation.
    pub(crate) fn names(&self) -> Vec<Arc<[u8]>> {
        if self.is_root() {
            return vec![Arc::default()];
        }
        let name = |field: &EntityField, representation: &&RawValue| {
            let mut name = Vec::with_capacity(field.response_key.len() + 1 + representation.get().len());
            name.extend_from_slice(field.response_key.as_bytes());
            name.push(0);
            name.extend_from_slice(representation.get().as_bytes());
            name.into()
        };
        let fields = self.entities.iter().zip(&self.representations);
        fields.flat_map(|(field, own)| own.iter().map(move |own| name(field, own))).collect()
    }

    /// The request for some of the parts, in ascending order.
    pub(crate) fn request(&self, wanted: &[usize]) -> Bytes {
        let mut body = br#"{"query":"#.to_vec();
        body.extend_from_slice(self.query.get().as_bytes());
        body.extend_from_slice(b",\"variables\":{");
        for (number, (name, value)) in self.variables.iter().enumerate() {
            if number > 0 {
                body.push(b',');
            }
            body.push(b'"');
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(b"\":");
            match self.entities.iter().position(|field| *field.variable == **name) {
                None => body.extend_from_slice(value.get().as_bytes()),
                Some(field) => {
                    let own = self.wanted_of(field, wanted);
                    write_list(
                        &mut body,
                        own.map(|index| self.representations[field][index].get().as_bytes()),
                    );
                }
            }
        }
        body.extend_from_slice(b"}}");
        body.into()
    }

    /// The number of the first part of a field.
    fn first_of(&self, field: usize) -> usize {
        self.representations[..field].iter().map(Vec::len).sum()
    }

    /// Those of the wanted parts that are of a field, counted from its first.
    fn wanted_of<'s>(&'s self, field: usize, wanted: &'s [usize]) -> impl Iterator<Item = usize> + 's {
        let first = self.first_of(field);
        let range = first..first + self.representations[field].len();
        wanted.iter().filter(move |part| range.contains(part)).map(move |part| part - first)
    }

    /// Takes the answer to a request for some of the parts apart.
    pub(crate) fn answered(&self, answer: &Bytes, wanted: &[usize]) -> Answered {
        let Ok(Answer { data, errors, extensions }) = serde_json::from_slice(answer) else {
            return Answered::default();
        };
        let is_failure = data.is_none() && errors.is_some();
        let values = data.and_then(|data| self.values(answer, data, wanted));
        let Some(errors) = errors.map_or(Some(Vec::new()), |errors| self.errors(errors, wanted)) else {
            return Answered::default();
        };
        let extensions = extensions.and_then(|extensions| serde_json::from_str(extensions.get()).ok());
        Answered { values, is_failure, errors, extensions: extensions.unwrap_or_default() }
    }

    fn values(&self, answer: &Bytes, data: &RawValue, wanted: &[usize]) -> Option<Vec<Bytes>> {
        let slice = |value: &RawValue| answer.slice_ref(value.get().as_bytes());
        if self.is_root() {
            return Some(vec![slice(data)]);
        }
        let fields: IndexMap<&str, &RawValue> = serde_json::from_str(data.get()).ok()?;
        let mut values = Vec::with_capacity(wanted.len());
        for (number, field) in self.entities.iter().enumerate() {
            let count = self.wanted_of(number, wanted).count();
            let list: Vec<&RawValue> = match fields.get(&*field.response_key) {
                Some(list) => serde_json::from_str(list.get()).ok()?,
                None if count == 0 => continue,
                None => return None,
            };
            if list.len() != count {
                return None;
            }
            values.extend(list.into_iter().map(slice));
        }
        Some(values)
    }

    /// An empty list is none of GraphQL; whoever sends it has something to say about its answer.
    fn errors(&self, errors: &RawValue, wanted: &[usize]) -> Option<Vec<Box<RawValue>>> {
        let errors: Vec<IndexMap<String, Box<RawValue>>> = serde_json::from_str(errors.get()).ok()?;
        let located = errors.into_iter().map(|mut error| {
            if let Some(path) = error.get_mut("path") {
                self.relocate(path, wanted);
            }
            serde_json::value::to_raw_value(&error).ok()
        });
        located.collect()
    }

    /// An index counts the entities that were asked for; from here on it counts all.
    fn relocate(&self, path: &mut Box<RawValue>, wanted: &[usize]) -> Option<()> {
        let mut steps: Vec<serde_json::Value> = serde_json::from_str(path.get()).ok()?;
        let key = steps.first()?.as_str()?;
        let field = self.entities.iter().position(|field| *field.response_key == *key)?;
        let index = usize::try_from(steps.get(1)?.as_u64()?).ok()?;
        let index = self.wanted_of(field, wanted).nth(index)?;
        steps[1] = index.into();
        *path = serde_json::value::to_raw_value(&steps).ok()?;
        Some(())
    }

    /// The answer of all parts.
    pub(crate) fn join(&self, values: &[&Bytes], errors: &[Box<RawValue>]) -> Bytes {
        let length: usize = values.iter().map(|value| value.len() + 1).sum();
        let mut body = Vec::with_capacity(length + 64);
        body.extend_from_slice(b"{");
        if !errors.is_empty() {
            body.extend_from_slice(b"\"errors\":");
            write_list(&mut body, errors.iter().map(|error| error.get().as_bytes()));
            body.push(b',');
        }
        body.extend_from_slice(b"\"data\":");
        if self.is_root() {
            body.extend_from_slice(values.first().map_or(b"null", |value| value));
        } else {
            body.push(b'{');
            for (number, field) in self.entities.iter().enumerate() {
                if number > 0 {
                    body.push(b',');
                }
                body.push(b'"');
                body.extend_from_slice(field.response_key.as_bytes());
                body.extend_from_slice(b"\":");
                let first = self.first_of(number);
                let own = &values[first..first + self.representations[number].len()];
                write_list(&mut body, own.iter().map(|value| &***value));
            }
            body.push(b'}');
        }
        body.push(b'}');
        body.into()
    }
}

fn write_list<'a>(out: &mut Vec<u8>, items: impl Iterator<Item = &'a [u8]>) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<EntityField> {
        let field =
            |key: &str, variable: &str| EntityField { response_key: key.into(), variable: variable.into() };
        vec![field("_e0", "r0"), field("_e1", "r1")]
    }

    const BODY: &str = r#"{"query":"query($n:Int){x}","variables":{"n":12345678901234567890.10,"r0":[{"id":"1"},{"id":"2"},{"id":"3"}],"r1":[{"id":"1"}]}}"#;

    #[test]
    fn a_request_for_all_parts_is_the_request_and_one_for_some_keeps_their_order() {
        let fields = fields();
        let parts = Parts::read(BODY.as_bytes(), &fields).unwrap();
        assert_eq!(parts.names().len(), 4);
        assert_eq!(parts.request(&[0, 1, 2, 3]), BODY);
        let some = BODY.replace(r#"{"id":"2"},"#, "").replace(r#""r1":[{"id":"1"}]"#, r#""r1":[]"#);
        assert_eq!(parts.request(&[0, 2]), some);
    }

    #[test]
    fn an_answer_is_taken_apart_and_put_together_byte_for_byte() {
        let fields = fields();
        let parts = Parts::read(BODY.as_bytes(), &fields).unwrap();
        let answer = Bytes::from_static(
            br#"{"errors":[{"message":"no","path":["_e0",1,"a"]}],"data":{"_e1":[null],"_e0":[{"a": 1.0},{"a":null}]}}"#,
        );
        let Answered { values, errors, .. } = parts.answered(&answer, &[0, 2, 3]);
        let values = values.unwrap();
        assert_eq!(values, [r#"{"a": 1.0}"#, r#"{"a":null}"#, "null"]);
        let known = Bytes::from_static(b"{}");
        let all = [&values[0], &known, &values[1], &values[2]];
        assert_eq!(
            parts.join(&all, &errors),
            r#"{"errors":[{"message":"no","path":["_e0",2,"a"]}],"data":{"_e0":[{"a": 1.0},{},{"a":null}],"_e1":[null]}}"#
        );
    }

    #[test]
    fn an_answer_with_another_number_of_entities_cannot_be_taken_apart() {
        let fields = fields();
        let parts = Parts::read(BODY.as_bytes(), &fields).unwrap();
        for answer in [r#"{"data":{"_e0":[{}]}}"#, r#"{"data":null}"#, "{}", "[", r#"{"data":{"_e0":{}}}"#] {
            assert!(parts.answered(&Bytes::from(answer), &[0, 1]).values.is_none(), "{answer}");
        }
    }

    #[test]
    fn root_fields_are_one_part() {
        let body = br#"{"query":"{a}"}"#;
        let parts = Parts::read(body, &[]).unwrap();
        let answer = Bytes::from_static(br#"{"data":{"a":1},"extensions":{"apolloCacheTags":["a"]}}"#);
        let answered = parts.answered(&answer, &[0]);
        assert_eq!(answered.extensions.apollo_cache_tags, [Box::<str>::from("a")]);
        assert_eq!(parts.join(&[&answered.values.unwrap()[0]], &[]), r#"{"data":{"a":1}}"#);
    }
}
