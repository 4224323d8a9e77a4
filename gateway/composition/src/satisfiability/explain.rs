//! The text of a satisfiability error: the query that cannot be answered, and why each subgraph cannot.

use apollo_compiler::Name;
use apollo_compiler::ast::Type;

use super::moves::contexts_set;
use super::place::PlaceSet;
use super::{Position, Step, Walk};
use crate::diagnostic::{Diagnostic, Location};
use crate::merge::Merged;
use crate::merge::model::MergedField;
use crate::model::Kind;

/// Errors name this many reasons at most.
const REASONS_MAX: usize = 12;

impl Walk<'_> {
    pub(super) fn explain(&mut self, position: &Position, field: &MergedField) -> Diagnostic {
        let composite =
            self.merged.types.get(field.ty.inner_named_type()).is_some_and(|ty| ty.kind.is_composite());
        let below = if composite { " { ... }" } else { "" };
        let query = self.query(position, &format!("{}{below}", call(self.merged, &position.ty, &field.name)));
        let reasons = self.reasons(position, field);
        let message = format!(
            "the following supergraph API query:\n{query}\ncannot be satisfied by the subgraphs because:\n{}",
            reasons.join("\n")
        );
        let locations: Vec<Location> = self
            .moves
            .schemas
            .iter()
            .filter_map(|schema| {
                let declared = schema.field(&position.ty, &field.name)?;
                (declared.place.line > 0).then(|| schema.location(declared.place))
            })
            .collect();
        Diagnostic::error("SATISFIABILITY_ERROR", message).at(locations)
    }

    /// Each subgraph with the mutation lacks something below it.
    pub(super) fn explain_mutation(
        &self,
        field: &MergedField,
        failures: Vec<(usize, Diagnostic)>,
    ) -> Diagnostic {
        let mut locations: Vec<Location> = Vec::new();
        let mut reasons: Vec<String> = Vec::new();
        for (subgraph, error) in failures {
            let schema = &self.moves.schemas[subgraph];
            reasons.push(format!("- called in subgraph \"{}\": {}", schema.name, error.message));
            let place = schema.field("Mutation", &field.name).map(|own| own.place);
            locations.extend(place.filter(|place| place.line > 0).map(|place| schema.location(place)));
        }
        let message = format!(
            "mutation \"Mutation.{}\" is called in one subgraph only, but none of them can satisfy all that may be selected below it:\n{}",
            field.name,
            reasons.join("\n")
        );
        Diagnostic::error("SATISFIABILITY_ERROR", message).at(locations)
    }

    /// No subgraph tells which implementation an interface object is.
    pub(super) fn explain_unknown_type(&self, position: &Position) -> Diagnostic {
        let query = self.query(position, "...");
        let reasons: Vec<String> = position
            .places
            .iter()
            .map(|place| {
                format!(
                    "- from subgraph \"{}\": no subgraph can be reached to resolve the implementation type of @interfaceObject type \"{}\".",
                    self.moves.schemas[place.subgraph].name, place.ty
                )
            })
            .collect();
        let message = format!(
            "the following supergraph API query:\n{query}\ncannot be satisfied by the subgraphs because:\n{}",
            reasons.join("\n")
        );
        let locations: Vec<Location> = position
            .places
            .iter()
            .filter_map(|place| {
                let schema = &self.moves.schemas[place.subgraph];
                Some(schema.location(schema.types.get(&place.ty)?.place))
            })
            .collect();
        Diagnostic::error("SATISFIABILITY_ERROR", message).at(locations)
    }

    /// The query from the root to the position, with a last line.
    fn query(&self, position: &Position, last: &str) -> String {
        let mut path: Vec<&Step> = Vec::new();
        let mut at = position.step;
        while let Some(index) = at {
            path.push(&self.steps[index]);
            at = self.steps[index].previous;
        }
        path.reverse();
        let root = path.first().map_or(&position.ty, |step| &step.parent);
        let mut lines = vec![match root.as_str() {
            "Mutation" => "mutation {".to_owned(),
            "Subscription" => "subscription {".to_owned(),
            _ => "{".to_owned(),
        }];
        let mut closing = vec!["}".to_owned()];
        let mut indent = String::from("  ");
        for step in path {
            lines.push(format!("{indent}{} {{", call(self.merged, &step.parent, &step.field)));
            closing.push(format!("{indent}}}"));
            indent.push_str("  ");
            if let Some(condition) = &step.condition {
                lines.push(format!("{indent}... on {condition} {{"));
                closing.push(format!("{indent}}}"));
                indent.push_str("  ");
            }
        }
        lines.push(format!("{indent}{last}"));
        closing.reverse();
        lines.extend(closing);
        lines.join("\n")
    }

    fn reasons(&mut self, position: &Position, field: &MergedField) -> Vec<String> {
        let mut lines = Vec::new();
        let coordinate = format!("{}.{}", position.ty, field.name);
        let places: Vec<_> = position.places.iter().cloned().collect();
        for place in places {
            lines.push(format!("- from subgraph \"{}\":", self.moves.schemas[place.subgraph].name));
            let declared = self.moves.schemas[place.subgraph].field(&place.ty, &field.name);
            lines.push(match declared {
                None => format!("  - cannot find field \"{coordinate}\"."),
                Some(field) if field.facts.external() => {
                    format!("  - field \"{coordinate}\" is not resolvable because it is marked @external.")
                }
                Some(own) if !self.moves.resolved_by(place.subgraph, &place.ty, own) => {
                    format!("  - field \"{coordinate}\" is not resolvable because it is overridden.")
                }
                Some(own) if !contexts_set(own, &position.contexts) => {
                    format!("  - could not find a match for required context for field \"{coordinate}\".")
                }
                Some(own) => {
                    let text =
                        own.requires.as_ref().map(|requires| requires.text.clone()).unwrap_or_default();
                    let from = self.moves.reachable(&position.ty, &PlaceSet::new(vec![place.clone()]));
                    if self.moves.can_return(&position.ty, &place, &from) {
                        format!("  - cannot satisfy @requires conditions \"{text}\" on field \"{coordinate}\".")
                    } else {
                        format!("  - @requires conditions \"{text}\" on field \"{coordinate}\" are fetched elsewhere, and there is no usable @key on type \"{}\" to come back.", place.ty)
                    }
                }
            });
        }
        self.jump_reasons(&position.ty, &position.places, field, &mut lines);
        lines.truncate(REASONS_MAX);
        lines
    }

    /// Why the subgraphs that do have the field cannot be entered.
    fn jump_reasons(
        &mut self,
        object: &Name,
        places: &PlaceSet,
        field: &MergedField,
        lines: &mut Vec<String>,
    ) {
        let jumps = self.moves.jumps(object);
        for (subgraph, schema) in self.moves.schemas.iter().enumerate() {
            if places.iter().any(|place| place.subgraph == subgraph) {
                continue;
            }
            let carrier = schema.types.values().find(|ty| {
                let same = ty.name == *object;
                let above = ty.interface_object
                    && self
                        .merged
                        .types
                        .get(object)
                        .is_some_and(|merged| merged.interfaces.contains(&ty.name));
                (same || above)
                    && ty
                        .fields
                        .get(&field.name)
                        .is_some_and(|own| self.moves.resolved_by(subgraph, &ty.name, own))
            });
            let Some(carrier) = carrier else { continue };
            let mut tried = false;
            for jump in jumps.iter().filter(|jump| jump.subgraph == subgraph) {
                tried = true;
                let why = if jump.by_object && self.moves.resolves(object, places, jump.fields) {
                    "the type of the object is not known"
                } else {
                    "the key field(s) cannot be resolved"
                };
                lines.push(format!(
                    "  - cannot move to subgraph \"{}\" using @key(fields: \"{}\") of \"{}\", {why}.",
                    schema.name, jump.text, jump.carrier
                ));
            }
            if !tried {
                lines.push(format!(
                    "  - cannot move to subgraph \"{}\", which has field \"{}.{}\", because type \"{}\" has no resolvable @key defined in subgraph \"{}\".",
                    schema.name, carrier.name, field.name, carrier.name, schema.name
                ));
            }
        }
    }
}

/// A field with example values for its required arguments.
fn call(merged: &Merged, parent: &Name, field: &Name) -> String {
    let Some(definition) = merged.types.get(parent).and_then(|ty| ty.fields.get(field)) else {
        return field.to_string();
    };
    let arguments: Vec<String> = definition
        .arguments
        .values()
        .filter(|argument| argument.ty.is_non_null() && argument.default.is_none())
        .map(|argument| format!("{}: {}", argument.name, example(merged, &argument.ty, 0)))
        .collect();
    if arguments.is_empty() { field.to_string() } else { format!("{field}({})", arguments.join(", ")) }
}

/// A literal of an input type; nested input objects are written only as deep as they are required.
fn example(merged: &Merged, ty: &Type, depth: usize) -> String {
    if ty.is_list() {
        return "[]".to_owned();
    }
    let name = ty.inner_named_type();
    match name.as_str() {
        "Int" => "0".to_owned(),
        "Float" => "0.5".to_owned(),
        "Boolean" => "true".to_owned(),
        "String" => "\"a string\"".to_owned(),
        "ID" => "\"an id\"".to_owned(),
        _ => match merged.types.get(name) {
            Some(ty) if ty.kind == Kind::Enum => {
                ty.values.keys().next().map_or_else(|| "null".to_owned(), ToString::to_string)
            }
            Some(ty) if ty.kind == Kind::Input && depth < 5 => {
                let fields: Vec<String> = ty
                    .inputs
                    .values()
                    .filter(|input| input.ty.is_non_null() && input.default.is_none())
                    .map(|input| format!("{}: {}", input.name, example(merged, &input.ty, depth + 1)))
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
            _ => "\"some value\"".to_owned(),
        },
    }
}
