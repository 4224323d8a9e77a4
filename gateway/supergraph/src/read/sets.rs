//! The field sets of keys, `requires` and `provides`, resolved against the supergraph's types.
//!
//! Elsewhere: those of contexts (`contexts.rs`).

use apollo_compiler::{Name, ast};

use super::{
    Reader,
    join::{arg_bool, arg_str},
};
use crate::{Field, FieldSet, Key, SetField, SubgraphId, SupergraphError, TypeId};

impl Reader<'_> {
    pub(super) fn fill_field_sets(&mut self) -> Result<(), SupergraphError> {
        for index in 0..self.types.len() {
            let id = TypeId::from_index(index);
            self.fill_keys(id)?;
            let names: Vec<Name> = self.types[index].fields.keys().cloned().collect();
            for name in names {
                self.fill_field(id, &name)?;
            }
        }
        Ok(())
    }

    fn fill_keys(&mut self, id: TypeId) -> Result<(), SupergraphError> {
        let Some(definition) = self.defined.get_index(id.index()).map(|(_, found)| *found) else {
            return Ok(());
        };
        let place = self.types[id.index()].name.to_string();
        for directive in definition.directives().get_all("join__type") {
            let Some(text) = arg_str(directive, "key") else { continue };
            let graph = self.graphs.argument(directive, &place)?;
            let fields = self.parse(text, graph, id, &place)?;
            let resolvable = arg_bool(directive, "resolvable").unwrap_or(true);
            if let Some(view) = &mut self.types[id.index()].views[graph.index()] {
                view.keys.push(Key { fields, resolvable });
            }
        }
        Ok(())
    }

    fn fill_field(&mut self, parent: TypeId, name: &Name) -> Result<(), SupergraphError> {
        let place = format!("{}.{name}", self.types[parent.index()].name);
        for directive in self.directives_of_field(parent, name) {
            let (requires, provides) = (arg_str(&directive, "requires"), arg_str(&directive, "provides"));
            let contexts = directive.specified_argument_by_name("contextArguments");
            if requires.is_none() && provides.is_none() && contexts.is_none() {
                continue;
            }
            let graph: SubgraphId = self.graphs.argument(&directive, &place)?;
            let contexts = contexts.map(|list| self.contexts(list, graph, &place)).transpose()?;
            let base = base_in(graph, &self.types[parent.index()].fields[name]);
            let requires = requires.map(|text| self.parse(text, graph, parent, &place)).transpose()?;
            let provides = provides.map(|text| self.parse(text, graph, base, &place)).transpose()?;
            let field = &mut self.types[parent.index()].fields[name];
            if let Some(view) = &mut field.views[graph.index()] {
                view.requires = requires;
                view.provides = provides;
                view.contexts = contexts.unwrap_or_default();
            }
        }
        Ok(())
    }

    fn parse(
        &self,
        text: &str,
        graph: SubgraphId,
        parent: TypeId,
        place: &str,
    ) -> Result<FieldSet, SupergraphError> {
        let mut set = self.parse_whole(text, graph, parent, place)?;
        drop_typenames(&mut set);
        Ok(set)
    }

    /// With the `__typename`s in it.
    pub(super) fn parse_whole(
        &self,
        text: &str,
        graph: SubgraphId,
        parent: TypeId,
        place: &str,
    ) -> Result<FieldSet, SupergraphError> {
        let wrapped = format!("{{{text}}}");
        let bad = |message: String| SupergraphError::Join { place: place.to_owned(), message };
        let document = ast::Document::parse(wrapped, "fieldset.graphql")
            .map_err(|errors| bad(format!("field set {text:?} does not parse: {}", errors.errors)))?;
        let operation = document.definitions.first().and_then(|found| found.as_operation_definition());
        let operation = operation.ok_or_else(|| bad(format!("{text:?} is no field set")))?;
        let mut set = FieldSet::default();
        self.collect(
            &operation.selection_set,
            graph,
            parent,
            &self.types[parent.index()].possible,
            place,
            &mut set,
        )?;
        Ok(set)
    }

    fn collect(
        &self,
        selections: &[ast::Selection],
        graph: SubgraphId,
        parent: TypeId,
        on: &crate::TypeSet,
        place: &str,
        set: &mut FieldSet,
    ) -> Result<(), SupergraphError> {
        for selection in selections {
            match selection {
                ast::Selection::Field(field) if field.name == "__typename" => set.fields.push(SetField {
                    name: field.name.clone(),
                    arguments: Vec::new(),
                    parent,
                    on: on.clone(),
                    selection: FieldSet::default(),
                }),
                ast::Selection::Field(field) => {
                    let definition = self.types[parent.index()].fields.get(&field.name);
                    let definition = definition.ok_or_else(|| SupergraphError::Join {
                        place: place.to_owned(),
                        message: format!("{} has no field {}", self.types[parent.index()].name, field.name),
                    })?;
                    let mut selection = FieldSet::default();
                    let base = base_in(graph, definition);
                    let below = &self.types[base.index()].possible;
                    self.collect(&field.selection_set, graph, base, below, place, &mut selection)?;
                    set.fields.push(SetField {
                        name: field.name.clone(),
                        arguments: field.arguments.clone(),
                        parent,
                        on: on.clone(),
                        selection,
                    });
                }
                ast::Selection::InlineFragment(fragment) => {
                    let condition = match &fragment.type_condition {
                        Some(name) => self.id(name, place)?,
                        None => parent,
                    };
                    let narrowed = on.and(&self.types[condition.index()].possible);
                    self.collect(&fragment.selection_set, graph, condition, &narrowed, place, set)?;
                }
                ast::Selection::FragmentSpread(_) => {}
            }
        }
        Ok(())
    }
}

/// The named type of a field in a subgraph, which may be narrower than the supergraph's.
fn base_in(graph: SubgraphId, field: &Field) -> TypeId {
    field.views[graph.index()].as_ref().map_or(field.base, |view| view.base)
}

/// What a representation's fields are is no matter of runtime types.
fn drop_typenames(set: &mut FieldSet) {
    set.fields.retain(|field| field.name != "__typename");
    set.fields.iter_mut().for_each(|field| drop_typenames(&mut field.selection));
}
