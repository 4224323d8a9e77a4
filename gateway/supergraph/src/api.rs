//! The schema that clients see: the supergraph without `join` machinery and without anything `@inaccessible`.
//!
//! Kept: descriptions, `@deprecated`, `@specifiedBy`, `@oneOf`, and directives for executable documents.

use apollo_compiler::{Name, Node, Schema, ast, validation::Valid};

use crate::{
    SupergraphError,
    read::{arg_str, is_machinery},
};

/// Directives of the schema language that clients may see.
const VISIBLE_DIRECTIVES: [&str; 3] = ["deprecated", "specifiedBy", "oneOf"];

/// The name under which the supergraph uses the `inaccessible` specification.
pub(crate) fn inaccessible_name(document: &ast::Document) -> String {
    let schemas = document.definitions.iter().filter(|found| {
        matches!(found, ast::Definition::SchemaDefinition(_) | ast::Definition::SchemaExtension(_))
    });
    for directive in schemas.flat_map(|schema| schema.directives().iter()) {
        let url = arg_str(directive, "url").or_else(|| arg_str(directive, "feature")).unwrap_or_default();
        if url.contains("/inaccessible/") {
            return arg_str(directive, "as").unwrap_or("inaccessible").to_owned();
        }
    }
    "inaccessible".to_owned()
}

/// Derives the API schema and validates it.
pub(crate) fn api_schema(document: &ast::Document) -> Result<Valid<Schema>, SupergraphError> {
    let inaccessible = inaccessible_name(document);
    let hidden = |directives: &ast::DirectiveList| directives.has(&inaccessible);
    let hidden_types: Vec<&Name> = document
        .definitions
        .iter()
        .filter(|definition| !definition.is_executable_definition() && hidden(definition.directives()))
        .filter_map(ast::Definition::name)
        .collect();
    let mut view = ast::Document::new();
    for definition in &document.definitions {
        let machinery =
            is_machinery(definition) || definition.name().is_some_and(|name| hidden_types.contains(&name));
        let filter = Filter { inaccessible: &inaccessible, hidden_types: &hidden_types };
        if !machinery {
            view.definitions.extend(filter.definition(definition));
        }
    }
    view.to_schema_validate().map_err(|errors| SupergraphError::ApiSchema(errors.errors.to_string()))
}

struct Filter<'a> {
    inaccessible: &'a str,
    hidden_types: &'a [&'a Name],
}

impl Filter<'_> {
    fn definition(&self, definition: &ast::Definition) -> Option<ast::Definition> {
        let mut visible = definition.clone();
        match &mut visible {
            ast::Definition::SchemaDefinition(found) => {
                let found = found.make_mut();
                found.directives = ast::DirectiveList::new();
                found.root_operations.retain(|root| !self.hidden_types.contains(&&root.1));
            }
            ast::Definition::DirectiveDefinition(found) => {
                return found.locations.iter().copied().any(is_executable).then_some(visible);
            }
            ast::Definition::ScalarTypeDefinition(found) => self.directives(&mut found.make_mut().directives),
            ast::Definition::ObjectTypeDefinition(found) => {
                let found = found.make_mut();
                self.directives(&mut found.directives);
                self.names(&mut found.implements_interfaces);
                self.fields(&mut found.fields);
            }
            ast::Definition::InterfaceTypeDefinition(found) => {
                let found = found.make_mut();
                self.directives(&mut found.directives);
                self.names(&mut found.implements_interfaces);
                self.fields(&mut found.fields);
            }
            ast::Definition::UnionTypeDefinition(found) => {
                let found = found.make_mut();
                self.directives(&mut found.directives);
                self.names(&mut found.members);
            }
            ast::Definition::EnumTypeDefinition(found) => {
                let found = found.make_mut();
                self.directives(&mut found.directives);
                found.values.retain(|value| !value.directives.has(self.inaccessible));
                found.values.iter_mut().for_each(|value| self.directives(&mut value.make_mut().directives));
            }
            ast::Definition::InputObjectTypeDefinition(found) => {
                let found = found.make_mut();
                self.directives(&mut found.directives);
                self.inputs(&mut found.fields);
            }
            _ => return None,
        }
        Some(visible)
    }

    fn names(&self, names: &mut Vec<Name>) {
        names.retain(|name| !self.hidden_types.contains(&name));
    }

    fn fields(&self, fields: &mut Vec<Node<ast::FieldDefinition>>) {
        fields.retain(|field| !field.directives.has(self.inaccessible));
        for field in fields {
            let field = field.make_mut();
            self.directives(&mut field.directives);
            self.inputs(&mut field.arguments);
        }
    }

    fn inputs(&self, inputs: &mut Vec<Node<ast::InputValueDefinition>>) {
        inputs.retain(|input| !input.directives.has(self.inaccessible));
        for input in inputs {
            self.directives(&mut input.make_mut().directives);
        }
    }

    #[expect(clippy::unused_self, reason = "read beside its siblings, which all need it")]
    fn directives(&self, list: &mut ast::DirectiveList) {
        list.0.retain(|directive| VISIBLE_DIRECTIVES.contains(&directive.name.as_str()));
    }
}

fn is_executable(location: ast::DirectiveLocation) -> bool {
    use ast::DirectiveLocation as At;
    matches!(
        location,
        At::Query
            | At::Mutation
            | At::Subscription
            | At::Field
            | At::FragmentDefinition
            | At::FragmentSpread
            | At::InlineFragment
            | At::VariableDefinition
    )
}
