//! What fields take from objects above their entities (`@fromContext`): the right objects', and there by then.
//!
//! Worked out anew from the supergraph: level by level upwards, what sets an argument's context must be what the plan
//! takes it from, until every object of a level does.

use std::collections::BTreeSet;

use apollo_compiler::ast;
use kopitiam_operation::Conditions;
use kopitiam_supergraph::{ContextArgument, FieldSet, FieldView, TypeId};

use super::{
    Checker,
    documents::At,
    tree::{PlaceId, arguments, implies},
};
use crate::{ContextSource, ContextVariable, GroupContexts, Path, PathStep, RepresentationField};

/// What stands above the entities of a group.
pub(super) struct Above {
    pub(super) target: Path,
    pub(super) contexts: Option<GroupContexts>,
    pub(super) label: String,
    pub(super) before: BTreeSet<usize>,
}

impl Checker<'_> {
    /// Every argument of the field that clients do not see must be given, with the right value.
    pub(super) fn check_contexts(&mut self, field: &ast::Field, at: &At, view: &FieldView) {
        for argument in &view.contexts {
            let label = at.above.as_ref().map_or_else(String::new, |above| above.label.clone());
            let given = field.arguments.iter().find(|given| given.name == argument.name);
            let name = given.and_then(|given| given.value.as_variable());
            let Some((above, name)) = at.above.clone().zip(name) else {
                self.gap(label, format!("asks {} without the context of {}", field.name, argument.name));
                continue;
            };
            let mut variables = above.contexts.iter().flat_map(|contexts| &contexts.variables);
            match variables.find(|variable| *variable.name == **name) {
                Some(variable) if *variable.ty == *argument.ty.to_string() => {
                    self.check_variable(variable, argument, &above, &at.conditions);
                }
                _ => self.gap(label, format!("has no variable ${name} for {}", argument.name)),
            }
        }
    }

    fn check_variable(
        &mut self,
        variable: &ContextVariable,
        argument: &ContextArgument,
        above: &Above,
        conditions: &Conditions,
    ) {
        let depth = above.target.0.iter().filter(|step| matches!(step, PathStep::Field(_))).count();
        for up in (1..=depth).filter_map(|up| u32::try_from(up).ok()) {
            let found = self.places(&above.target.above(up), &above.before, &above.label);
            let here: Vec<&ContextSource> =
                variable.sources.iter().filter(|source| source.up == up).collect();
            let mut all = true;
            for (place, types, _) in found {
                for ty in types.iter() {
                    all &= self.check_source((place, ty), &here, argument, above, conditions);
                }
            }
            if all {
                return;
            }
        }
        self.gap(&above.label, format!("has entities without a context for {}", argument.name));
    }

    /// Whether objects of one type set the context; if so, that is where the value is taken from.
    fn check_source(
        &mut self,
        (place, ty): (PlaceId, TypeId),
        sources: &[&ContextSource],
        argument: &ContextArgument,
        above: &Above,
        conditions: &Conditions,
    ) -> bool {
        let name = self.supergraph.ty(ty).name.clone();
        let chosen = sources.iter().any(|source| !source.on.is_empty());
        if chosen && !self.tree.place(place).type_known_before(ty, &above.before) {
            self.gap(&above.label, format!("takes a context by the type of {name}, which is not there yet"));
        }
        let value = argument.values.iter().find(|value| value.on.contains(ty));
        let source =
            sources.iter().find(|source| source.on.is_empty() || self.type_set(&source.on).contains(ty));
        match (value, source) {
            (Some(value), Some(source)) => {
                self.check_value((place, ty), &source.value, &value.selection, above, conditions);
            }
            (None, None) => {}
            (Some(_), None) => self.gap(&above.label, format!("passes by {name}, which sets the context")),
            (None, Some(_)) => {
                self.gap(&above.label, format!("takes a context from {name}, which sets none"));
            }
        }
        value.is_some()
    }

    /// What is taken of an object must be what the context selects, brought by a fetch that this one waits for.
    fn check_value(
        &mut self,
        (place, ty): (PlaceId, TypeId),
        taken: &[RepresentationField],
        selection: &FieldSet,
        above: &Above,
        conditions: &Conditions,
    ) {
        let wanted = selection.fields.iter().find(|field| field.on.contains(ty));
        let found = taken.iter().find(|field| field.on.is_empty() || self.type_set(&field.on).contains(ty));
        let (wanted, found) = match (wanted, found) {
            (None, None) => return,
            (Some(wanted), Some(found)) if wanted.name == *found.name => (wanted, found),
            _ => return self.gap(&above.label, "takes another field than the context selects"),
        };
        if !found.on.is_empty() && !self.tree.place(place).type_known_before(ty, &above.before) {
            self.gap(&above.label, "takes a context by a runtime type that is not there yet");
        }
        if *found.name == *"__typename" {
            if !self.tree.place(place).type_known_before(ty, &above.before) {
                self.gap(&above.label, "takes a runtime type for a context, which is not there yet");
            }
            return;
        }
        let slot = self.tree.place(place).slot(ty, found.source);
        let Some(slot) =
            slot.filter(|slot| *slot.name == *found.name && slot.arguments == arguments(&wanted.arguments))
        else {
            return self.gap(&above.label, format!("takes {} for a context, which is not there", found.name));
        };
        let fills = slot.fills.iter().filter(|fill| above.before.contains(&fill.fetch));
        let awaited = implies(conditions, fills.map(|fill| &fill.conditions));
        let child = slot.child;
        if !awaited {
            let problem = format!("takes {} for a context, which is not always there by then", found.name);
            self.gap(&above.label, problem);
        }
        let Some(child) = child else { return };
        for ty in self.tree.place(child).types.clone().iter() {
            self.check_value((child, ty), &found.selection, &wanted.selection, above, conditions);
        }
    }
}
