//! What a subgraph's SDL says beyond GraphQL: the federation directives under their local names, and field sets.
//!
//! Elsewhere: what follows from them for answers (`strict.rs`), for the data (`universe.rs`).

use apollo_compiler::ast::{self, OperationType, Selection};
use apollo_compiler::schema::{ExtendedType, FieldDefinition};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Node, Schema};
use serde_json::{Map, Value as Json};

/// A subgraph's schema, with what federation adds to it and what its directives mean.
#[derive(Debug)]
pub(crate) struct Subgraph {
    pub(crate) name: String,
    pub(crate) schema: Valid<Schema>,
    /// Federation's namespace, and local names of what is imported.
    namespace: String,
    imports: Vec<(String, String)>,
    is_federation_1: bool,
}

/// A field set as a tree.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FieldSet(pub(crate) Vec<SetItem>);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SetItem {
    Field { name: String, arguments: Map<String, Json>, below: FieldSet },
    On { condition: String, below: FieldSet },
}

impl FieldSet {
    /// Reads a field set; what does not parse is empty.
    pub(crate) fn parse(text: &str) -> Self {
        let Ok(document) = ast::Document::parse(format!("{{ {text} }}"), "set.graphql") else {
            return Self::default();
        };
        let operation = document.definitions.first().and_then(|found| found.as_operation_definition());
        operation.map(|operation| Self::of(&operation.selection_set)).unwrap_or_default()
    }

    fn of(selections: &[Selection]) -> Self {
        let item = |selection: &Selection| match selection {
            Selection::Field(field) if field.name == "__typename" => None,
            Selection::Field(field) => Some(SetItem::Field {
                name: field.name.to_string(),
                arguments: field
                    .arguments
                    .iter()
                    .map(|given| (given.name.to_string(), literal(&given.value)))
                    .collect(),
                below: Self::of(&field.selection_set),
            }),
            Selection::InlineFragment(fragment) => Some(SetItem::On {
                condition: fragment.type_condition.as_ref().map(ToString::to_string).unwrap_or_default(),
                below: Self::of(&fragment.selection_set),
            }),
            Selection::FragmentSpread(_) => None,
        };
        Self(selections.iter().filter_map(item).collect())
    }

    /// All names of fields in it, at any depth.
    pub(crate) fn names(&self, out: &mut Vec<String>) {
        for item in &self.0 {
            match item {
                SetItem::Field { name, below, .. } => {
                    out.push(name.clone());
                    below.names(out);
                }
                SetItem::On { below, .. } => below.names(out),
            }
        }
    }
}

/// A literal of a field set as JSON.
pub(crate) fn literal(value: &ast::Value) -> Json {
    match value {
        ast::Value::Null | ast::Value::Variable(_) => Json::Null,
        ast::Value::Enum(name) => name.as_str().into(),
        ast::Value::String(text) => text.as_str().into(),
        ast::Value::Float(number) => number.try_to_f64().map_or(Json::Null, Json::from),
        ast::Value::Int(number) => number
            .try_to_i32()
            .map(Json::from)
            .or_else(|_| number.try_to_f64().map(Json::from))
            .unwrap_or_default(),
        ast::Value::Boolean(value) => (*value).into(),
        ast::Value::List(items) => items.iter().map(|item| literal(item)).collect(),
        ast::Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.to_string(), literal(value)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

impl Subgraph {
    /// Reads federation SDL.
    ///
    /// # Panics
    /// When it is not GraphQL at all.
    pub(crate) fn new(name: &str, sdl: &str) -> Self {
        let own = build(sdl);
        let mut found = Self {
            name: name.to_owned(),
            schema: Valid::assume_valid(Schema::new()),
            namespace: "federation".to_owned(),
            imports: Vec::new(),
            is_federation_1: true,
        };
        for link in own.schema_definition.directives.get_all("link") {
            let argument = |name: &str| link.specified_argument_by_name(name);
            if !argument("url").and_then(|url| url.as_str()).is_some_and(|url| url.contains("/federation/")) {
                continue;
            }
            found.is_federation_1 = false;
            if let Some(name) = argument("as").and_then(|name| name.as_str()) {
                name.clone_into(&mut found.namespace);
            }
            for import in argument("import").and_then(|imports| imports.as_list()).unwrap_or_default() {
                match literal(import) {
                    Json::String(name) => found.imports.push((name.clone(), name)),
                    Json::Object(renamed) => {
                        let name = |key: &str| renamed.get(key).and_then(Json::as_str).map(str::to_owned);
                        if let Some(original) = name("name") {
                            found.imports.push((original.clone(), name("as").unwrap_or(original)));
                        }
                    }
                    _ => {}
                }
            }
        }
        found.schema = Valid::assume_valid(build(&format!("{sdl}\n{}", found.additions(&own))));
        found
    }

    fn additions(&self, own: &Schema) -> String {
        let key = self.local("key");
        let entities: Vec<_> = own
            .types
            .values()
            .filter(|found| found.is_object() && found.directives().has(&key))
            .map(|found| found.name().as_str())
            .collect();
        let query = own.root_operation(OperationType::Query).map_or("Query", |name| name.as_str());
        if entities.is_empty() {
            format!("extend type {query} {{ _service: _Service! }} type _Service {{ sdl: String }}")
        } else {
            format!(
                "extend type {query} {{ _entities(representations: [_Any!]!): [_Entity]! _service: _Service! }}
                 type _Service {{ sdl: String }} scalar _Any union _Entity = {}",
                entities.join(" | ")
            )
        }
    }

    /// The name that this subgraph uses for a directive of federation.
    fn local(&self, directive: &str) -> String {
        if self.is_federation_1 {
            return directive.to_owned();
        }
        let imported =
            self.imports.iter().find(|(original, _)| original.strip_prefix('@') == Some(directive));
        match imported {
            Some((_, local)) => local.trim_start_matches('@').to_owned(),
            None => format!("{}__{directive}", self.namespace),
        }
    }

    /// The keys of a type, with whether each is resolvable.
    pub(crate) fn keys(&self, ty: &str) -> Vec<(FieldSet, bool)> {
        let Some(found) = self.schema.types.get(ty) else { return Vec::new() };
        let name = self.local("key");
        let keys = found.directives().iter().filter(|directive| directive.name == name.as_str());
        keys.map(|directive| {
            let fields = directive.specified_argument_by_name("fields").and_then(|set| set.as_str());
            let resolvable = directive.specified_argument_by_name("resolvable");
            (
                FieldSet::parse(fields.unwrap_or_default()),
                resolvable.is_none_or(|value| value.to_bool() != Some(false)),
            )
        })
        .collect()
    }

    pub(crate) fn is_interface_object(&self, ty: &str) -> bool {
        self.schema.types.get(ty).is_some_and(|found| found.directives().has(&self.local("interfaceObject")))
    }

    pub(crate) fn field(&self, ty: &str, name: &str) -> Option<&Node<FieldDefinition>> {
        match self.schema.types.get(ty)? {
            ExtendedType::Object(found) => found.fields.get(name).map(|field| &field.node),
            ExtendedType::Interface(found) => found.fields.get(name).map(|field| &field.node),
            _ => None,
        }
    }

    /// `@external` on the field or on its type.
    pub(crate) fn is_external(&self, ty: &str, field: &FieldDefinition) -> bool {
        let external = self.local("external");
        field.directives.has(&external)
            || self.schema.types.get(ty).is_some_and(|found| found.directives().has(&external))
    }

    fn set(&self, field: &FieldDefinition, directive: &str) -> Option<FieldSet> {
        let found = field.directives.get(&self.local(directive))?;
        Some(FieldSet::parse(found.specified_argument_by_name("fields")?.as_str()?))
    }

    pub(crate) fn requires(&self, field: &FieldDefinition) -> Option<FieldSet> {
        self.set(field, "requires")
    }

    pub(crate) fn provides(&self, field: &FieldDefinition) -> Option<FieldSet> {
        self.set(field, "provides")
    }

    /// The subgraph from which this one takes the field, and the label by which it does so for a part of the requests.
    pub(crate) fn overrides(&self, field: &FieldDefinition) -> Option<(String, Option<String>)> {
        let found = field.directives.get(&self.local("override"))?;
        let text = |name: &str| Some(found.specified_argument_by_name(name)?.as_str()?.to_owned());
        Some((text("from")?, text("label")))
    }

    /// The types that set a context.
    pub(crate) fn types_with_context(&self, context: &str) -> Vec<String> {
        let name = self.local("context");
        let sets = |found: &&ExtendedType| {
            let mut all = found.directives().iter().filter(|directive| directive.name == name.as_str());
            all.any(|directive| {
                directive.specified_argument_by_name("name").and_then(|name| name.as_str()) == Some(context)
            })
        };
        self.schema.types.values().filter(sets).map(|found| found.name().to_string()).collect()
    }

    /// What an argument takes from a context.
    pub(crate) fn context_named_by<'s>(&self, argument: &'s ast::InputValueDefinition) -> Option<&'s str> {
        argument.directives.get(&self.local("fromContext"))?.specified_argument_by_name("field")?.as_str()
    }

    /// The object types that a value of this type may have here; for an `@interfaceObject` none are known.
    pub(crate) fn possible(&self, ty: &str) -> Vec<String> {
        match self.schema.types.get(ty) {
            Some(ExtendedType::Object(_)) => vec![ty.to_owned()],
            Some(ExtendedType::Union(union)) => union.members.iter().map(ToString::to_string).collect(),
            Some(ExtendedType::Interface(_)) => {
                let objects = self.schema.types.values().filter_map(|found| found.as_object());
                objects
                    .filter(|object| object.implements_interfaces.contains(ty))
                    .map(|object| object.name.to_string())
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// This subgraph's name of a root type, or the given name.
    pub(crate) fn canonical<'n>(&self, ty: &'n str) -> &'n str {
        let roots = [
            (OperationType::Query, "Query"),
            (OperationType::Mutation, "Mutation"),
            (OperationType::Subscription, "Subscription"),
        ];
        let root = roots
            .into_iter()
            .find(|(kind, _)| self.schema.root_operation(*kind).is_some_and(|name| name == ty));
        root.map_or(ty, |(_, name)| name)
    }

    /// All object and interface types with fields, but federation's own.
    pub(crate) fn composites(&self) -> impl Iterator<Item = (&str, Vec<&Node<FieldDefinition>>)> {
        self.schema.types.values().filter(|found| !found.is_built_in()).filter_map(|found| match found {
            ExtendedType::Object(object) => {
                Some((object.name.as_str(), object.fields.values().map(|field| &field.node).collect()))
            }
            ExtendedType::Interface(interface) => {
                Some((interface.name.as_str(), interface.fields.values().map(|field| &field.node).collect()))
            }
            _ => None,
        })
    }
}

fn build(sdl: &str) -> Schema {
    let builder = Schema::builder().adopt_orphan_extensions().parse(sdl, "subgraph.graphql");
    builder.build().unwrap_or_else(|refused| refused.partial)
}
