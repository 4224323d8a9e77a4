//! Merges enums, input objects and unions.
//!
//! Unions take every member. Input objects keep the fields all subgraphs know. Enums follow their use: values all know
//! when used as input, every value when used as output, and no difference when used as both.

use std::collections::HashMap;

use apollo_compiler::Name;
use indexmap::IndexSet;

use super::Merger;
use super::arguments::INPUT_FIELD;
use super::model::{Merged, MergedType, MergedValue, is_inaccessible};
use super::references::all_equal;
use super::types::{Sources, places, sources};
use crate::federation::Fed;
use crate::model::{EnumValueDef, InputDef, Kind, Place, has};

pub(super) fn merge_union(merger: &mut Merger<'_>, merged: &mut MergedType, declarations: &Sources<'_>) {
    for (_, ty) in declarations {
        for member in ty.members.keys() {
            merged.members.insert(member.clone());
        }
    }
    for member in &merged.members {
        let (with, without): (Vec<_>, Vec<_>) =
            declarations.iter().partition(|(_, ty)| ty.members.contains_key(member));
        merged.union_members.extend(with.iter().map(|(index, _)| (*index, member.clone())));
        if !without.is_empty() {
            let message = format!(
                "union type \"{}\" includes member \"{member}\" in {} but not in {}",
                merged.name,
                merger.named(with.iter().map(|(index, _)| *index)),
                merger.named(without.iter().map(|(index, _)| *index)),
            );
            merger.hint("INCONSISTENT_UNION_MEMBER", message, places(declarations));
        }
    }
}

pub(super) fn merge_input(merger: &mut Merger<'_>, merged: &mut MergedType, declarations: &Sources<'_>) {
    let names: IndexSet<&Name> = declarations.iter().flat_map(|(_, ty)| ty.inputs.keys()).collect();
    let mut common = false;
    for name in names {
        let coordinate = format!("{}.{name}", merged.name);
        let declared: Vec<(usize, &InputDef)> =
            declarations.iter().filter_map(|(index, ty)| Some((*index, ty.inputs.get(name)?))).collect();
        let partial = declared.len() < declarations.len();
        let inaccessible = declared.iter().any(|(_, input)| has(&input.directives, Fed::Inaccessible));
        if partial
            && (missing_input(merger, &coordinate, &declared, declarations, inaccessible) || !inaccessible)
        {
            continue;
        }
        common = true;
        if let Some(mut input) = merger.merge_input_value(&coordinate, &INPUT_FIELD, &declared) {
            let types: Vec<_> = declared.iter().map(|(_, input)| &input.ty).collect();
            let same = all_equal(&types);
            if partial || !same {
                input.joins = declared
                    .iter()
                    .map(|(index, input)| (*index, (!same).then(|| input.ty.to_string())))
                    .collect();
            }
            merged.inputs.insert(name.clone(), input);
        }
    }
    if !common {
        let message = format!(
            "none of the fields of input object type \"{}\" are defined in all the subgraphs defining that type: as only \
             common fields are merged, this would result in an empty type",
            merged.name
        );
        merger.error("EMPTY_MERGED_INPUT_TYPE", message, places(declarations));
    }
}

/// Reports an input field that some subgraphs lack; true when that is an error.
fn missing_input(
    merger: &mut Merger<'_>,
    coordinate: &str,
    declared: &[(usize, &InputDef)],
    declarations: &Sources<'_>,
    inaccessible: bool,
) -> bool {
    let demanding: Vec<(usize, Place)> = declared
        .iter()
        .filter(|(_, input)| input.ty.is_non_null() && input.default.is_none())
        .map(|(index, input)| (*index, input.place))
        .collect();
    let missing = merger.named(
        declarations
            .iter()
            .map(|(index, _)| *index)
            .filter(|index| !declared.iter().any(|(known, _)| known == index)),
    );
    if demanding.is_empty() {
        if !inaccessible {
            let places: Vec<_> = declared.iter().map(|(index, input)| (*index, input.place)).collect();
            let message = format!(
                "input object field \"{coordinate}\" will not be in the supergraph as it does not appear in {missing}"
            );
            merger.hint("INCONSISTENT_INPUT_OBJECT_FIELD", message, places);
        }
        return false;
    }
    let message = format!(
        "input object field \"{coordinate}\" is required in {} but does not appear in {missing}",
        merger.named(demanding.iter().map(|(index, _)| *index))
    );
    merger.error("REQUIRED_INPUT_FIELD_MISSING_IN_SOME_SUBGRAPH", message, demanding);
    true
}

/// Where an enum is used: an example of each position.
#[derive(Debug, Default, Clone)]
struct Uses {
    input: Option<String>,
    output: Option<String>,
}

fn uses(merged: &Merged) -> HashMap<Name, Uses> {
    let mut uses: HashMap<Name, Uses> = HashMap::new();
    for ty in merged.types.values() {
        for field in ty.fields.values() {
            let coordinate = format!("{}.{}", ty.name, field.name);
            for argument in field.arguments.values() {
                let entry = uses.entry(argument.ty.inner_named_type().clone()).or_default();
                entry.input.get_or_insert_with(|| format!("{coordinate}({}:)", argument.name));
            }
            uses.entry(field.ty.inner_named_type().clone()).or_default().output.get_or_insert(coordinate);
        }
        for input in ty.inputs.values() {
            let entry = uses.entry(input.ty.inner_named_type().clone()).or_default();
            entry.input.get_or_insert_with(|| format!("{}.{}", ty.name, input.name));
        }
    }
    uses
}

pub(super) fn merge_enums(merger: &mut Merger<'_>, merged: &mut Merged) {
    let uses = uses(merged);
    let names: Vec<Name> =
        merged.types.values().filter(|ty| ty.kind == Kind::Enum).map(|ty| ty.name.clone()).collect();
    for name in names {
        let declarations = sources(merger.schemas, &name);
        let uses = uses.get(&name).cloned().unwrap_or_default();
        if uses.input.is_none() && uses.output.is_none() {
            let message = format!(
                "enum type \"{name}\" is defined but unused; it will have all values of all subgraphs"
            );
            merger.hint("UNUSED_ENUM_TYPE", message, places(&declarations));
        }
        merge_enum(merger, merged, &name, &declarations, &uses);
    }
}

fn merge_enum(
    merger: &mut Merger<'_>,
    merged: &mut Merged,
    name: &Name,
    declarations: &Sources<'_>,
    uses: &Uses,
) {
    let Some(mut ty) = merged.types.get(name).cloned() else { return };
    let values: IndexSet<&Name> = declarations.iter().flat_map(|(_, ty)| ty.values.keys()).collect();
    for value in values {
        let coordinate = format!("{name}.{value}");
        let declared: Vec<(usize, &EnumValueDef)> =
            declarations.iter().filter_map(|(index, ty)| Some((*index, ty.values.get(value)?))).collect();
        let what = format!("enum value \"{coordinate}\"");
        let mut result = MergedValue {
            name: value.clone(),
            description: None,
            directives: merger
                .directives(&what, declared.iter().map(|(index, value)| (*index, &value.directives))),
            subgraphs: declared.iter().map(|(index, _)| *index).collect(),
        };
        let partial = declared.len() < declarations.len() && !is_inaccessible(&result.directives);
        if partial && !keeps_partial(merger, &coordinate, declarations, &declared, uses) {
            continue;
        }
        result.description = merger.description(
            &what,
            declared.iter().map(|(index, value)| (*index, value.description.as_ref(), value.place)),
        );
        ty.values.insert(value.clone(), result);
    }
    if ty.values.is_empty() {
        let message = format!(
            "none of the values of enum type \"{name}\" are defined in all the subgraphs defining that type: as only common \
             values are merged, this would result in an empty type"
        );
        merger.error("EMPTY_MERGED_ENUM_TYPE", message, places(declarations));
    }
    merged.types.insert(name.clone(), ty);
}

/// Whether a value that some subgraphs lack stays.
fn keeps_partial(
    merger: &mut Merger<'_>,
    coordinate: &str,
    declarations: &Sources<'_>,
    declared: &[(usize, &EnumValueDef)],
    uses: &Uses,
) -> bool {
    let with = merger.named(declared.iter().map(|(index, _)| *index));
    let without = merger.named(
        declarations
            .iter()
            .map(|(index, _)| *index)
            .filter(|index| !declared.iter().any(|(known, _)| known == index)),
    );
    let at: Vec<_> = declared.iter().map(|(index, value)| (*index, value.place)).collect();
    match (&uses.input, &uses.output) {
        (Some(input), Some(output)) => {
            let message = format!(
                "the enum is used as both input type (for example, as type of \"{input}\") and output type (for example, \
                 as type of \"{output}\"), but value \"{coordinate}\" is defined in {with} and not in {without}"
            );
            merger.error("ENUM_VALUE_MISMATCH", message, at);
            true
        }
        (Some(_), None) => {
            let message = format!(
                "value \"{coordinate}\" will not be in the supergraph: it is defined in {with} but not in {without}"
            );
            merger.hint("INCONSISTENT_ENUM_VALUE_FOR_INPUT_ENUM", message, at);
            false
        }
        (None, Some(_)) => {
            let message = format!("value \"{coordinate}\" is defined in {with} but not in {without}");
            merger.hint("INCONSISTENT_ENUM_VALUE_FOR_OUTPUT_ENUM", message, at);
            true
        }
        (None, None) => true,
    }
}
