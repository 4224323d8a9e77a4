//! What the supergraph says of costs: `@cost` and `@listSize`.
//!
//! In: the supergraph's SDL, where the directives may have other names. Out: weights and list sizes by coordinate.
//! Elsewhere: where they are merged from (`composition`), adding them up (`estimate.rs`).
//!
//! # Source
//! The IBM GraphQL Cost Directives specification, as the federation specifications `cost/v0.1` take it over.

use apollo_compiler::ast::{Definition, DirectiveList, Document, FieldDefinition, Value};
use apollo_compiler::collections::HashMap;
use apollo_compiler::parser::Parser;
use apollo_compiler::{Name, Node};

const SPECIFICATION: &str = "https://specs.apollo.dev/cost/";

/// How large a field's list is, as far as the schema says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ListSize {
    pub(crate) assumed: Option<u64>,
    /// Arguments that say how many items are asked; a path such as `input.first` leads into an input object.
    pub(crate) slicing: Vec<Box<str>>,
    /// The fields of the field's type that are the lists; empty: the field itself is.
    pub(crate) sized_fields: Vec<Box<str>>,
}

/// What one field costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldCost {
    pub(crate) weight: Option<u64>,
    pub(crate) list: Option<ListSize>,
    /// Weights of arguments, for those that are given.
    pub(crate) arguments: Vec<(Name, u64)>,
}

/// See the module's header.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    types: HashMap<Name, u64>,
    fields: HashMap<(Name, Name), FieldCost>,
}

impl Weights {
    /// Reads them; an SDL without the specification has none.
    pub(crate) fn read(supergraph_sdl: &str) -> Self {
        if !supergraph_sdl.contains(SPECIFICATION) {
            return Self::default();
        }
        // The supergraph reader has taken this text before, so it parses.
        let Ok(document) = Parser::new().parse_ast(supergraph_sdl, "supergraph.graphql") else {
            return Self::default();
        };
        Reader { names: Names::of(&document), weights: Self::default() }.read(&document)
    }

    pub(crate) fn of_type(&self, name: &str) -> Option<u64> {
        self.types.get(name).copied()
    }

    pub(crate) fn of_field(&self, ty: &Name, field: &Name) -> Option<&FieldCost> {
        if self.fields.is_empty() {
            return None;
        }
        self.fields.get(&(ty.clone(), field.clone()))
    }
}

/// The directives' names in this supergraph.
struct Names {
    cost: String,
    list_size: String,
}

impl Names {
    fn of(document: &Document) -> Self {
        // Without an import, the specification's own directive has its name, the others a prefix.
        let mut names = Self { cost: "cost".to_owned(), list_size: "cost__listSize".to_owned() };
        let schemas = document.definitions.iter().filter_map(|definition| match definition {
            Definition::SchemaDefinition(schema) => Some(&schema.directives),
            Definition::SchemaExtension(schema) => Some(&schema.directives),
            _ => None,
        });
        for link in schemas.flat_map(|directives| directives.iter()) {
            let url = link.specified_argument_by_name("url").and_then(|url| url.as_str());
            if link.name != "link" || !url.is_some_and(|url| url.starts_with(SPECIFICATION)) {
                continue;
            }
            if let Some(alias) = link.specified_argument_by_name("as").and_then(|alias| alias.as_str()) {
                names = Self { cost: alias.to_owned(), list_size: format!("{alias}__listSize") };
            }
            let imports = link.specified_argument_by_name("import").and_then(|list| list.as_list());
            for import in imports.unwrap_or_default() {
                names.import(import);
            }
        }
        names
    }

    fn import(&mut self, import: &Value) {
        let (name, alias) = match import {
            Value::String(name) => (name.as_str(), None),
            Value::Object(entries) => {
                let entry = |key: &str| entries.iter().find(|(name, _)| name == key);
                let text = |key| entry(key).and_then(|(_, value)| value.as_str());
                let Some(name) = text("name") else { return };
                (name, text("as"))
            }
            _ => return,
        };
        let alias = alias.unwrap_or(name).trim_start_matches('@').to_owned();
        match name {
            "@cost" => self.cost = alias,
            "@listSize" => self.list_size = alias,
            _ => {}
        }
    }
}

struct Reader {
    names: Names,
    weights: Weights,
}

impl Reader {
    fn read(mut self, document: &Document) -> Weights {
        for definition in &document.definitions {
            match definition {
                Definition::ScalarTypeDefinition(ty) => self.ty(&ty.name, &ty.directives, &[]),
                Definition::EnumTypeDefinition(ty) => self.ty(&ty.name, &ty.directives, &[]),
                Definition::ObjectTypeDefinition(ty) => self.ty(&ty.name, &ty.directives, &ty.fields),
                Definition::InterfaceTypeDefinition(ty) => self.ty(&ty.name, &ty.directives, &ty.fields),
                _ => {}
            }
        }
        self.weights
    }

    fn ty(&mut self, name: &Name, directives: &DirectiveList, fields: &[Node<FieldDefinition>]) {
        if let Some(weight) = self.weight(directives) {
            self.weights.types.insert(name.clone(), weight);
        }
        for field in fields {
            let arguments = field
                .arguments
                .iter()
                .filter_map(|argument| Some((argument.name.clone(), self.weight(&argument.directives)?)));
            let cost = FieldCost {
                weight: self.weight(&field.directives),
                list: self.list_size(&field.directives),
                arguments: arguments.collect(),
            };
            if cost != FieldCost::default() {
                self.weights.fields.insert((name.clone(), field.name.clone()), cost);
            }
        }
    }

    fn weight(&self, directives: &DirectiveList) -> Option<u64> {
        let value = directives.get(&self.names.cost)?.specified_argument_by_name("weight")?;
        // The specification's weights are strings; federation's are integers. What is negative costs nothing.
        let weight = value.to_f64().or_else(|| value.as_str()?.parse().ok())?;
        Some(whole(weight))
    }

    fn list_size(&self, directives: &DirectiveList) -> Option<ListSize> {
        let directive = directives.get(&self.names.list_size)?;
        let names = |argument: &str| -> Vec<Box<str>> {
            match directive.specified_argument_by_name(argument).map(|value| &**value) {
                Some(Value::List(names)) => {
                    names.iter().filter_map(|name| name.as_str()).map(Into::into).collect()
                }
                Some(Value::String(name)) => vec![name.as_str().into()],
                _ => Vec::new(),
            }
        };
        let assumed = directive.specified_argument_by_name("assumedSize").and_then(|size| size.to_f64());
        Some(ListSize {
            assumed: assumed.map(whole),
            slicing: names("slicingArguments"),
            sized_fields: names("sizedFields"),
        })
    }
}

/// Rounded up; nothing is below zero.
pub(super) fn whole(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from float saturates"
    )]
    let whole = number.ceil() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(import: &str, sdl: &str) -> Weights {
        Weights::read(&format!(
            r#"schema @link(url: "https://specs.apollo.dev/cost/v0.1"{import}) {{ query: Query }} {sdl}"#
        ))
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn directives_are_read_under_their_imported_names() {
        let sdl = r"type Query { a(x: Int @dear(weight: 3)): [Int] @dear(weight: 7) @size(assumedSize: 5) }
            type T @dear(weight: 2) { b: Int }";
        let import = r#", import: [{ name: "@cost", as: "@dear" }, { name: "@listSize", as: "@size" }]"#;
        let weights = read(import, sdl);
        let field = weights.of_field(&name("Query"), &name("a")).unwrap();
        assert_eq!(field.weight, Some(7));
        assert_eq!(field.arguments, [(name("x"), 3)]);
        assert_eq!(field.list.as_ref().unwrap().assumed, Some(5));
        assert_eq!(weights.of_type("T"), Some(2));
    }

    #[test]
    fn another_schemas_directive_of_that_name_is_no_cost() {
        let sdl = "type Query { a: Int @cost(weight: 7) }";
        assert!(Weights::read(&format!("schema {{ query: Query }} {sdl}")).fields.is_empty());
        assert!(!read("", sdl).fields.is_empty());
    }
}
