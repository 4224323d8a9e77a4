//! `@fromContext`: what a field takes from the nearest objects above that set its contexts.
//!
//! The values are asked where those objects are, by fetches before the one that needs them. The field's own subgraph is
//! always entered by key, even when it gave the entity: by then it had no value to pass.
//!
//! Elsewhere: entering (`inputs.rs`), the variables in the document (`document.rs`, `emit.rs`).

use std::collections::BTreeSet;

use apollo_compiler::ast;
use kopitiam_plan::Key;
use kopitiam_supergraph::{ContextArgument, FieldSet, TypeId, TypeSet};

use crate::{
    PlanError,
    attempt::Attempt,
    conditions::Cond,
    draft::{DraftId, PosId, RepField},
};

/// A variable of an entity fetch, with its value for each entity.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ContextDraft<'a> {
    pub(crate) ty: &'a ast::Type,
    /// Nearest first.
    pub(crate) sources: Vec<SourceDraft>,
}

/// Where the value comes from, for entities below objects of some types.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SourceDraft {
    /// How many fields above the entities.
    pub(crate) up: u32,
    pub(crate) on: TypeSet,
    /// Whether other objects lead to the entities too, so that `on` must be checked.
    pub(crate) conditional: bool,
    pub(crate) value: Vec<RepField>,
}

/// Objects above a position that set a context.
struct Setter<'a> {
    up: u32,
    at: PosId,
    on: TypeSet,
    /// All types of the place that lead to the position.
    leading: TypeSet,
    selection: &'a FieldSet,
}

impl<'a> Attempt<'a, '_> {
    /// The nearest objects that set an argument's context, whatever the runtime types on the way; `None` when there are
    /// objects below none.
    fn setters(&self, at: PosId, argument: &'a ContextArgument) -> Option<Vec<Setter<'a>>> {
        let mut found = Vec::new();
        let (mut here, mut up) = (at, 0);
        while let Some((parent, slot)) = self.build.position(here).parent {
            up += 1;
            let position = self.build.position(parent);
            let leading = position.types.and(&position.slots[slot].on);
            let mut missing = leading.clone();
            for value in &argument.values {
                let on = value.on.and(&missing);
                if !on.is_empty() {
                    missing = missing.minus(&on);
                    let (leading, selection) = (leading.clone(), &value.selection);
                    found.push(Setter { up, at: parent, on, leading, selection });
                }
            }
            if missing.is_empty() {
                return Some(found);
            }
            here = parent;
        }
        None
    }

    /// The level after which all values are there; `None` when some cannot be had.
    pub(crate) fn contexts_level(&mut self, at: PosId, arguments: &'a [ContextArgument]) -> Option<u32> {
        let mut worst = 0;
        for argument in arguments {
            for setter in self.setters(at, argument)? {
                for ty in setter.leading.iter() {
                    if setter.on.contains(ty) {
                        worst = worst.max(self.required_level(setter.at, ty, setter.selection)?);
                    }
                    if setter.on != setter.leading {
                        let reaches = self.reaches(setter.at, ty);
                        worst = worst.max(self.typename_level(setter.at, ty, &reaches)?);
                    }
                }
            }
        }
        Some(worst)
    }

    /// Has all values asked where they are; adds what to wait for.
    pub(crate) fn obtain_contexts(
        &mut self,
        at: PosId,
        arguments: &'a [ContextArgument],
        conditions: Cond,
        deps: &mut BTreeSet<DraftId>,
    ) -> Result<Vec<ContextDraft<'a>>, PlanError> {
        let mut drafts = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let setters = self.setters(at, argument).ok_or_else(|| self.unset(at, argument))?;
            let mut sources = Vec::with_capacity(setters.len());
            for Setter { up, at, on, leading, selection } in setters {
                let mut value = self.obtain(at, &on, selection, conditions, false, deps)?;
                unconditional(&mut value);
                // Which source applies depends on the runtime type, also of those objects that it does not fit.
                let conditional = on != leading;
                if conditional {
                    deps.extend(self.typename(at, &leading, conditions)?);
                }
                sources.push(SourceDraft { up, on, conditional, value });
            }
            drafts.push(ContextDraft { ty: &argument.ty, sources });
        }
        Ok(drafts)
    }

    /// Has the contexts of an entity fetch also when `conditions` hold.
    pub(crate) fn touch_contexts(
        &mut self,
        at: PosId,
        draft: DraftId,
        conditions: Cond,
    ) -> Result<(), PlanError> {
        let Some(entities) = &mut self.build.drafts[draft.0].entities else { return Ok(()) };
        let wider = self.facts.conditions.or(entities.contexts_when, conditions);
        if entities.contextual.is_empty() || wider == entities.contexts_when {
            return Ok(());
        }
        entities.contexts_when = wider;
        let arguments = entities.contextual;
        self.obtain_contexts(at, arguments, conditions, &mut BTreeSet::new())?;
        Ok(())
    }

    fn unset(&self, at: PosId, argument: &ContextArgument) -> PlanError {
        let first = self.build.position(at).types.first();
        let name = |ty: TypeId| self.facts.supergraph.ty(ty).name.as_str();
        PlanError::Unreachable { place: format!("{}.({}:)", first.map_or("", name), argument.name) }
    }
}

/// An object's type as a value.
pub(crate) fn typename(on: TypeSet, types: &TypeSet) -> RepField {
    RepField {
        name: apollo_compiler::name!("__typename"),
        source: Key::TYPENAME,
        conditional: on != *types,
        on,
        is_key: false,
        conditions: Cond::ALWAYS,
        selection: Vec::new(),
    }
}

/// A value is taken whenever its fetch is sent, and that is only when something asked needs it.
fn unconditional(fields: &mut [RepField]) {
    for field in fields {
        field.conditions = Cond::ALWAYS;
        unconditional(&mut field.selection);
    }
}
