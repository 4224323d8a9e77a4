//! `@join__field`: which subgraph resolves a field, and under what terms.

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
            if resolves(directive) {
                views[graph.index()] = Some(self.joined_view(directive, definition, place)?);
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
        place: &str,
    ) -> Result<FieldView, SupergraphError> {
        let ty = match arg_str(directive, "type") {
            None => definition.ty.clone(),
            Some(text) => ast::Type::parse(text, "join.graphql").map_err(|errors| SupergraphError::Join {
                place: place.to_owned(),
                message: format!("type {text:?} does not parse: {errors}"),
            })?,
        };
        let external = arg_bool(directive, "external").unwrap_or(false)
            || arg_bool(directive, "usedOverridden").unwrap_or(false);
        self.view(ty, external, place)
    }

    fn view(&self, ty: ast::Type, external: bool, place: &str) -> Result<FieldView, SupergraphError> {
        let base = self.id(ty.inner_named_type(), place)?;
        Ok(FieldView { ty, base, external, requires: None, provides: None })
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

/// A progressive override (`overrideLabel: "percent(N)"`) is decided once, for all requests: the majority wins.
fn resolves(directive: &ast::Directive) -> bool {
    let Some(label) = arg_str(directive, "overrideLabel") else { return true };
    let percent = label.strip_prefix("percent(").and_then(|rest| rest.strip_suffix(')'));
    let overridden =
        percent.and_then(|text| text.trim().parse::<f64>().ok()).is_some_and(|value| value >= 50.0);
    let is_new_owner = arg_str(directive, "override").is_some();
    is_new_owner == overridden
}
