//! Merges arguments of fields: those every subgraph knows stay, with the narrowest type.
//!
//! Elsewhere: input object fields (`values.rs`) share the rules of types and defaults here.

use apollo_compiler::ast::{Type, Value};
use apollo_compiler::{Name, Node};
use indexmap::IndexMap;

use super::Merger;
use super::fields::Source;
use super::model::MergedInput;
use super::references::all_equal;
use crate::federation::Fed;
use crate::model::{InputDef, Kind, Place, SubgraphSchema, has};

/// The codes for arguments and for input fields differ.
pub(super) struct InputCodes {
    pub(super) what: &'static str,
    pub(super) ty: &'static str,
    pub(super) default: &'static str,
}

pub(super) const ARGUMENT: InputCodes = InputCodes {
    what: "argument",
    ty: "FIELD_ARGUMENT_TYPE_MISMATCH",
    default: "FIELD_ARGUMENT_DEFAULT_MISMATCH",
};
pub(super) const INPUT_FIELD: InputCodes =
    InputCodes { what: "input field", ty: "FIELD_TYPE_MISMATCH", default: "INPUT_FIELD_DEFAULT_MISMATCH" };

impl Merger<'_> {
    pub(super) fn merge_arguments(
        &mut self,
        field: &str,
        sources: &[Source<'_>],
    ) -> IndexMap<Name, MergedInput> {
        let mut names: Vec<&Name> = Vec::new();
        for name in sources.iter().flat_map(|source| source.field.arguments.keys()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut merged = IndexMap::new();
        for name in names {
            let coordinate = format!("{field}({name}:)");
            let declared: Vec<(usize, &InputDef)> = sources
                .iter()
                .filter_map(|source| Some((source.subgraph, source.field.arguments.get(name)?)))
                .collect();
            if self.drops_contextual(&coordinate, &declared) {
                continue;
            }
            let here = declared.iter().map(|(subgraph, _)| *subgraph);
            let all: Vec<usize> = sources.iter().map(|source| source.subgraph).collect();
            if declared.len() < sources.len() {
                let inaccessible =
                    declared.iter().any(|(_, argument)| has(&argument.directives, Fed::Inaccessible));
                let missing: Vec<usize> =
                    all.iter().copied().filter(|index| !here.clone().any(|known| known == *index)).collect();
                if self.missing_argument(&coordinate, &declared, &missing) || !inaccessible {
                    continue;
                }
            }
            if let Some(argument) = self.merge_input_value(&coordinate, &ARGUMENT, &declared) {
                merged.insert(name.clone(), argument);
            }
        }
        merged
    }

    /// Arguments filled from a context are not the client's.
    fn drops_contextual(&mut self, coordinate: &str, declared: &[(usize, &InputDef)]) -> bool {
        let contextual: Vec<usize> = declared
            .iter()
            .filter(|(_, argument)| has(&argument.directives, Fed::FromContext))
            .map(|(subgraph, _)| *subgraph)
            .collect();
        if contextual.is_empty() {
            return false;
        }
        for (subgraph, argument) in declared.iter().filter(|(subgraph, _)| !contextual.contains(subgraph)) {
            let place = [(*subgraph, argument.place)];
            let message = format!(
                "argument \"{coordinate}\" is contextual in {} but not in subgraph \"{}\"",
                self.named(contextual.iter().copied()),
                self.schemas[*subgraph].name
            );
            let code = "CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS";
            if argument.ty.is_non_null() && argument.default.is_none() {
                self.error(code, message, place);
            } else {
                self.hint(code, message, place);
            }
        }
        true
    }

    /// Reports an argument some subgraphs lack; true when that is an error.
    fn missing_argument(
        &mut self,
        coordinate: &str,
        declared: &[(usize, &InputDef)],
        missing: &[usize],
    ) -> bool {
        let required = |argument: &InputDef| argument.ty.is_non_null() && argument.default.is_none();
        let demanding: Vec<(usize, Place)> = declared
            .iter()
            .filter(|(_, argument)| required(argument))
            .map(|(subgraph, argument)| (*subgraph, argument.place))
            .collect();
        let places: Vec<_> =
            declared.iter().map(|(subgraph, argument)| (*subgraph, argument.place)).collect();
        let missing = self.named(missing.iter().copied());
        if demanding.is_empty() {
            let message = format!(
                "optional argument \"{coordinate}\" will not be in the supergraph as it does not appear in {missing}"
            );
            self.hint("INCONSISTENT_ARGUMENT_PRESENCE", message, places);
            return false;
        }
        let message = format!(
            "argument \"{coordinate}\" is required in {} but does not appear in {missing}",
            self.named(demanding.iter().map(|(subgraph, _)| *subgraph))
        );
        self.error("REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH", message, demanding);
        true
    }

    /// Type, default, description and directives of one argument or input field.
    pub(super) fn merge_input_value(
        &mut self,
        coordinate: &str,
        codes: &InputCodes,
        declared: &[(usize, &InputDef)],
    ) -> Option<MergedInput> {
        let places: Vec<_> = declared.iter().map(|(subgraph, input)| (*subgraph, input.place)).collect();
        let types: Vec<&Type> = declared.iter().map(|(_, input)| &input.ty).collect();
        let Some(narrowest) = self.narrowest(&types).cloned() else {
            let values = self.by_value(declared.iter().map(|(subgraph, input)| (*subgraph, &input.ty)));
            let message = format!(
                "type of {} \"{coordinate}\" is incompatible across subgraphs: it has type {values}",
                codes.what
            );
            self.error(codes.ty, message, places);
            return None;
        };
        if !all_equal(&types) {
            let values = self.by_value(declared.iter().map(|(subgraph, input)| (*subgraph, &input.ty)));
            let message = format!(
                "type of {} \"{coordinate}\" is inconsistent but compatible across subgraphs: will use \"{narrowest}\", it has type {values}",
                codes.what
            );
            self.hint("INCONSISTENT_BUT_COMPATIBLE_ARGUMENT_TYPE", message, places.clone());
        }
        let default = self.merge_default(coordinate, codes, declared, &places).map(|default| {
            let schema = declared.first().map(|(subgraph, _)| &self.schemas[*subgraph]);
            schema.map_or_else(|| default.clone(), |schema| enum_values(schema, &narrowest, &default))
        });
        let what = format!("{} \"{coordinate}\"", codes.what);
        Some(MergedInput {
            name: declared.first()?.1.name.clone(),
            description: self.description(
                &what,
                declared.iter().map(|(subgraph, input)| (*subgraph, input.description.as_ref(), input.place)),
            ),
            ty: narrowest,
            default,
            directives: self
                .directives(&what, declared.iter().map(|(subgraph, input)| (*subgraph, &input.directives))),
            joins: Vec::new(),
        })
    }

    /// Two different defaults are an error; a default that some lack is left to the subgraphs.
    fn merge_default(
        &mut self,
        coordinate: &str,
        codes: &InputCodes,
        declared: &[(usize, &InputDef)],
        places: &[(usize, Place)],
    ) -> Option<Value> {
        let given: Vec<&Value> = declared.iter().filter_map(|(_, input)| input.default.as_ref()).collect();
        let first = *given.first()?;
        if given.iter().any(|value| !same_value(value, first)) {
            let values = self.by_value(
                declared
                    .iter()
                    .filter_map(|(subgraph, input)| Some((*subgraph, input.default.as_ref()?.to_string()))),
            );
            let message = format!(
                "{} \"{coordinate}\" has incompatible default values across subgraphs: it has default {values}",
                codes.what
            );
            self.error(codes.default, message, places.to_vec());
            return None;
        }
        if given.len() < declared.len() {
            let message = format!(
                "{} \"{coordinate}\" has a default value in only some subgraphs: the supergraph will not use one",
                codes.what
            );
            self.hint("INCONSISTENT_DEFAULT_VALUE_PRESENCE", message, places.to_vec());
            return None;
        }
        Some(first.clone())
    }
}

/// A default with enum values as such: some servers print them as strings.
fn enum_values(schema: &SubgraphSchema, ty: &Type, value: &Value) -> Value {
    match value {
        Value::List(items) => {
            let items = items.iter().map(|item| Node::new(enum_values(schema, ty.item_type(), item)));
            Value::List(items.collect())
        }
        Value::String(text) if schema.kind_of(ty.inner_named_type()) == Some(Kind::Enum) => {
            Name::new(text).map_or_else(|_| value.clone(), Value::Enum)
        }
        Value::Object(entries) => {
            let inputs = schema.types.get(ty.inner_named_type()).map(|ty| &ty.inputs);
            let entry = |(name, given): &(Name, Node<Value>)| {
                let input = inputs.and_then(|inputs| inputs.get(name));
                let given = input
                    .map_or_else(|| given.clone(), |input| Node::new(enum_values(schema, &input.ty, given)));
                (name.clone(), given)
            };
            Value::Object(entries.iter().map(entry).collect())
        }
        other => other.clone(),
    }
}

/// Equality of literals; the order of an object's fields does not matter.
fn same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| {
                    right.iter().any(|(other, candidate)| name == other && same_value(value, candidate))
                })
        }
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_value(left, right))
        }
        _ => left == right,
    }
}
