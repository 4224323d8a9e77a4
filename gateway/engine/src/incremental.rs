//! `@defer` and `@stream` in the schema and in clients' documents.
//!
//! In: a document that is valid for a schema with the directives. Out: what else is wrong with it, and what its plan
//! depends on besides it.
//! Elsewhere: what is delivered with what (`operation/normalise`), running it (`executor/incremental`).

use std::collections::HashSet;

use apollo_compiler::executable::{Directive, Field, Operation, OperationType, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema, ast};
use serde_json::Value as Json;

use crate::{ErrorCode, Outcome, Request, RequestError, Response, prepare};

/// GraphQL specification, working draft, sections 3.13.6 "@defer" and 3.13.7 "@stream".
const DIRECTIVES: &str = r#"
"Directs the executor to deliver a fragment later than the rest of the response."
directive @defer("Whether to." if: Boolean! = true, "A name for it, unique in the document." label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
"Directs the executor to deliver a list's items one after the other."
directive @stream("Whether to." if: Boolean! = true, "A name for it, unique in the document." label: String, "How many items come with the list." initialCount: Int! = 0) on FIELD
"#;

/// What clients see of a schema: with the directives, unless they are off or it has others of these names.
pub(crate) fn schema(api: &Valid<Schema>, is_on: bool) -> Valid<Schema> {
    if !is_on {
        return api.clone();
    }
    let directives = Schema::parse(format!("{DIRECTIVES} type Query {{ a: Int }}"), "incremental.graphql")
        .expect("the text above is a schema");
    let mut schema = api.clone().into_inner();
    for name in ["defer", "stream"] {
        let definition = directives.directive_definitions[name].clone();
        schema.directive_definitions.entry(definition.name.clone()).or_insert(definition);
    }
    schema.validate().unwrap_or_else(|_| api.clone())
}

/// Whether a document may have the directives: told without parsing it.
pub(crate) fn is_mentioned(document: &str) -> bool {
    document.match_indices('@').any(|(at, _)| {
        let rest = document[at + 1..].trim_start_matches([' ', '\t', '\n', '\r', ',']);
        rest.starts_with("defer") || rest.starts_with("stream")
    })
}

/// What the plan of a document with the directives depends on: the request's Boolean variables, as text. `None` for a
/// document without.
pub(crate) fn variant(request: &Request) -> Option<String> {
    is_mentioned(&request.query).then(|| {
        let mut given = given(request);
        given.sort();
        let mut text = String::new();
        for (name, is_true) in given {
            text.extend([name.as_str(), if is_true { "+" } else { "-" }]);
        }
        text
    })
}

/// The Boolean variables of a request; what is wrong with the others is found when they are coerced.
fn given(request: &Request) -> Vec<(String, bool)> {
    let variables: serde_json::Map<String, Json> =
        serde_json::from_str(request.variables.as_json()).unwrap_or_default();
    variables.into_iter().filter_map(|(name, value)| Some((name, value.as_bool()?))).collect()
}

/// The Boolean variables of one request, with the defaults of its operation.
pub(crate) struct Booleans(HashSet<String>);

impl Booleans {
    pub(crate) fn is_true(&self, variable: &str) -> bool {
        self.0.contains(variable)
    }
}

/// See [`Booleans`].
pub(crate) fn booleans(document: &ExecutableDocument, request: &Request) -> Booleans {
    let operation = document.operations.get(request.operation_name.as_deref()).ok();
    let variables = operation.into_iter().flat_map(|operation| &operation.variables);
    let defaults = variables.filter(|variable| {
        variable.default_value.as_deref().is_some_and(|value| *value == ast::Value::Boolean(true))
    });
    let mut all: HashSet<String> = defaults.map(|variable| variable.name.to_string()).collect();
    for (name, is_true) in given(request) {
        if is_true {
            all.insert(name);
        } else {
            all.remove(&name);
        }
    }
    Booleans(all)
}

/// The rules that a document with the directives follows beyond those for all directives.
///
/// # Source
/// GraphQL specification, working draft, sections 5.7.4 "Defer And Stream Directives Are Used On Valid Root Field", 5.7.5
/// "Defer And Stream Directives Are Used On Valid Operations", 5.7.6 "Defer And Stream Directive Labels Are Unique" and
/// 5.7.7 "Stream Directives Are Used On List Fields".
pub(crate) fn check(schema: &Schema, document: &ExecutableDocument) -> Result<(), Response> {
    let mut rules = Rules { schema, document, labels: HashSet::new(), errors: Vec::new() };
    for operation in document.operations.iter() {
        rules.set(&operation.selection_set);
        rules.operation(operation);
    }
    for fragment in document.fragments.values() {
        rules.set(&fragment.selection_set);
    }
    if rules.errors.is_empty() {
        return Ok(());
    }
    Err(Response::refused(Outcome::ValidationError, &rules.errors))
}

struct Rules<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    labels: HashSet<&'a str>,
    errors: Vec<RequestError>,
}

impl<'a> Rules<'a> {
    fn error(&mut self, message: String, place: Option<SourceSpan>) {
        let locations = prepare::location(place, &self.document.sources).into_iter().collect();
        self.errors.push(RequestError { message, locations, code: ErrorCode::ValidationFailed });
    }

    /// What can be said of a selection set wherever it stands.
    fn set(&mut self, set: &'a SelectionSet) {
        let roots = [OperationType::Mutation, OperationType::Subscription];
        let root = roots.into_iter().find(|&kind| self.schema.root_operation(kind) == Some(&set.ty));
        for selection in &set.selections {
            for directive in selection.directives().iter().filter(|directive| is_incremental(directive)) {
                self.label(directive);
                if let Some(kind) = root {
                    let (name, root) = (&directive.name, &set.ty);
                    self.error(
                        format!("@{name} cannot be used on root {kind} type \"{root}\"."),
                        directive.location(),
                    );
                }
            }
            match selection {
                Selection::Field(field) => {
                    self.field(field);
                    self.set(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => self.set(&fragment.selection_set),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn field(&mut self, field: &'a Node<Field>) {
        let Some(directive) = field.directives.get("stream") else { return };
        if !field.definition.ty.is_list() {
            let message = format!("@stream cannot be used on non-list field \"{}\".", field.name);
            self.error(message, directive.location());
        }
        let count = directive.specified_argument_by_name("initialCount");
        if count.and_then(|count| count.to_i32()).is_some_and(|count| count < 0) {
            self.error("initialCount of @stream must not be negative.".to_owned(), directive.location());
        }
    }

    fn label(&mut self, directive: &'a Node<Directive>) {
        let Some(label) = directive.specified_argument_by_name("label") else { return };
        match &**label {
            ast::Value::String(label) => {
                if !self.labels.insert(label) {
                    let message = format!("Label \"{label}\" of @{} is used more than once.", directive.name);
                    self.error(message, directive.location());
                }
            }
            ast::Value::Null => {}
            _ => {
                let message = format!("The label of @{} must be a static string.", directive.name);
                self.error(message, directive.location());
            }
        }
    }

    /// A subscription has none of the directives, unless they can be switched off.
    fn operation(&mut self, operation: &'a Node<Operation>) {
        if operation.operation_type != OperationType::Subscription {
            return;
        }
        let mut seen: HashSet<&Name> = HashSet::new();
        let mut open: Vec<&'a SelectionSet> = vec![&operation.selection_set];
        while let Some(set) = open.pop() {
            for selection in &set.selections {
                for directive in selection.directives().iter().filter(|directive| is_incremental(directive)) {
                    let condition = directive.specified_argument_by_name("if");
                    let can_be_off = matches!(
                        condition.map(|value| &**value),
                        Some(ast::Value::Variable(_) | ast::Value::Boolean(false))
                    );
                    if !can_be_off {
                        let message = format!(
                            "@{} is not supported in subscriptions. Its \"if\" can switch it off.",
                            directive.name
                        );
                        self.error(message, directive.location());
                    }
                }
                match selection {
                    Selection::Field(field) => open.push(&field.selection_set),
                    Selection::InlineFragment(fragment) => open.push(&fragment.selection_set),
                    Selection::FragmentSpread(spread) => {
                        let fragment = self.document.fragments.get(&spread.fragment_name);
                        if let Some(fragment) = fragment.filter(|_| seen.insert(&spread.fragment_name)) {
                            open.push(&fragment.selection_set);
                        }
                    }
                }
            }
        }
    }
}

fn is_incremental(directive: &Directive) -> bool {
    directive.name == "defer" || directive.name == "stream"
}
