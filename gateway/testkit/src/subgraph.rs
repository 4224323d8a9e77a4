//! One subgraph in memory.
//!
//! In: federation SDL, data, and GraphQL requests as a transport sends them. Out: GraphQL responses as bytes.
//! Elsewhere: the data's notation (`data.rs`).

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::OperationType;
use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::JsonMap;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::data::{Object, Store};

/// A subgraph's name, schema and data.
#[derive(Debug, Clone)]
pub struct TestSubgraph {
    /// As in the supergraph.
    pub name: String,
    /// Federation SDL.
    pub sdl: String,
    /// See `data.rs` for the notation.
    pub data: Json,
}

impl TestSubgraph {
    /// A subgraph with data.
    pub fn new(name: &str, sdl: &str, data: Json) -> Self {
        Self { name: name.to_owned(), sdl: sdl.to_owned(), data }
    }
}

/// A subgraph ready to answer.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    schema: Valid<Schema>,
    store: Store,
}

#[derive(Deserialize)]
struct Request {
    query: String,
    #[serde(default)]
    variables: JsonMap,
}

impl Server {
    pub(crate) fn new(subgraph: &TestSubgraph) -> Self {
        let schema = executable_schema(&subgraph.sdl);
        let store = Store { data: subgraph.data.clone(), required: required_fields(&schema) };
        Self { name: subgraph.name.clone(), schema, store }
    }

    /// Answers a query or a mutation; for a subscription, its first event.
    pub(crate) fn answer(&self, body: &[u8]) -> Bytes {
        self.events(body).into_iter().next().unwrap_or_else(|| refusal("there is no event"))
    }

    /// Answers a subscription: one answer for each item that the data lists for its field. Anything else has one.
    pub(crate) fn events(&self, body: &[u8]) -> Vec<Bytes> {
        let Ok(request) = serde_json::from_slice::<Request>(body) else {
            return vec![refusal("the body is not a GraphQL request")];
        };
        let document =
            match ExecutableDocument::parse_and_validate(&self.schema, &request.query, "subgraph.graphql") {
                Ok(document) => document,
                Err(refused) => {
                    return vec![refusal(&format!(
                        "{} refuses {}: {}",
                        self.name, request.query, refused.errors
                    ))];
                }
            };
        let Ok(operation) = document.operations.get(None) else {
            return vec![refusal("one operation is expected")];
        };
        let root = operation.object_type().as_str();
        let fields = self.store.data.get(root).and_then(Json::as_object).cloned().unwrap_or_default();
        let roots = if operation.operation_type == OperationType::Subscription {
            one_for_each_event(&fields)
        } else {
            vec![fields]
        };
        let answer = |fields: Map<String, Json>| {
            let root = Object { type_name: root.to_owned(), fields, store: &self.store };
            let executed = Execution::new(&self.schema, &document)
                .raw_variable_values(&request.variables)
                .execute_sync(&root);
            match executed {
                Ok(response) => serde_json::to_vec(&response).expect("a response is JSON").into(),
                Err(error) => refusal(&error.message().to_string()),
            }
        };
        roots.into_iter().map(answer).collect()
    }
}

fn one_for_each_event(fields: &Map<String, Json>) -> Vec<Map<String, Json>> {
    let events = fields.iter().flat_map(|(name, events)| {
        events.as_array().into_iter().flatten().map(move |event| (name.clone(), event.clone()))
    });
    events.map(|event| Map::from_iter([event])).collect()
}

fn refusal(message: &str) -> Bytes {
    serde_json::to_vec(&json!({"errors": [{"message": message}]})).expect("JSON is JSON").into()
}

/// The schema with what federation adds to it. It is not validated: federation's own directives are not defined in it,
/// and composition has judged the SDL.
fn executable_schema(sdl: &str) -> Valid<Schema> {
    let with = |additions: &str| {
        let builder = Schema::builder()
            .adopt_orphan_extensions()
            .parse(format!("{sdl}\n{additions}"), "subgraph.graphql");
        builder.build().unwrap_or_else(|refused| refused.partial)
    };
    let own = with("");
    let keys = ["key", "federation__key"];
    let entities: Vec<_> = own
        .types
        .values()
        .filter(|found| matches!(found, ExtendedType::Object(_)))
        .filter(|found| keys.iter().any(|key| found.directives().has(key)))
        .map(|found| found.name().as_str())
        .collect();
    let query = own.root_operation(OperationType::Query).map_or("Query", |name| name.as_str());
    let additions = if entities.is_empty() {
        format!("extend type {query} {{ _service: _Service! }} type _Service {{ sdl: String }}")
    } else {
        format!(
            "extend type {query} {{ _entities(representations: [_Any!]!): [_Entity]! _service: _Service! }}
             type _Service {{ sdl: String }} scalar _Any union _Entity = {}",
            entities.join(" | ")
        )
    };
    Valid::assume_valid(with(&additions))
}

/// By type, the external fields that some field of it `@requires`.
fn required_fields(schema: &Schema) -> HashMap<String, HashSet<String>> {
    let objects = schema.types.values().filter_map(|found| found.as_object());
    objects
        .map(|object| {
            let requires = object.fields.values().flat_map(|field| field.directives.get_all("requires"));
            let sets =
                requires.filter_map(|directive| directive.specified_argument_by_name("fields")?.as_str());
            let words: HashSet<_> =
                sets.flat_map(|set| set.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
            let external = object.fields.values().filter(|field| field.directives.has("external"));
            let required =
                external.map(|field| field.name.to_string()).filter(|name| words.contains(name.as_str()));
            (object.name.to_string(), required.collect())
        })
        .collect()
}
