//! From a subscription's request to the query that completes each of its events.
//!
//! In: the request that the subscription's subgraph would get. Out: its field and arguments, and for an entity's
//! representation the request that asks the subgraph for what the subscription selects; and the answer as an answer to the
//! subscription.
//!
//! # Source
//! Apollo Federation subgraph specification, `Query._entities`.

use std::collections::HashSet;

use apollo_compiler::ast::{self, Definition, OperationType, Selection, Type, Value};
use apollo_compiler::{Name, Node, name};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

const REPRESENTATIONS: &str = "representations";

/// A subscription's request, taken apart.
#[derive(Debug)]
pub(super) struct Asked {
    /// The subscription type's field.
    pub(super) field: String,
    /// As the answer names it.
    response_key: String,
    pub(super) arguments: Map<String, Json>,
    /// What is selected of the field, and how.
    document: ast::Document,
    /// The request's variables.
    variables: Map<String, Json>,
}

/// The request that completes an event, but for the representation.
#[derive(Debug)]
pub(super) struct Completion {
    response_key: String,
    query: String,
    variables: Map<String, Json>,
}

#[derive(Deserialize)]
struct Body {
    query: String,
    #[serde(default)]
    variables: Option<Map<String, Json>>,
}

impl Asked {
    /// Reads a request's body; `None` when it is not a subscription of one plain field.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let Body { query, variables } = serde_json::from_slice(body).ok()?;
        let document = ast::Document::parse(query, "subscription.graphql").ok()?;
        let variables = variables.unwrap_or_default();
        let operation = operation(&document)?;
        let [Selection::Field(field)] = operation.selection_set.as_slice() else { return None };
        let arguments = field
            .arguments
            .iter()
            .map(|argument| (argument.name.to_string(), json(&argument.value, &variables)))
            .collect();
        let (name, key) = (field.name.to_string(), field.alias.as_ref().unwrap_or(&field.name).to_string());
        Some(Self { field: name, response_key: key, arguments, document, variables })
    }

    /// The query for entities of this type.
    pub(super) fn completion(&self, entity: &str) -> Option<Completion> {
        let operation = operation(&self.document)?;
        let selection = operation.selection_set.first()?.as_field()?.selection_set.clone();
        let fragments = self.document.definitions.iter().filter_map(|definition| match definition {
            Definition::FragmentDefinition(fragment) => Some(fragment),
            _ => None,
        });
        let mut used = HashSet::new();
        variables_of(&selection, &mut used);
        fragments.clone().for_each(|fragment| variables_of(&fragment.selection_set, &mut used));
        let is_used = |name: &str| used.contains(name) && name != REPRESENTATIONS;
        let mut definitions: Vec<_> =
            operation.variables.iter().filter(|variable| is_used(&variable.name)).cloned().collect();
        definitions.push(Node::new(ast::VariableDefinition {
            name: name!("representations"),
            ty: Node::new(Type::List(Box::new(Type::NonNullNamed(name!("_Any")))).non_null()),
            default_value: None,
            directives: ast::DirectiveList::new(),
        }));
        let mut document = ast::Document::new();
        document.definitions.push(entity_query(definitions, entity, selection)?);
        document.definitions.extend(fragments.cloned().map(Definition::FragmentDefinition));
        let variables = self.variables.iter().filter(|(name, _)| is_used(name));
        Some(Completion {
            response_key: self.response_key.clone(),
            query: document.serialize().no_indent().to_string(),
            variables: variables.map(|(name, value)| (name.clone(), value.clone())).collect(),
        })
    }
}

fn operation(document: &ast::Document) -> Option<&Node<ast::OperationDefinition>> {
    document.definitions.iter().find_map(|definition| match definition {
        Definition::OperationDefinition(operation)
            if operation.operation_type == OperationType::Subscription =>
        {
            Some(operation)
        }
        _ => None,
    })
}

fn entity_query(
    variables: Vec<Node<ast::VariableDefinition>>,
    entity: &str,
    selection_set: Vec<Selection>,
) -> Option<Definition> {
    let inline = ast::InlineFragment {
        type_condition: Some(Name::new(entity).ok()?),
        directives: ast::DirectiveList::new(),
        selection_set,
    };
    let argument = ast::Argument {
        name: name!("representations"),
        value: Node::new(Value::Variable(name!("representations"))),
    };
    let entities = ast::Field {
        alias: None,
        name: name!("_entities"),
        arguments: vec![Node::new(argument)],
        directives: ast::DirectiveList::new(),
        selection_set: vec![Selection::InlineFragment(Node::new(inline))],
    };
    Some(Definition::OperationDefinition(Node::new(ast::OperationDefinition {
        operation_type: OperationType::Query,
        name: None,
        variables,
        directives: ast::DirectiveList::new(),
        selection_set: vec![Selection::Field(Node::new(entities))],
    })))
}

fn variables_of(selections: &[Selection], used: &mut HashSet<String>) {
    for selection in selections {
        let (directives, nested) = match selection {
            Selection::Field(field) => {
                field.arguments.iter().for_each(|argument| variables_in(&argument.value, used));
                (&field.directives, field.selection_set.as_slice())
            }
            Selection::InlineFragment(fragment) => (&fragment.directives, fragment.selection_set.as_slice()),
            Selection::FragmentSpread(spread) => (&spread.directives, [].as_slice()),
        };
        let arguments = directives.iter().flat_map(|directive| &directive.arguments);
        arguments.for_each(|argument| variables_in(&argument.value, used));
        variables_of(nested, used);
    }
}

fn variables_in(value: &Value, used: &mut HashSet<String>) {
    match value {
        Value::Variable(name) => {
            used.insert(name.to_string());
        }
        Value::List(items) => items.iter().for_each(|item| variables_in(item, used)),
        Value::Object(members) => members.iter().for_each(|(_, member)| variables_in(member, used)),
        _ => {}
    }
}

/// A literal or a variable as JSON.
fn json(value: &Value, variables: &Map<String, Json>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Enum(name) => Json::String(name.to_string()),
        Value::Variable(name) => variables.get(name.as_str()).cloned().unwrap_or_default(),
        Value::String(text) => Json::String(text.clone()),
        Value::Float(number) => serde_json::from_str(number.as_str()).unwrap_or_default(),
        Value::Int(number) => serde_json::from_str(number.as_str()).unwrap_or_default(),
        Value::Boolean(truth) => Json::Bool(*truth),
        Value::List(items) => items.iter().map(|item| json(item, variables)).collect(),
        Value::Object(members) => Json::Object(
            members.iter().map(|(name, member)| (name.to_string(), json(member, variables))).collect(),
        ),
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Option<Data<'a>>,
    errors: Option<Vec<Map<String, Json>>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "_entities", borrow)]
    entities: Option<Vec<Option<&'a RawValue>>>,
}

#[derive(Serialize)]
struct Event<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Map<String, Json>>>,
    data: Option<std::collections::BTreeMap<&'a str, Option<&'a RawValue>>>,
}

impl Completion {
    /// The request for one entity.
    pub(super) fn request(&self, representation: Json) -> Bytes {
        let mut variables = self.variables.clone();
        variables.insert(REPRESENTATIONS.to_owned(), Json::Array(vec![representation]));
        serde_json::json!({ "query": self.query, "variables": variables }).to_string().into()
    }

    /// The answer as one to the subscription; `None` when the subgraph does not give this client the entity.
    pub(super) fn event(&self, answer: &Bytes) -> Option<Bytes> {
        let Ok(Answer { data, errors }) = serde_json::from_slice::<Answer<'_>>(answer) else {
            // Whatever it is, it is told as it would be of the subscription itself.
            return Some(answer.clone());
        };
        let entity =
            data.and_then(|data| data.entities).and_then(|entities| entities.into_iter().next().flatten());
        let errors = errors.filter(|errors| !errors.is_empty());
        if entity.is_none() && errors.is_none() {
            return None;
        }
        let errors = errors.map(|errors| errors.into_iter().map(|error| self.relocated(error)).collect());
        let event = Event { errors, data: Some([(self.response_key.as_str(), entity)].into()) };
        Some(serde_json::to_vec(&event).expect("maps with names are JSON").into())
    }

    /// An error's path begins with the subscription's field instead of `_entities` and an index.
    fn relocated(&self, mut error: Map<String, Json>) -> Map<String, Json> {
        error.remove("locations");
        if let Some(Json::Array(path)) = error.get_mut("path") {
            let tail = path.iter().skip(2).cloned();
            *path = std::iter::once(Json::String(self.response_key.clone())).chain(tail).collect();
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(query: &str, variables: &Json) -> Asked {
        Asked::read(json!({ "query": query, "variables": variables }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_selection_becomes_a_query_for_the_entity() {
        let asked = asked(
            "subscription($id: ID!, $n: Int = 2, $unused: Int) { changed: orderChanged(orderId: $id, kind: NEW) \
             { __typename id lines(first: $n) { ...L } } } fragment L on Line { sku }",
            &json!({ "id": "7", "n": 3, "unused": 1 }),
        );
        assert_eq!(asked.field, "orderChanged");
        assert_eq!(Json::Object(asked.arguments.clone()), json!({ "orderId": "7", "kind": "NEW" }));
        let completion = asked.completion("Order").unwrap();
        let request: Json =
            serde_json::from_slice(&completion.request(json!({ "__typename": "Order", "id": "7" }))).unwrap();
        assert_eq!(
            request["variables"],
            json!({ "n": 3, "representations": [{ "__typename": "Order", "id": "7" }] })
        );
        let text = request["query"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            text,
            "query($n: Int = 2, $representations: [_Any!]!) { _entities(representations: $representations) { ... on \
             Order { __typename id lines(first: $n) { ...L } } } } fragment L on Line { sku }"
        );
    }

    #[test]
    fn the_answer_becomes_an_event_with_its_errors_in_place() {
        let completion =
            asked("subscription { c: changed { id note } }", &Json::Null).completion("Order").unwrap();
        let event = |answer: Json| {
            let event = completion.event(&answer.to_string().into());
            event.map(|event| serde_json::from_slice::<Json>(&event).unwrap())
        };
        assert_eq!(
            event(json!({ "data": { "_entities": [{ "id": "7" }] } })),
            Some(json!({ "data": { "c": { "id": "7" } } }))
        );
        let error = json!({ "message": "m", "path": ["_entities", 0, "note"], "locations": [{ "line": 1, "column": 1 }] });
        assert_eq!(
            event(json!({ "data": { "_entities": [{ "id": "7", "note": null }] }, "errors": [error] })),
            Some(json!({
                "data": { "c": { "id": "7", "note": null } },
                "errors": [{ "message": "m", "path": ["c", "note"] }],
            }))
        );
        assert_eq!(event(json!({ "data": { "_entities": [null] } })), None);
        assert_eq!(
            event(json!({ "errors": [{ "message": "m" }] })),
            Some(json!({ "data": { "c": null }, "errors": [{ "message": "m" }] }))
        );
    }
}
