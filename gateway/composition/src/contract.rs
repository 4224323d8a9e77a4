//! Contracts: a supergraph narrowed by tags for one audience.
//!
//! In: a merged schema and the tags to include and exclude. Out: the same schema with everything outside the contract
//! marked `@inaccessible`; the subgraphs and the planner still know it. Elsewhere: whether what remains is a valid
//! schema (`post/inaccessible.rs`).

use std::collections::HashSet;

use apollo_compiler::Name;
use apollo_compiler::ast::{Type, Value};

use crate::federation::Fed;
use crate::merge::Merged;
use crate::merge::model::{MergedDirective, MergedType, is_inaccessible};
use crate::model::Kind;

/// Which part of a supergraph an audience may see, by `@tag`.
#[derive(Debug, Clone, Default)]
pub struct Contract {
    /// When not empty, only elements with one of these tags are visible: a tagged type with all of it, a tagged field
    /// or value with its type.
    pub include_tags: Vec<String>,
    /// Elements with one of these tags are hidden, whatever else they have.
    pub exclude_tags: Vec<String>,
    /// Also hide types that no visible field or argument leads to.
    pub hide_unreachable_types: bool,
}

impl Contract {
    fn excludes(&self, directives: &[MergedDirective]) -> bool {
        tags(directives).any(|tag| self.exclude_tags.iter().any(|given| given == tag))
    }

    fn includes(&self, directives: &[MergedDirective]) -> bool {
        self.include_tags.is_empty()
            || tags(directives).any(|tag| self.include_tags.iter().any(|given| given == tag))
    }
}

fn tags(directives: &[MergedDirective]) -> impl Iterator<Item = &str> {
    directives.iter().filter(|directive| directive.fed == Some(Fed::Tag)).filter_map(|directive| {
        match directive.arguments.first() {
            Some((_, Value::String(tag))) => Some(tag.as_str()),
            _ => None,
        }
    })
}

/// Hides what the contract leaves out.
pub(crate) fn apply(contract: &Contract, merged: &mut Merged) {
    let name = inaccessible_name(merged);
    for ty in merged.types.values_mut() {
        narrow_type(contract, ty, &name);
    }
    hide_empty_unions(merged, &name);
    if contract.hide_unreachable_types {
        let reachable = reachable(merged);
        for ty in merged.types.values_mut().filter(|ty| !reachable.contains(&ty.name)) {
            hide(&mut ty.directives, &name);
        }
    }
    link_inaccessible(merged, &name);
}

/// The name `@inaccessible` already has in the supergraph.
fn inaccessible_name(merged: &Merged) -> String {
    let found = merged.types.values().find_map(|ty| {
        let members = ty
            .fields
            .values()
            .map(|field| &field.directives)
            .chain(ty.inputs.values().map(|input| &input.directives))
            .chain(ty.values.values().map(|value| &value.directives));
        std::iter::once(&ty.directives)
            .chain(members)
            .flatten()
            .find(|directive| directive.fed == Some(Fed::Inaccessible))
            .map(|directive| directive.name.clone())
    });
    found.unwrap_or_else(|| Fed::Inaccessible.name().to_owned())
}

fn hide(directives: &mut Vec<MergedDirective>, name: &str) {
    if !is_inaccessible(directives) {
        directives.push(MergedDirective {
            fed: Some(Fed::Inaccessible),
            name: name.to_owned(),
            arguments: Vec::new(),
            joined: Vec::new(),
        });
    }
}

fn narrow_type(contract: &Contract, ty: &mut MergedType, name: &str) {
    let whole = contract.includes(&ty.directives);
    let outside = |directives: &[MergedDirective]| {
        contract.excludes(directives) || !(whole || contract.includes(directives))
    };
    let mut visible = 0;
    for field in ty.fields.values_mut() {
        if outside(&field.directives) {
            hide(&mut field.directives, name);
        }
        for argument in field.arguments.values_mut() {
            if contract.excludes(&argument.directives) {
                hide(&mut argument.directives, name);
            }
        }
        visible += usize::from(!is_inaccessible(&field.directives));
    }
    for input in ty.inputs.values_mut() {
        if outside(&input.directives) {
            hide(&mut input.directives, name);
        }
        visible += usize::from(!is_inaccessible(&input.directives));
    }
    for value in ty.values.values_mut() {
        if outside(&value.directives) {
            hide(&mut value.directives, name);
        }
        visible += usize::from(!is_inaccessible(&value.directives));
    }
    let empty = match ty.kind {
        Kind::Scalar | Kind::Union => !whole,
        Kind::Object | Kind::Interface | Kind::Enum | Kind::Input => visible == 0,
    };
    if empty || contract.excludes(&ty.directives) {
        hide(&mut ty.directives, name);
    }
}

fn hide_empty_unions(merged: &mut Merged, name: &str) {
    let hidden: HashSet<Name> = merged
        .types
        .values()
        .filter(|ty| is_inaccessible(&ty.directives))
        .map(|ty| ty.name.clone())
        .collect();
    for ty in merged.types.values_mut().filter(|ty| ty.kind == Kind::Union) {
        if ty.members.iter().all(|member| hidden.contains(member)) {
            hide(&mut ty.directives, name);
        }
    }
}

/// Types that the root types lead to through what is visible.
fn reachable(merged: &Merged) -> HashSet<Name> {
    let mut seen: HashSet<Name> = HashSet::new();
    let mut pending: Vec<Name> = ["Query", "Mutation", "Subscription"]
        .iter()
        .filter_map(|root| merged.types.get(*root).map(|ty| ty.name.clone()))
        .collect();
    while let Some(name) = pending.pop() {
        let Some(ty) = merged.types.get(&name).filter(|ty| !is_inaccessible(&ty.directives)) else {
            continue;
        };
        if !seen.insert(name.clone()) {
            continue;
        }
        let inner = |ty: &Type| ty.inner_named_type().clone();
        for field in ty.fields.values().filter(|field| !is_inaccessible(&field.directives)) {
            pending.push(inner(&field.ty));
            let arguments = field.arguments.values();
            pending.extend(
                arguments.filter(|given| !is_inaccessible(&given.directives)).map(|given| inner(&given.ty)),
            );
        }
        let inputs = ty.inputs.values().filter(|input| !is_inaccessible(&input.directives));
        pending.extend(inputs.map(|input| inner(&input.ty)));
        pending.extend(ty.interfaces.iter().cloned());
        pending.extend(merged.runtime_types(&name));
    }
    seen
}

fn link_inaccessible(merged: &mut Merged, name: &str) {
    if merged.definitions.contains_key(name) {
        return;
    }
    let spec = Fed::Inaccessible.merged().expect("@inaccessible is merged");
    merged.definitions.insert(name.to_owned(), spec.definition());
    merged.links.push("@link(url: \"https://specs.apollo.dev/inaccessible/v0.2\", for: SECURITY)".to_owned());
}
