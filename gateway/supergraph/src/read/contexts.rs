//! `@context` of types and `contextArguments` of fields: which arguments take their values from objects above, and what
//! of them (`context` specification v0.1).

use std::collections::BTreeSet;

use apollo_compiler::{Name, Node, ast};
use indexmap::IndexMap;

use super::{Reader, arg_str};
use crate::{ContextArgument, ContextValue, FieldSet, SubgraphId, SupergraphError, Type, TypeSet};

/// The name under which the supergraph uses the `context` specification's directive.
pub(super) fn directive_name(document: &ast::Document) -> String {
    let schemas = document.definitions.iter().filter(|found| {
        matches!(found, ast::Definition::SchemaDefinition(_) | ast::Definition::SchemaExtension(_))
    });
    let mut links = schemas.flat_map(|schema| schema.directives().iter());
    let found = links.find(|link| arg_str(link, "url").is_some_and(|url| url.contains("/context/")));
    found.and_then(|link| arg_str(link, "as")).unwrap_or("context").to_owned()
}

/// All names of fields that contexts select, at any depth.
pub(super) fn selected_names(types: &IndexMap<Name, Type>) -> BTreeSet<Name> {
    let views =
        types.values().flat_map(|ty| ty.fields.values()).flat_map(|field| field.views.iter().flatten());
    let values = views.flat_map(|view| &view.contexts).flat_map(|argument| &argument.values);
    let mut open: Vec<&FieldSet> = values.map(|value| &value.selection).collect();
    let mut names = BTreeSet::new();
    while let Some(set) = open.pop() {
        let fields = set.fields.iter().filter(|field| field.name != "__typename");
        names.extend(fields.map(|field| field.name.clone()));
        open.extend(set.fields.iter().map(|field| &field.selection));
    }
    names
}

impl Reader<'_> {
    /// Reads the value of `contextArguments`.
    pub(super) fn contexts(
        &self,
        list: &Node<ast::Value>,
        graph: SubgraphId,
        place: &str,
    ) -> Result<Vec<ContextArgument>, SupergraphError> {
        let items = list.as_list().unwrap_or_default();
        items.iter().map(|item| self.context_argument(item, graph, place)).collect()
    }

    fn context_argument(
        &self,
        item: &Node<ast::Value>,
        graph: SubgraphId,
        place: &str,
    ) -> Result<ContextArgument, SupergraphError> {
        let bad = |message: String| SupergraphError::Join { place: place.to_owned(), message };
        let text = |key: &str| {
            let members = item.as_object().unwrap_or_default();
            let found = members.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.as_str());
            found.ok_or_else(|| bad(format!("a context argument has no {key}")))
        };
        let name = text("name")?;
        let (context, ty, selection) = (text("context")?, text("type")?, text("selection")?.trim());
        let within = selection.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        Ok(ContextArgument {
            name: name.try_into().map_err(|_| bad(format!("{name:?} is no argument's name")))?,
            ty: ast::Type::parse(ty, "join.graphql")
                .map_err(|errors| bad(format!("type {ty:?} does not parse: {errors}")))?,
            values: self.context_values(context, within.unwrap_or(selection), graph, place)?,
        })
    }

    fn context_values(
        &self,
        context: &str,
        selection: &str,
        graph: SubgraphId,
        place: &str,
    ) -> Result<Vec<ContextValue>, SupergraphError> {
        let mut values = Vec::new();
        for (name, definition) in self.defined {
            let mut applied = definition.directives().get_all(&self.context_directive);
            if !applied.any(|found| arg_str(found, "name") == Some(context)) {
                continue;
            }
            let id = self.id(name, place)?;
            let ty = &self.types[id.index()];
            let on: TypeSet = match &ty.views[graph.index()] {
                Some(view) => view.possible.clone(),
                None => ty.possible.clone(),
            };
            values.push(ContextValue { on, selection: self.parse_whole(selection, graph, id, place)? });
        }
        Ok(values)
    }
}
