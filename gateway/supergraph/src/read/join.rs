//! The directives of the `join` specification, v0.1 to v0.5: their arguments and the subgraphs they name.

use apollo_compiler::{Name, ast};
use indexmap::IndexMap;

use crate::{Subgraph, SubgraphId, SupergraphError};

/// The `join__Graph` enum, and which directives this version of `join` uses at all.
pub(super) struct Graphs {
    pub(super) subgraphs: Vec<Subgraph>,
    by_value: IndexMap<Name, SubgraphId>,
    /// `@join__implements` is used; else every subgraph of a type knows all its interfaces.
    pub(super) says_implements: bool,
    /// `@join__unionMember` is used; else every subgraph of a union knows all its members.
    pub(super) says_members: bool,
}

/// Whether a definition belongs to the machinery of the supergraph rather than to its schema.
pub(crate) fn is_machinery(definition: &ast::Definition) -> bool {
    let prefixes = ["join__", "link__", "core__", "connect__", "context__"];
    let is_directive = definition.as_directive_definition().is_some();
    definition.name().is_some_and(|name| {
        // A type may well be called `link`.
        prefixes.iter().any(|prefix| name.starts_with(prefix))
            || (is_directive && matches!(name.as_str(), "link" | "core"))
    })
}

impl Graphs {
    pub(super) fn read(document: &ast::Document) -> Result<Self, SupergraphError> {
        let found = document
            .definitions
            .iter()
            .filter_map(|definition| definition.as_enum_type_definition())
            .find(|found| found.name == "join__Graph")
            .ok_or(SupergraphError::NotASupergraph)?;
        let mut subgraphs = Vec::new();
        let mut by_value = IndexMap::new();
        for value in &found.values {
            let directive = value.directives.get("join__graph").ok_or(SupergraphError::NotASupergraph)?;
            by_value.insert(value.value.clone(), SubgraphId::from_index(subgraphs.len()));
            subgraphs.push(Subgraph {
                name: arg_str(directive, "name").unwrap_or(&value.value).into(),
                url: arg_str(directive, "url").unwrap_or_default().into(),
            });
        }
        let uses = |name: &str| {
            let mut directives = document.definitions.iter().map(ast::Definition::directives);
            directives.any(|list| list.has(name))
        };
        Ok(Self {
            subgraphs,
            by_value,
            says_implements: uses("join__implements")
                || uses("join__unionMember")
                || uses_new_types(document),
            says_members: uses("join__unionMember"),
        })
    }

    /// The subgraph that a directive's `graph` argument names.
    pub(super) fn argument(
        &self,
        directive: &ast::Directive,
        place: &str,
    ) -> Result<SubgraphId, SupergraphError> {
        let value = directive.specified_argument_by_name("graph").and_then(|value| value.as_enum());
        value.and_then(|value| self.by_value.get(value)).copied().ok_or_else(|| SupergraphError::Join {
            place: place.to_owned(),
            message: format!("@{} names no known graph", directive.name),
        })
    }

    /// Whether a directive's `graph` argument names the given subgraph.
    pub(super) fn is(&self, directive: &ast::Directive, graph: SubgraphId) -> bool {
        let value = directive.specified_argument_by_name("graph").and_then(|value| value.as_enum());
        value.and_then(|value| self.by_value.get(value)) == Some(&graph)
    }
}

/// From v0.2 on every type of the schema carries `@join__type`, the root types included.
fn uses_new_types(document: &ast::Document) -> bool {
    let scalars_and_enums = document.definitions.iter().filter(|definition| {
        matches!(
            definition,
            ast::Definition::InterfaceTypeDefinition(_) | ast::Definition::EnumTypeDefinition(_)
        ) && !is_machinery(definition)
    });
    let mut any = false;
    for definition in scalars_and_enums {
        any = true;
        if !definition.directives().has("join__type") {
            return false;
        }
    }
    any
}

pub(crate) fn arg_str<'a>(directive: &'a ast::Directive, name: &str) -> Option<&'a str> {
    directive.specified_argument_by_name(name)?.as_str()
}

pub(crate) fn arg_bool(directive: &ast::Directive, name: &str) -> Option<bool> {
    directive.specified_argument_by_name(name)?.to_bool()
}
