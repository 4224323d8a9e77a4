//! Authorization along interfaces and `@requires`.
//!
//! An interface asks for what all its implementations ask, and a field that reads others through `@requires` must ask at
//! least what they do, or it would leak them.

use apollo_compiler::ast::Value;
use apollo_compiler::{Name, name};

use super::places;
use crate::auth::{Alternatives, alternatives, both, implies, literal};
use crate::diagnostic::Diagnostic;
use crate::federation::Fed;
use crate::field_set::{FieldSet, Selection};
use crate::merge::Merged;
use crate::merge::model::MergedDirective;
use crate::model::{Kind, SubgraphSchema};

/// What a set of directives asks for.
#[derive(Debug, Clone, Default, PartialEq)]
struct Need {
    authenticated: bool,
    scopes: Option<Alternatives>,
    policies: Option<Alternatives>,
    /// Names of the directives in the supergraph, in the same order.
    names: [Option<String>; 3],
}

impl Need {
    fn of(directives: &[MergedDirective]) -> Need {
        let mut need = Need::default();
        for directive in directives {
            let value = || directive.arguments.first().map(|(_, value)| alternatives(value));
            let slot = match directive.fed {
                Some(Fed::Authenticated) => {
                    need.authenticated = true;
                    0
                }
                Some(Fed::RequiresScopes) => {
                    need.scopes = value();
                    1
                }
                Some(Fed::Policy) => {
                    need.policies = value();
                    2
                }
                _ => continue,
            };
            need.names[slot] = Some(directive.name.clone());
        }
        need
    }

    fn and(&mut self, other: &Need) {
        let join = |left: &Option<Alternatives>, right: &Option<Alternatives>| match (left, right) {
            (Some(left), Some(right)) => Some(both(left, right)),
            (one, None) | (None, one) => one.clone(),
        };
        self.authenticated |= other.authenticated;
        self.scopes = join(&self.scopes, &other.scopes);
        self.policies = join(&self.policies, &other.policies);
        for (own, other) in self.names.iter_mut().zip(&other.names) {
            if own.is_none() {
                own.clone_from(other);
            }
        }
    }

    fn implies(&self, other: &Need) -> bool {
        (self.authenticated || !other.authenticated)
            && implies(self.scopes.as_ref(), other.scopes.as_ref())
            && implies(self.policies.as_ref(), other.policies.as_ref())
    }

    /// Puts the need in the place of what the directives asked before.
    fn replace(&self, directives: &mut Vec<MergedDirective>) {
        if Need::of(directives) == *self {
            return;
        }
        directives.retain(|directive| {
            !matches!(directive.fed, Some(Fed::Authenticated | Fed::RequiresScopes | Fed::Policy))
        });
        directives.extend(self.directives());
    }

    fn directives(&self) -> Vec<MergedDirective> {
        let parts = [
            (Fed::Authenticated, self.authenticated.then(Vec::new)),
            (Fed::RequiresScopes, argument(name!("scopes"), self.scopes.as_ref())),
            (Fed::Policy, argument(name!("policies"), self.policies.as_ref())),
        ];
        parts
            .into_iter()
            .zip(&self.names)
            .filter_map(|((fed, arguments), name)| {
                let name = name.clone().unwrap_or_else(|| fed.name().to_owned());
                Some(MergedDirective { fed: Some(fed), name, arguments: arguments?, joined: Vec::new() })
            })
            .collect()
    }
}

fn argument(name: Name, value: Option<&Alternatives>) -> Option<Vec<(Name, Value)>> {
    value.map(|value| vec![(name, literal(value.clone()))])
}

/// Gives implementations what interface objects ask for their fields, then interfaces what their implementations ask.
pub(super) fn spread(merged: &mut Merged, schemas: &[SubgraphSchema]) {
    let interfaces: Vec<Name> =
        merged.types.values().filter(|ty| ty.kind == Kind::Interface).map(|ty| ty.name.clone()).collect();
    for interface in interfaces.iter().filter(|name| is_interface_object(schemas, name)) {
        let asked: Vec<(Name, Need)> = merged.types[interface]
            .fields
            .values()
            .map(|field| (field.name.clone(), Need::of(&field.directives)))
            .filter(|(_, need)| *need != Need::default())
            .collect();
        for object in merged.runtime_types(interface) {
            let Some(ty) = merged.types.get_mut(&object) else { continue };
            for (field, need) in &asked {
                if let Some(own) = ty.fields.get_mut(field) {
                    let mut both = Need::of(&own.directives);
                    both.and(need);
                    both.replace(&mut own.directives);
                }
            }
        }
    }
    for interface in interfaces {
        let objects = merged.runtime_types(&interface);
        let objects = || objects.iter().filter_map(|name| merged.types.get(name));
        let own = &merged.types[&interface];
        let mut on_type = Need::of(&own.directives);
        objects().for_each(|object| on_type.and(&Need::of(&object.directives)));
        let on_fields: Vec<(Name, Need)> = own
            .fields
            .values()
            .map(|field| {
                let mut need = Need::of(&field.directives);
                for implementing in objects().filter_map(|object| object.fields.get(&field.name)) {
                    need.and(&Need::of(&implementing.directives));
                }
                (field.name.clone(), need)
            })
            .collect();
        let Some(ty) = merged.types.get_mut(&interface) else { continue };
        on_type.replace(&mut ty.directives);
        for (field, need) in on_fields {
            if let Some(field) = ty.fields.get_mut(&field) {
                need.replace(&mut field.directives);
            }
        }
    }
}

fn is_interface_object(schemas: &[SubgraphSchema], name: &str) -> bool {
    schemas.iter().any(|schema| schema.types.get(name).is_some_and(|ty| ty.interface_object))
}

pub(super) fn check(merged: &Merged, schemas: &[SubgraphSchema]) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for schema in schemas {
        for ty in schema.types.values() {
            for field in ty.fields.values() {
                let Some(target) = merged.types.get(&ty.name) else { continue };
                let Some(own) = target.fields.get(&field.name) else { continue };
                let mut held = Need::of(&target.directives);
                held.and(&Need::of(&own.directives));
                held.and(&type_need(merged, own.ty.inner_named_type()));
                let mut sets: Vec<(Name, FieldSet, &str)> = Vec::new();
                if let Some(requires) = &field.requires {
                    sets.push((ty.name.clone(), requires.fields.clone(), "@requires"));
                }
                for argument in &field.context_arguments {
                    for setter in context_setters(schema, &argument.context) {
                        if let Ok(fields) = FieldSet::parse(&argument.selection) {
                            sets.push((setter, fields, "@fromContext"));
                        }
                    }
                }
                for (parent, fields, directive) in sets {
                    let object = (!held.implies(&type_need(merged, &parent))).then(|| parent.to_string());
                    let missing = object.or_else(|| first_unmet(merged, &parent, &fields.selections, &held));
                    if let Some(missing) = missing {
                        let message = format!(
                            "[{}] field \"{}.{}\" does not specify necessary @authenticated, @requiresScopes and/or @policy \
                             requirements to access the transitive data \"{missing}\" of its {directive} selection",
                            schema.name, ty.name, field.name
                        );
                        let locations = places(std::slice::from_ref(schema), &ty.name, Some(&field.name));
                        errors.push(
                            Diagnostic::error("MISSING_TRANSITIVE_AUTH_REQUIREMENTS", message).at(locations),
                        );
                    }
                }
            }
        }
    }
    errors
}

fn context_setters(schema: &SubgraphSchema, context: &str) -> Vec<Name> {
    schema
        .types
        .values()
        .filter(|ty| {
            ty.directives.iter().any(|applied| {
                applied.is(Fed::Context)
                    && applied.text("name").is_some_and(|name| context.ends_with(&format!("__{name}")))
            })
        })
        .map(|ty| ty.name.clone())
        .collect()
}

fn type_need(merged: &Merged, name: &Name) -> Need {
    merged.types.get(name).map(|ty| Need::of(&ty.directives)).unwrap_or_default()
}

/// The first element of a selection that asks for more than is held.
fn first_unmet(merged: &Merged, parent: &Name, selections: &[Selection], held: &Need) -> Option<String> {
    selections.iter().find_map(|selection| match selection {
        Selection::Fragment { condition, selections, .. } => {
            let target = condition.as_ref().unwrap_or(parent);
            if !held.implies(&type_need(merged, target)) {
                return Some(target.to_string());
            }
            first_unmet(merged, target, selections, held)
        }
        Selection::Field(field) => {
            let definition = merged.types.get(parent)?.fields.get(&field.name)?;
            let inner = definition.ty.inner_named_type();
            if !held.implies(&Need::of(&definition.directives)) || !held.implies(&type_need(merged, inner)) {
                return Some(format!("{parent}.{}", field.name));
            }
            first_unmet(merged, inner, &field.selections, held)
        }
    })
}
