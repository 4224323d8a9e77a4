//! What an operation must give: run on the API schema by one server that holds all data.
//!
//! Elsewhere: random operations to try it on (`random.rs`).

use std::collections::HashMap;

use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use serde_json::Value as Json;

use crate::data::{Object, Store};

/// One server for the whole API schema.
#[derive(Debug)]
pub struct Oracle {
    schema: Valid<Schema>,
    store: Store,
}

impl Oracle {
    /// Over an API schema's SDL and the data that all subgraphs share.
    ///
    /// # Panics
    /// When the SDL is not a valid schema.
    pub fn new(api_sdl: &str, data: Json) -> Self {
        let schema = Schema::parse_and_validate(api_sdl, "api.graphql").expect("the API schema is valid");
        Self { schema, store: Store { data, required: HashMap::default() } }
    }

    /// The API schema.
    pub fn schema(&self) -> &Valid<Schema> {
        &self.schema
    }

    /// The text of `data` for a query; `None` when the document is not valid.
    ///
    /// # Panics
    /// When the variables are no JSON object.
    pub fn data(&self, query: &str, variables: &str) -> Option<String> {
        let document = ExecutableDocument::parse_and_validate(&self.schema, query, "query.graphql").ok()?;
        let variables: JsonMap = serde_json::from_str(variables).expect("variables are a JSON object");
        let fields = self.store.data.get("Query").and_then(Json::as_object).cloned().unwrap_or_default();
        let root = Object { type_name: "Query".to_owned(), fields, store: &self.store };
        let executed =
            Execution::new(&self.schema, &document).raw_variable_values(&variables).execute_sync(&root);
        let response = executed.unwrap_or_else(|error| panic!("{}: {query}", error.message()));
        Some(serde_json::to_string(&response.data).expect("data is JSON"))
    }
}
