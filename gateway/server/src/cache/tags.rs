//! By what a part of an answer can be invalidated: its subgraph, its type, and its tags.
//!
//! In: the supergraph's `@cacheTag`s (as `@join__directive`), a request's parts, what the subgraph says in its answer's
//! `extensions`. Out: labels.
//! Always: bounded in number and length. A format that names a value which is not there gives no tag.
//! Elsewhere: removing what has a label (`store.rs`), who may ask for that (`invalidation.rs`).

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::{self, Definition, Selection, Value as Literal};
use serde_json::Value;
use serde_json::value::RawValue;

use super::parts::{Extensions, Parts};
use super::store::Labels;

/// Tags of one part; further ones are left out.
const TAGS_MAX: usize = 100;
/// The longest tag in bytes; longer ones are left out.
const TAG_BYTES_MAX: usize = 1024;

type Formats = HashMap<(Box<str>, Box<str>), Vec<Box<str>>>;

/// The tags of one supergraph.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    subgraphs: Vec<Box<str>>,
    /// By subgraph and type.
    of_types: Formats,
    /// By subgraph and field of the query type.
    of_fields: Formats,
}

/// The label of everything from a subgraph.
pub(crate) fn of_subgraph(subgraph: &str) -> Box<str> {
    format!("subgraph:{subgraph}").into()
}

/// The label of a type's entities from a subgraph.
pub(crate) fn of_type(subgraph: &str, ty: &str) -> Box<str> {
    format!("type:{subgraph}:{ty}").into()
}

/// The label of what a subgraph tagged.
pub(crate) fn of_tag(subgraph: &str, tag: &str) -> Box<str> {
    format!("tag:{subgraph}:{tag}").into()
}

impl Tags {
    /// Reads a supergraph's SDL, which the engine has found to be one.
    pub(crate) fn read(sdl: &str) -> Self {
        let Ok(document) = ast::Document::parse(sdl, "supergraph.graphql") else { return Self::default() };
        let mut tags = Self::default();
        let mut graphs = HashMap::new();
        let mut query = "Query";
        for definition in &document.definitions {
            match definition {
                Definition::EnumTypeDefinition(graph) if graph.name == "join__Graph" => {
                    for value in &graph.values {
                        let name = value.directives.get("join__graph");
                        let name = name.and_then(|graph| graph.specified_argument_by_name("name")?.as_str());
                        graphs.insert(value.value.to_string(), name.unwrap_or_default());
                    }
                }
                Definition::SchemaDefinition(schema) => {
                    let root = schema.root_operations.iter().find(|root| root.0 == ast::OperationType::Query);
                    query = root.map_or(query, |root| root.1.as_str());
                }
                _ => {}
            }
        }
        tags.subgraphs = graphs.values().map(|name| (*name).into()).collect();
        for definition in &document.definitions {
            let Definition::ObjectTypeDefinition(object) = definition else { continue };
            read(&object.directives, &object.name, &graphs, &mut tags.of_types);
            for field in object.fields.iter().filter(|_| object.name == query) {
                read(&field.directives, &field.name, &graphs, &mut tags.of_fields);
            }
        }
        tags
    }

    /// Every subgraph's name.
    pub(crate) fn subgraphs(&self) -> &[Box<str>] {
        &self.subgraphs
    }

    /// By what each of the parts that a subgraph answered can be invalidated.
    pub(crate) fn labels(
        &self,
        subgraph: &str,
        parts: &Parts<'_>,
        wanted: &[usize],
        said: &Extensions,
    ) -> Vec<Labels> {
        if parts.is_root() {
            let tags =
                self.of_root(subgraph, parts).into_iter().chain(said.apollo_cache_tags.iter().cloned());
            return vec![labels(subgraph, Some("Query"), tags)];
        }
        let all: Vec<&RawValue> = parts.representations().collect();
        let mut said = said.apollo_entity_cache_tags.iter();
        let of_entity = |part: &usize| {
            let representation: Value = serde_json::from_str(all[*part].get()).unwrap_or_default();
            let ty = representation["__typename"].as_str();
            let formats = ty.and_then(|ty| self.of_types.get(&(subgraph.into(), ty.into())));
            let own = formats.into_iter().flatten();
            let own =
                own.filter_map(|format| render(format, "$key.", |path| value_at(&representation, path)));
            labels(subgraph, ty, own.chain(said.next().into_iter().flatten().cloned()))
        };
        wanted.iter().map(of_entity).collect()
    }

    fn of_root(&self, subgraph: &str, parts: &Parts<'_>) -> Vec<Box<str>> {
        if !self.of_fields.keys().any(|(of, _)| **of == *subgraph) {
            return Vec::new();
        }
        let Ok(text) = serde_json::from_str::<String>(parts.query().get()) else { return Vec::new() };
        let Ok(document) = ast::Document::parse(text, "fetch.graphql") else { return Vec::new() };
        let mut tags = Vec::new();
        for definition in &document.definitions {
            let Definition::OperationDefinition(operation) = definition else { continue };
            let mut fields = Vec::new();
            root_fields(&document, &operation.selection_set, &mut HashSet::new(), &mut fields);
            for field in fields {
                let formats = self.of_fields.get(&(subgraph.into(), field.name.as_str().into()));
                let value = |path: &str| {
                    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
                    let argument = field.arguments.iter().find(|argument| argument.name == name)?;
                    value_at(&json(&argument.value, parts)?, rest)
                };
                tags.extend(
                    formats.into_iter().flatten().filter_map(|format| render(format, "$args.", value)),
                );
            }
        }
        tags
    }
}

fn read(directives: &ast::DirectiveList, name: &str, graphs: &HashMap<String, &str>, formats: &mut Formats) {
    for directive in directives.get_all("join__directive") {
        let argument = |name: &str| directive.specified_argument_by_name(name);
        let applied = argument("name").and_then(|name| name.as_str());
        if !matches!(applied, Some("cacheTag" | "federation__cacheTag")) {
            continue;
        }
        let format = argument("args").and_then(|args| {
            let format = args.as_object()?.iter().find(|(name, _)| name == "format")?;
            format.1.as_str()
        });
        let of = argument("graphs").and_then(|graphs| graphs.as_list()).unwrap_or_default();
        for graph in of.iter().filter_map(|graph| graphs.get(graph.as_enum()?.as_str())) {
            formats.entry(((*graph).into(), name.into())).or_default().extend(format.map(Into::into));
        }
    }
}

fn labels(subgraph: &str, ty: Option<&str>, tags: impl Iterator<Item = Box<str>>) -> Labels {
    let tags = tags.filter(|tag| tag.len() <= TAG_BYTES_MAX).take(TAGS_MAX);
    let ty = ty.map(|ty| of_type(subgraph, ty));
    [of_subgraph(subgraph)].into_iter().chain(ty).chain(tags.map(|tag| of_tag(subgraph, &tag))).collect()
}

/// Fields of the operation's root, also those in fragments; each fragment once.
fn root_fields<'a>(
    document: &'a ast::Document,
    selections: &'a [Selection],
    entered: &mut HashSet<&'a str>,
    fields: &mut Vec<&'a ast::Field>,
) {
    for selection in selections {
        match selection {
            Selection::Field(field) => fields.push(field),
            Selection::InlineFragment(inline) => {
                root_fields(document, &inline.selection_set, entered, fields);
            }
            Selection::FragmentSpread(spread) => {
                let named = document.definitions.iter().find_map(|definition| match definition {
                    Definition::FragmentDefinition(fragment) => {
                        (fragment.name == spread.fragment_name).then_some(fragment)
                    }
                    _ => None,
                });
                if let Some(fragment) = named.filter(|fragment| entered.insert(fragment.name.as_str())) {
                    root_fields(document, &fragment.selection_set, entered, fields);
                }
            }
        }
    }
}

/// An argument with the request's variables in place.
fn json(literal: &Literal, parts: &Parts<'_>) -> Option<Value> {
    Some(match literal {
        Literal::Variable(name) => serde_json::from_str(parts.variable(name)?.get()).ok()?,
        Literal::String(text) => text.as_str().into(),
        Literal::Enum(name) => name.as_str().into(),
        Literal::Boolean(value) => (*value).into(),
        Literal::Int(number) => serde_json::from_str(number.as_str()).ok()?,
        Literal::Float(number) => serde_json::from_str(number.as_str()).ok()?,
        Literal::Object(fields) => {
            let field = |(name, value): &(_, apollo_compiler::Node<Literal>)| {
                let name: &apollo_compiler::Name = name;
                Some((name.to_string(), json(value, parts)?))
            };
            fields.iter().map(field).collect::<Option<serde_json::Map<_, _>>>()?.into()
        }
        Literal::Null | Literal::List(_) => return None,
    })
}

/// The scalar at a path, as text.
fn value_at(value: &Value, path: &str) -> Option<String> {
    let mut steps = path.split('.').filter(|step| !step.is_empty());
    match steps.try_fold(value, |value, step| value.get(step))? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A format with its values in place: `product-{$key.upc}`.
fn render(format: &str, prefix: &str, value: impl Fn(&str) -> Option<String>) -> Option<Box<str>> {
    let mut tag = String::with_capacity(format.len());
    let mut rest = format;
    while let Some((text, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}')?;
        tag.push_str(text);
        tag.push_str(&value(name.trim().strip_prefix(prefix)?)?);
        rest = after;
    }
    tag.push_str(rest);
    Some(tag.into())
}

#[cfg(test)]
mod tests {
    use kopitiam_executor::transport::EntityField;
    use serde_json::json;

    use super::*;

    const SDL: &str = r#"
        schema @link(url: "https://specs.apollo.dev/join/v0.5") { query: Root }
        enum join__Graph { A @join__graph(name: "a", url: "") B @join__graph(name: "b", url: "") }
        type Root {
            product(id: ID!, in: In): Product
                @join__directive(graphs: [A], name: "federation__cacheTag", args: {format: "p-{$args.id}-{$args.in.n}"})
            all: [Product] @join__directive(graphs: [A, B], name: "cacheTag", args: {format: "all"})
        }
        type Product
            @join__directive(graphs: [B], name: "federation__cacheTag", args: {format: "product-{$key.upc}"})
            @join__directive(graphs: [B], name: "federation__cacheTag", args: {format: "of-{$key.shop.id}"}) {
            upc: ID
        }"#;

    fn labels_of(
        subgraph: &str,
        body: &Value,
        entities: &[EntityField],
        said: &Extensions,
    ) -> Vec<Vec<String>> {
        let body = body.to_string();
        let parts = Parts::read(body.as_bytes(), entities).unwrap();
        let wanted: Vec<usize> = (0..parts.names().len()).collect();
        let labels = Tags::read(SDL).labels(subgraph, &parts, &wanted, said);
        labels.iter().map(|part| part.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn root_fields_have_the_tags_of_their_arguments() {
        let query = "query($v:ID!){x:product(id:$v,in:{n:7}){upc} ...F}fragment F on Root{all{upc}}";
        let body = json!({ "query": query, "variables": { "v": "1" } });
        let labels = labels_of("a", &body, &[], &Extensions::default());
        assert_eq!(labels, [["subgraph:a", "type:a:Query", "tag:a:p-1-7", "tag:a:all"]]);
        let labels = labels_of("b", &body, &[], &Extensions::default());
        assert_eq!(labels, [["subgraph:b", "type:b:Query", "tag:b:all"]]);
        let without = json!({ "query": "{product(id:1){upc}}" });
        let said = Extensions { apollo_cache_tags: vec!["said".into()], ..Extensions::default() };
        assert_eq!(labels_of("a", &without, &[], &said), [["subgraph:a", "type:a:Query", "tag:a:said"]]);
    }

    #[test]
    fn entities_have_the_tags_of_their_keys_and_those_that_the_answer_says() {
        let field = EntityField { response_key: "_entities".into(), variable: "r".into() };
        let representations = json!([
            { "__typename": "Product", "upc": 12, "shop": { "id": "s" } },
            { "__typename": "Product", "upc": "x" },
        ]);
        let body = json!({ "query": "{_entities}", "variables": { "r": representations } });
        let said = json!({ "apolloEntityCacheTags": [[], ["said"]] });
        let labels = labels_of("b", &body, &[field], &serde_json::from_value(said).unwrap());
        let first: [&str; 4] = ["subgraph:b", "type:b:Product", "tag:b:product-12", "tag:b:of-s"];
        assert_eq!(labels, [first, ["subgraph:b", "type:b:Product", "tag:b:product-x", "tag:b:said"]]);
    }
}
