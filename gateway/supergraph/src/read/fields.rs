//! `@join__field`: which subgraph resolves a field, and under what terms.

use std::collections::BTreeSet;

use apollo_compiler::{Name, Node, ast};
use indexmap::IndexMap;

use super::{
    Reader,
    join::{arg_bool, arg_str},
};
use crate::{Field, FieldView, SubgraphId, SupergraphError, TypeId};

impl Reader<'_> {
    pub(super) fn fill_fields(&mut self, inaccessible: &str) -> Result<(), SupergraphError> {
        for (name, definition) in self.defined {
            let fields: &[Node<ast::FieldDefinition>] = match definition {
                ast::Definition::ObjectTypeDefinition(found) => &found.fields,
                ast::Definition::InterfaceTypeDefinition(found) => &found.fields,
                _ => &[],
            };
            let id = self.id(name, name)?;
            let mut read = IndexMap::with_capacity(fields.len());
            for field in fields {
                read.insert(field.name.clone(), self.field(id, field, inaccessible)?);
            }
            self.types[id.index()].fields = read;
        }
        Ok(())
    }

    fn field(
        &self,
        parent: TypeId,
        definition: &ast::FieldDefinition,
        inaccessible: &str,
    ) -> Result<Field, SupergraphError> {
        let place = format!("{}.{}", self.types[parent.index()].name, definition.name);
        let base = self.id(definition.ty.inner_named_type(), &place)?;
        Ok(Field {
            name: definition.name.clone(),
            ty: definition.ty.clone(),
            base,
            accessible: !definition.directives.has(inaccessible),
            arguments: definition.arguments.clone(),
            views: self.field_views(parent, definition, &place)?,
        })
    }

    fn field_views(
        &self,
        parent: TypeId,
        definition: &ast::FieldDefinition,
        place: &str,
    ) -> Result<Vec<Option<FieldView>>, SupergraphError> {
        let mut views = vec![None; self.graphs.subgraphs.len()];
        let joins: Vec<_> = definition.directives.get_all("join__field").collect();
        for directive in &joins {
            // Without a graph: the field comes from an @interfaceObject only, so no subgraph has it on this type.
            if directive.specified_argument_by_name("graph").is_none() {
                continue;
            }
            let graph = self.graphs.argument(directive, place)?;
            if let Some(external) = self.held(directive) {
                views[graph.index()] = Some(self.joined_view(directive, definition, external, place)?);
            }
        }
        if joins.is_empty() {
            for graph in self.default_owners(parent, place)? {
                views[graph.index()] = Some(self.view(definition.ty.clone(), false, place)?);
            }
        }
        Ok(views)
    }

    /// The subgraphs of a field without `@join__field`: all of the type's; in join v0.1 the type's owner.
    fn default_owners(&self, parent: TypeId, place: &str) -> Result<Vec<SubgraphId>, SupergraphError> {
        let directives = self.defined[parent.index()].directives();
        if let Some(owner) = directives.get("join__owner") {
            return Ok(vec![self.graphs.argument(owner, place)?]);
        }
        let views = self.types[parent.index()].views.iter().enumerate();
        Ok(views.filter(|(_, view)| view.is_some()).map(|(graph, _)| SubgraphId::from_index(graph)).collect())
    }

    fn joined_view(
        &self,
        directive: &ast::Directive,
        definition: &ast::FieldDefinition,
        external: bool,
        place: &str,
    ) -> Result<FieldView, SupergraphError> {
        let ty = match arg_str(directive, "type") {
            None => definition.ty.clone(),
            Some(text) => ast::Type::parse(text, "join.graphql").map_err(|errors| SupergraphError::Join {
                place: place.to_owned(),
                message: format!("type {text:?} does not parse: {errors}"),
            })?,
        };
        self.view(ty, external, place)
    }

    /// How a subgraph has a field: `None` when it has lost it to another one, or not got it yet; else whether only as an
    /// input of something else.
    fn held(&self, directive: &ast::Directive) -> Option<bool> {
        let says = |name: &str| arg_bool(directive, name).unwrap_or(false);
        let is_new_owner = arg_str(directive, "override").is_some();
        let moved = arg_str(directive, "overrideLabel").map(|label| self.overrides.is_on(label));
        match moved {
            Some(false) if is_new_owner => None,
            Some(false) => Some(says("external")),
            Some(true) if !is_new_owner && !says("usedOverridden") => None,
            _ => Some(says("external") || says("usedOverridden")),
        }
    }

    fn view(&self, ty: ast::Type, external: bool, place: &str) -> Result<FieldView, SupergraphError> {
        let base = self.id(ty.inner_named_type(), place)?;
        Ok(FieldView { ty, base, external, requires: None, provides: None, contexts: Vec::new() })
    }

    pub(super) fn directives_of_field(&self, parent: TypeId, field: &Name) -> Vec<Node<ast::Directive>> {
        let fields: &[Node<ast::FieldDefinition>] = match self.defined[parent.index()] {
            ast::Definition::ObjectTypeDefinition(found) => &found.fields,
            ast::Definition::InterfaceTypeDefinition(found) => &found.fields,
            _ => &[],
        };
        let found = fields.iter().find(|found| found.name == *field);
        found.map_or_else(Vec::new, |found| found.directives.get_all("join__field").cloned().collect())
    }
}

/// The labels of all progressive overrides.
pub(super) fn override_labels(document: &ast::Document) -> BTreeSet<Box<str>> {
    let fields = document.definitions.iter().flat_map(|definition| match definition {
        ast::Definition::ObjectTypeDefinition(found) => found.fields.as_slice(),
        ast::Definition::InterfaceTypeDefinition(found) => found.fields.as_slice(),
        _ => &[],
    });
    let joins = fields.flat_map(|field| field.directives.get_all("join__field"));
    joins.filter_map(|directive| arg_str(directive, "overrideLabel")).map(Box::from).collect()
}
