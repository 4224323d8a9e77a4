//! Where federation's directives may stand within a subgraph, and that `@external` fields are used.
//!
//! Elsewhere: `@override` against other subgraphs (`merge/overrides.rs`).

use crate::federation::Fed;
use crate::ingest::Problems;
use crate::model::{Applied, FieldDef, Kind, SubgraphSchema, TypeDef, find, has};

pub(super) fn check(schema: &SubgraphSchema, problems: &mut Problems) {
    for ty in schema.types.values() {
        check_type(ty, problems);
        for field in ty.fields.values() {
            if ty.kind == Kind::Interface {
                check_interface_field(schema, ty, field, problems);
            } else {
                check_object_field(schema, ty, field, problems);
            }
        }
    }
}

fn check_type(ty: &TypeDef, problems: &mut Problems) {
    for on_extension in [false, true] {
        let shareable = ty
            .directives
            .iter()
            .filter(|applied| applied.is(Fed::Shareable) && applied.on_extension == on_extension);
        refuse_repeated_shareable(shareable, &format!("type \"{}\"", ty.name), problems);
    }
    if let Some(applied) = find(&ty.directives, Fed::InterfaceObject) {
        if ty.kind != Kind::Object || !has(&ty.directives, Fed::Key) {
            problems.add(
                "INTERFACE_OBJECT_USAGE_ERROR",
                format!("@interfaceObject is only allowed on entities, but \"{}\" has no @key", ty.name),
                applied.place,
            );
        }
        if let Some(interface) = ty.interfaces.keys().next() {
            problems.add(
                "INTERFACE_OBJECT_USAGE_ERROR",
                format!("\"{}\" has @interfaceObject and so cannot implement \"{interface}\"", ty.name),
                applied.place,
            );
        }
    }
    if ty.kind == Kind::Interface || ty.interface_object {
        refuse_authorization(ty, problems);
    }
}

fn refuse_repeated_shareable<'a>(
    mut applications: impl Iterator<Item = &'a Applied>,
    coordinate: &str,
    problems: &mut Problems,
) {
    if let Some(second) = applications.nth(1) {
        problems.add(
            "INVALID_SHAREABLE_USAGE",
            format!("invalid duplicate application of @shareable on the same declaration of {coordinate}"),
            second.place,
        );
    }
}

fn check_interface_field(schema: &SubgraphSchema, ty: &TypeDef, field: &FieldDef, problems: &mut Problems) {
    let coordinate = format!("{}.{}", ty.name, field.name);
    if let Some(applied) = find(&field.directives, Fed::External)
        && !schema.version.is_one()
    {
        problems.add(
            "EXTERNAL_ON_INTERFACE",
            format!("interface field \"{coordinate}\" is marked @external, but interface fields are never resolved"),
            applied.place,
        );
    }
    if let Some(applied) = find(&field.directives, Fed::Shareable) {
        problems.add(
            "INVALID_SHAREABLE_USAGE",
            format!(
                "invalid use of @shareable on field \"{coordinate}\": only object fields can be shareable"
            ),
            applied.place,
        );
    }
    if let Some(applied) = find(&field.directives, Fed::Override) {
        problems.add(
            "OVERRIDE_ON_INTERFACE",
            format!("@override cannot be used on field \"{coordinate}\": it is a field of an interface"),
            applied.place,
        );
    }
}

fn check_object_field(schema: &SubgraphSchema, ty: &TypeDef, field: &FieldDef, problems: &mut Problems) {
    let coordinate = format!("{}.{}", ty.name, field.name);
    let shareable = field.directives.iter().filter(|applied| applied.is(Fed::Shareable));
    refuse_repeated_shareable(shareable, &format!("field \"{coordinate}\""), problems);
    if schema.version.is_one() || ty.kind != Kind::Object {
        return;
    }
    if field.facts.marked_external {
        check_external(schema, ty, field, &coordinate, problems);
    }
}

fn check_external(
    schema: &SubgraphSchema,
    ty: &TypeDef,
    field: &FieldDef,
    coordinate: &str,
    problems: &mut Problems,
) {
    if let Some(external) = find(&field.directives, Fed::External)
        && has(&field.directives, Fed::Provides)
    {
        problems.add(
            "EXTERNAL_COLLISION_WITH_ANOTHER_DIRECTIVE",
            format!("cannot have both @provides and @external on field \"{coordinate}\""),
            external.place,
        );
    }
    let satisfies_interface =
        ty.interfaces.keys().any(|interface| schema.field(interface, &field.name).is_some());
    if !field.facts.used() && !satisfies_interface {
        problems.add(
            "EXTERNAL_UNUSED",
            format!(
                "field \"{coordinate}\" is marked @external but is not used in any federation directive \
                 (@key, @provides, @requires) or to satisfy an interface"
            ),
            field.place,
        );
    }
}

/// Authorization of an interface follows from its implementations and cannot be set apart.
fn refuse_authorization(ty: &TypeDef, problems: &mut Problems) {
    let what = if ty.kind == Kind::Interface { "interface" } else { "interface object" };
    let mut refuse = |directives: &[Applied], coordinate: String| {
        for fed in [Fed::Authenticated, Fed::RequiresScopes, Fed::Policy] {
            if let Some(applied) = find(directives, fed) {
                problems.add(
                    "AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE",
                    format!(
                        "invalid use of @{} on {coordinate}: it cannot be applied on interfaces, interface fields and interface objects",
                        fed.name()
                    ),
                    applied.place,
                );
            }
        }
    };
    refuse(&ty.directives, format!("{what} \"{}\"", ty.name));
    if ty.kind == Kind::Interface {
        for field in ty.fields.values() {
            refuse(&field.directives, format!("field \"{}.{}\"", ty.name, field.name));
        }
    }
}
