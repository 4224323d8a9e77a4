//! What changed from one API schema to another, and whom that hurts.
//!
//! Always: a change is breaking when an operation that was valid, or a client that reads what it always read, may fail;
//! dangerous when a client may meet what it does not know.

use std::fmt;

use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::schema::ExtendedType;

/// Whom a change hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Breaking,
    Dangerous,
    Safe,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Dangerous => "dangerous",
            Self::Safe => "safe",
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) severity: Severity,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}[{}]: {}", self.severity.name(), self.code, self.message)
    }
}

struct Changes(Vec<Change>);

impl Changes {
    fn breaking(&mut self, code: &'static str, message: String) {
        self.0.push(Change { severity: Severity::Breaking, code, message });
    }

    fn dangerous(&mut self, code: &'static str, message: String) {
        self.0.push(Change { severity: Severity::Dangerous, code, message });
    }

    fn safe(&mut self, code: &'static str, message: String) {
        self.0.push(Change { severity: Severity::Safe, code, message });
    }
}

/// Every change, the breaking ones first.
pub(super) fn between(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    let root = &old.schema_definition;
    let renamed = &new.schema_definition;
    for (kind, old, new) in [
        ("query", &root.query, &renamed.query),
        ("mutation", &root.mutation, &renamed.mutation),
        ("subscription", &root.subscription, &renamed.subscription),
    ] {
        if old.is_some() && new.is_none() {
            changes.breaking("ROOT_REMOVED", format!("there is no {kind} type any more"));
        }
    }
    for (name, ty) in old.types.iter().filter(|(_, ty)| !ty.is_built_in()) {
        match new.types.get(name) {
            Some(other) => types(&mut changes, ty, other),
            None => changes.breaking("TYPE_REMOVED", format!("type `{name}` is gone")),
        }
    }
    for name in new.types.keys().filter(|name| !old.types.contains_key(*name)) {
        changes.safe("TYPE_ADDED", format!("type `{name}` is new"));
    }
    for name in old.directive_definitions.keys().filter(|name| !new.directive_definitions.contains_key(*name))
    {
        changes.breaking("DIRECTIVE_REMOVED", format!("directive `@{name}` is gone"));
    }
    changes.0.sort_by_key(|change| change.severity);
    changes.0
}

fn types(changes: &mut Changes, old: &ExtendedType, new: &ExtendedType) {
    let name = old.name();
    match (old, new) {
        (ExtendedType::Object(old), ExtendedType::Object(new)) => {
            let interfaces =
                |all: &apollo_compiler::collections::IndexSet<apollo_compiler::schema::ComponentName>| {
                    all.iter().map(|one| one.name.to_string()).collect::<Vec<_>>()
                };
            members(
                changes,
                name,
                &interfaces(&old.implements_interfaces),
                &interfaces(&new.implements_interfaces),
                &IMPLEMENTS,
            );
            fields(changes, name, &plain(&old.fields), &plain(&new.fields));
        }
        (ExtendedType::Interface(old), ExtendedType::Interface(new)) => {
            fields(changes, name, &plain(&old.fields), &plain(&new.fields));
        }
        (ExtendedType::Union(old), ExtendedType::Union(new)) => {
            let names = |all: &apollo_compiler::collections::IndexSet<
                apollo_compiler::schema::ComponentName,
            >| { all.iter().map(|one| one.name.to_string()).collect::<Vec<_>>() };
            members(changes, name, &names(&old.members), &names(&new.members), &UNION);
        }
        (ExtendedType::Enum(old), ExtendedType::Enum(new)) => {
            let names =
                |keys: Vec<&apollo_compiler::Name>| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
            let (old, new) = (names(old.values.keys().collect()), names(new.values.keys().collect()));
            members(changes, name, &old, &new, &ENUM);
        }
        (ExtendedType::InputObject(old), ExtendedType::InputObject(new)) => {
            let old: Vec<_> = old.fields.values().map(|field| &***field).collect();
            let new: Vec<_> = new.fields.values().map(|field| &***field).collect();
            inputs(changes, &format!("`{name}."), &old, &new, &FIELDS);
        }
        (ExtendedType::Scalar(_), ExtendedType::Scalar(_)) => {}
        _ => changes.breaking("TYPE_KIND_CHANGED", format!("type `{name}` is of another kind")),
    }
}

/// Codes and words for members of a type.
struct Members {
    removed: (&'static str, &'static str),
    added: (&'static str, &'static str),
}

const IMPLEMENTS: Members = Members {
    removed: ("IMPLEMENTATION_REMOVED", "does not implement"),
    added: ("IMPLEMENTATION_ADDED", "implements"),
};
const UNION: Members =
    Members { removed: ("UNION_MEMBER_REMOVED", "cannot be"), added: ("UNION_MEMBER_ADDED", "can be") };
const ENUM: Members = Members {
    removed: ("ENUM_VALUE_REMOVED", "has no value"),
    added: ("ENUM_VALUE_ADDED", "has the new value"),
};

fn members(changes: &mut Changes, ty: &str, old: &[String], new: &[String], words: &Members) {
    for one in old.iter().filter(|one| !new.contains(one)) {
        changes.breaking(words.removed.0, format!("`{ty}` {} `{one}` any more", words.removed.1));
    }
    // A client that knows the old ones only meets what it has no case for.
    for one in new.iter().filter(|one| !old.contains(one)) {
        changes.dangerous(words.added.0, format!("`{ty}` {} `{one}`", words.added.1));
    }
}

type Fields = apollo_compiler::collections::IndexMap<
    apollo_compiler::Name,
    apollo_compiler::schema::Component<FieldDefinition>,
>;

fn plain(fields: &Fields) -> Vec<&FieldDefinition> {
    fields.values().map(|field| &***field).collect()
}

fn fields(changes: &mut Changes, ty: &str, old: &[&FieldDefinition], new: &[&FieldDefinition]) {
    for field in old {
        let place = format!("{ty}.{}", field.name);
        let Some(other) = new.iter().find(|other| other.name == field.name) else {
            changes.breaking("FIELD_REMOVED", format!("field `{place}` is gone"));
            continue;
        };
        if field.ty != other.ty {
            let message = format!("`{place}` was `{}` and is `{}`", field.ty, other.ty);
            if is_narrower(&other.ty, &field.ty) {
                changes.safe("FIELD_TYPE_CHANGED", message);
            } else {
                changes.breaking("FIELD_TYPE_CHANGED", message);
            }
        }
        let (old, new): (Vec<_>, Vec<_>) = (
            field.arguments.iter().map(|one| &**one).collect(),
            other.arguments.iter().map(|one| &**one).collect(),
        );
        inputs(changes, &format!("`{place}("), &old, &new, &ARGUMENTS);
        if field.directives.get("deprecated").is_none() && other.directives.get("deprecated").is_some() {
            changes.safe("FIELD_DEPRECATED", format!("field `{place}` is deprecated"));
        }
    }
    for field in new.iter().filter(|field| !old.iter().any(|other| other.name == field.name)) {
        changes.safe("FIELD_ADDED", format!("field `{ty}.{}` is new", field.name));
    }
}

/// Codes for what clients send.
struct Inputs {
    removed: &'static str,
    changed: &'static str,
    required: &'static str,
    added: &'static str,
    default: &'static str,
    end: &'static str,
}

const ARGUMENTS: Inputs = Inputs {
    removed: "ARGUMENT_REMOVED",
    changed: "ARGUMENT_TYPE_CHANGED",
    required: "REQUIRED_ARGUMENT_ADDED",
    added: "ARGUMENT_ADDED",
    default: "ARGUMENT_DEFAULT_CHANGED",
    end: ":)`",
};
const FIELDS: Inputs = Inputs {
    removed: "INPUT_FIELD_REMOVED",
    changed: "INPUT_FIELD_TYPE_CHANGED",
    required: "REQUIRED_INPUT_FIELD_ADDED",
    added: "INPUT_FIELD_ADDED",
    default: "INPUT_FIELD_DEFAULT_CHANGED",
    end: "`",
};

fn inputs(
    changes: &mut Changes,
    place: &str,
    old: &[&InputValueDefinition],
    new: &[&InputValueDefinition],
    codes: &Inputs,
) {
    let named = |input: &InputValueDefinition| format!("{place}{}{}", input.name, codes.end);
    for input in old {
        let Some(other) = new.iter().find(|other| other.name == input.name) else {
            changes.breaking(codes.removed, format!("{} is gone", named(input)));
            continue;
        };
        if input.ty != other.ty {
            let message = format!("{} was `{}` and is `{}`", named(input), input.ty, other.ty);
            if is_narrower(&input.ty, &other.ty) {
                changes.safe(codes.changed, message);
            } else {
                changes.breaking(codes.changed, message);
            }
        }
        if input.default_value != other.default_value {
            changes.dangerous(codes.default, format!("{} has another default", named(input)));
        }
    }
    for input in new.iter().filter(|input| !old.iter().any(|other| other.name == input.name)) {
        if input.is_required() {
            changes.breaking(codes.required, format!("{} is new and required", named(input)));
        } else {
            changes.safe(codes.added, format!("{} is new", named(input)));
        }
    }
}

/// Whether every value of `narrow` is one of `wide`: the same but for nulls that are excluded.
fn is_narrower(narrow: &Type, wide: &Type) -> bool {
    match (narrow, wide) {
        (Type::NonNullNamed(one), Type::NonNullNamed(other) | Type::Named(other))
        | (Type::Named(one), Type::Named(other)) => one == other,
        (Type::NonNullList(one), Type::NonNullList(other) | Type::List(other))
        | (Type::List(one), Type::List(other)) => is_narrower(one, other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes of what changes between two schemas, worst first.
    fn codes(old: &str, new: &str) -> Vec<&'static str> {
        let parse = |sdl: &str| Schema::parse(sdl, "schema.graphql").unwrap();
        between(&parse(old), &parse(new)).into_iter().map(|change| change.code).collect()
    }

    #[test]
    fn what_takes_away_from_clients_is_breaking() {
        let base = "type Query { a(x: Int): A } type A implements I { i: Int! l: [Int] } interface I { i: Int! } \
             union U = A | Query enum E { P Q } input N { n: Int } scalar S";
        for (old, new, code) in [
            ("l: [Int]", "", "FIELD_REMOVED"),
            ("l: [Int]", "l: Int", "FIELD_TYPE_CHANGED"),
            ("implements I ", "", "IMPLEMENTATION_REMOVED"),
            ("A | Query", "A", "UNION_MEMBER_REMOVED"),
            ("P Q", "P", "ENUM_VALUE_REMOVED"),
            ("n: Int", "m: Int", "INPUT_FIELD_REMOVED"),
            ("n: Int", "n: Int!", "INPUT_FIELD_TYPE_CHANGED"),
            ("n: Int", "n: Int m: Int!", "REQUIRED_INPUT_FIELD_ADDED"),
            ("x: Int", "y: Int", "ARGUMENT_REMOVED"),
            ("x: Int", "x: String", "ARGUMENT_TYPE_CHANGED"),
            ("x: Int", "x: Int y: Int!", "REQUIRED_ARGUMENT_ADDED"),
            ("scalar S", "", "TYPE_REMOVED"),
            ("scalar S", "enum S { T }", "TYPE_KIND_CHANGED"),
        ] {
            let changed = base.replacen(old, new, 1);
            assert_eq!(codes(base, &changed).first(), Some(&code), "{changed}");
        }
    }

    #[test]
    fn what_only_adds_is_not_breaking() {
        let old = "type Query { a(x: Int!): [Int] } enum E { P }";
        let new =
            "type Query { a(x: Int, y: Int, z: Int! = 1): [Int!]! b: Int } enum E { P Q } type T { t: Int }";
        let changes = between(&Schema::parse(old, "o").unwrap(), &Schema::parse(new, "n").unwrap());
        assert!(changes.iter().all(|change| change.severity != Severity::Breaking), "{changes:#?}");
        assert_eq!(changes[0].code, "ENUM_VALUE_ADDED");
        assert_eq!(codes(old, old), [""; 0]);
    }
}
