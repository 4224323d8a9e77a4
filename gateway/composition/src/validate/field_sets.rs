//! `@key`, `@provides` and `@requires`: their field sets must parse, exist and be of the right sort.
//!
//! Out: `keys`, `provides` and `requires` of the model. An application that cannot be parsed is left out.
//! Federation 1 is forgiving: what it ignores is ignored here.

use apollo_compiler::Name;
use apollo_compiler::ast::Value;

use crate::federation::Fed;
use crate::field_set::{FieldSelection, FieldSet, Selection};
use crate::ingest::Problems;
use crate::model::{Applied, FieldDef, FieldSetUse, Key, Kind, SubgraphSchema, TypeDef, Version};

/// The codes of one directive's complaints.
struct Codes {
    directive: Fed,
    fields_type: &'static str,
    invalid: &'static str,
    has_args: Option<&'static str>,
    missing_external: Option<&'static str>,
    directive_in_fields: &'static str,
}

const KEY: Codes = Codes {
    directive: Fed::Key,
    fields_type: "KEY_INVALID_FIELDS_TYPE",
    invalid: "KEY_INVALID_FIELDS",
    has_args: Some("KEY_FIELDS_HAS_ARGS"),
    missing_external: None,
    directive_in_fields: "KEY_DIRECTIVE_IN_FIELDS_ARG",
};
const PROVIDES: Codes = Codes {
    directive: Fed::Provides,
    fields_type: "PROVIDES_INVALID_FIELDS_TYPE",
    invalid: "PROVIDES_INVALID_FIELDS",
    has_args: Some("PROVIDES_FIELDS_HAS_ARGS"),
    missing_external: Some("PROVIDES_FIELDS_MISSING_EXTERNAL"),
    directive_in_fields: "PROVIDES_DIRECTIVE_IN_FIELDS_ARG",
};
const REQUIRES: Codes = Codes {
    directive: Fed::Requires,
    fields_type: "REQUIRES_INVALID_FIELDS_TYPE",
    invalid: "REQUIRES_INVALID_FIELDS",
    has_args: None,
    missing_external: Some("REQUIRES_FIELDS_MISSING_EXTERNAL"),
    directive_in_fields: "REQUIRES_DIRECTIVE_IN_FIELDS_ARG",
};

/// A complaint: code and text.
type Complaint = (&'static str, String);

struct Checker<'a> {
    schema: &'a SubgraphSchema,
    codes: &'a Codes,
    complaints: Vec<Complaint>,
}

pub(super) fn keys(schema: &mut SubgraphSchema, problems: &mut Problems) {
    let mut parsed: Vec<(Name, Vec<Key>)> = Vec::new();
    for ty in schema.types.values() {
        let mut keys = Vec::new();
        for applied in ty.directives.iter().filter(|applied| applied.is(Fed::Key)) {
            if ty.kind == Kind::Interface {
                match schema.version {
                    Version::One => continue,
                    Version::Two(minor) if minor < 3 => {
                        problems.add(
                            "KEY_UNSUPPORTED_ON_INTERFACE",
                            format!(
                                "cannot use @key on interface \"{}\": it needs federation 2.3 or newer",
                                ty.name
                            ),
                            applied.place,
                        );
                    }
                    Version::Two(_) => {}
                }
            }
            let coordinate = format!("type \"{}\"", ty.name);
            if let Some((text, fields)) = check(schema, &KEY, &ty.name, applied, &coordinate, problems) {
                let resolvable = !matches!(applied.argument("resolvable"), Some(Value::Boolean(false)));
                let key = Key {
                    text,
                    fields,
                    resolvable,
                    place: applied.place,
                    on_extension: applied.on_extension,
                };
                keys.push(key);
            }
        }
        if ty.kind == Kind::Interface {
            check_interface_keys(schema, ty, &keys, problems);
        }
        if !keys.is_empty() {
            parsed.push((ty.name.clone(), keys));
        }
    }
    for (name, keys) in parsed {
        if let Some(ty) = schema.types.get_mut(&name) {
            ty.keys = keys;
        }
    }
}

/// An entity interface promises its keys for every implementation of the subgraph.
fn check_interface_keys(schema: &SubgraphSchema, interface: &TypeDef, keys: &[Key], problems: &mut Problems) {
    for key in keys {
        for name in schema.runtime_types(&interface.name) {
            let Some(implementation) = schema.types.get(&name) else { continue };
            let same =
                implementation.directives.iter().filter(|applied| applied.is(Fed::Key)).find(|applied| {
                    applied
                        .text("fields")
                        .and_then(|text| FieldSet::parse(text).ok())
                        .is_some_and(|fields| same_fields(&fields.selections, &key.fields.selections))
                });
            let problem = match same {
                None => "is missing on",
                Some(applied)
                    if key.resolvable
                        && matches!(applied.argument("resolvable"), Some(Value::Boolean(false))) =>
                {
                    "should be resolvable on"
                }
                Some(_) => continue,
            };
            problems.add(
                "INTERFACE_KEY_NOT_ON_IMPLEMENTATION",
                format!(
                    "key \"{}\" of interface \"{}\" {problem} its implementation \"{name}\"",
                    key.text, interface.name
                ),
                key.place,
            );
        }
    }
}

fn same_fields(left: &[Selection], right: &[Selection]) -> bool {
    left.len() == right.len()
        && left.iter().all(|one| {
            right.iter().any(|other| match (one, other) {
                (Selection::Field(a), Selection::Field(b)) => {
                    a.name == b.name && same_fields(&a.selections, &b.selections)
                }
                (
                    Selection::Fragment { condition: a, selections: inner_a, .. },
                    Selection::Fragment { condition: b, selections: inner_b, .. },
                ) => a == b && same_fields(inner_a, inner_b),
                _ => false,
            })
        })
}

pub(super) fn provides(schema: &mut SubgraphSchema, problems: &mut Problems) {
    let found = field_uses(
        schema,
        problems,
        &PROVIDES,
        "PROVIDES_UNSUPPORTED_ON_INTERFACE",
        |schema, ty, field, applied, problems| {
            let base = field.ty.inner_named_type();
            if schema.kind_of(base).is_none_or(|kind| !kind.is_composite()) {
                if !schema.version.is_one() {
                    problems.add(
                        "PROVIDES_ON_NON_OBJECT_FIELD",
                        format!(
                            "invalid @provides on field \"{}.{}\": its type \"{}\" is not a composite type",
                            ty.name, field.name, field.ty
                        ),
                        applied.place,
                    );
                }
                return None;
            }
            Some(base.clone())
        },
    );
    for (ty, field, used) in found {
        if let Some(field) = schema.field_mut(&ty, &field) {
            field.provides = Some(used);
        }
    }
}

pub(super) fn requires(schema: &mut SubgraphSchema, problems: &mut Problems) {
    let found =
        field_uses(schema, problems, &REQUIRES, "REQUIRES_UNSUPPORTED_ON_INTERFACE", |_, ty, _, _, _| {
            Some(ty.name.clone())
        });
    for (ty, field, used) in found {
        if let Some(field) = schema.field_mut(&ty, &field) {
            field.requires = Some(used);
        }
    }
}

/// Parses one directive on all fields; `parent` names the type its field set is about.
fn field_uses(
    schema: &SubgraphSchema,
    problems: &mut Problems,
    codes: &Codes,
    on_interface: &'static str,
    parent: impl Fn(&SubgraphSchema, &TypeDef, &FieldDef, &Applied, &mut Problems) -> Option<Name>,
) -> Vec<(Name, Name, FieldSetUse)> {
    let mut found = Vec::new();
    for ty in schema.types.values() {
        for field in ty.fields.values() {
            for applied in field.directives.iter().filter(|applied| applied.is(codes.directive)) {
                let coordinate = format!("field \"{}.{}\"", ty.name, field.name);
                if ty.kind == Kind::Interface && schema.version.is_one() {
                    continue;
                }
                let Some(parent) = parent(schema, ty, field, applied, problems) else { continue };
                if ty.kind == Kind::Interface {
                    let message = format!(
                        "cannot use @{} on {coordinate}: it is not supported on interfaces",
                        codes.directive.name()
                    );
                    problems.add(on_interface, message, applied.place);
                }
                if let Some((text, fields)) = check(schema, codes, &parent, applied, &coordinate, problems) {
                    found.push((ty.name.clone(), field.name.clone(), FieldSetUse { text, fields }));
                }
            }
        }
    }
    found
}

/// Parses and checks one application; `None` when it cannot be parsed. Wrong field sets still count as uses of fields.
fn check(
    schema: &SubgraphSchema,
    codes: &Codes,
    parent: &Name,
    applied: &Applied,
    coordinate: &str,
    problems: &mut Problems,
) -> Option<(String, FieldSet)> {
    let mut complain = |(code, message): Complaint| {
        let directive = codes.directive.name();
        problems.add(code, format!("on {coordinate}, for @{directive}: {message}"), applied.place);
    };
    let Some(text) = fields_text(applied, schema.version) else {
        complain((codes.fields_type, "the value of \"fields\" must be a string".to_owned()));
        return None;
    };
    let fields = match FieldSet::parse(&text) {
        Ok(fields) => fields,
        Err(message) => {
            complain((codes.invalid, format!("\"{text}\" cannot be parsed: {message}")));
            return None;
        }
    };
    let mut checker = Checker { schema, codes, complaints: Vec::new() };
    checker.selections(parent, &fields.selections, false);
    checker.complaints.into_iter().for_each(complain);
    Some((text, fields))
}

/// Federation 1 servers printed lists and bare names too.
fn fields_text(applied: &Applied, version: Version) -> Option<String> {
    match applied.argument("fields")? {
        Value::String(text) => Some(text.clone()),
        Value::Enum(name) if version.is_one() => Some(name.to_string()),
        Value::List(items) if version.is_one() => {
            let texts: Option<Vec<&str>> = items.iter().map(|item| item.as_str()).collect();
            texts.map(|texts| texts.join(" "))
        }
        _ => None,
    }
}

impl Checker<'_> {
    fn complain(&mut self, code: &'static str, message: String) {
        self.complaints.push((code, message));
    }

    fn selections(&mut self, parent: &Name, selections: &[Selection], external_above: bool) {
        for selection in selections {
            match selection {
                Selection::Fragment { condition, selections, directives } => {
                    self.refuse_directives(directives);
                    let target = condition.as_ref().unwrap_or(parent);
                    if self.fragment_is_possible(parent, target) {
                        self.selections(&target.clone(), selections, external_above);
                    }
                }
                Selection::Field(field) => self.field(parent, field, external_above),
            }
        }
    }

    fn refuse_directives(&mut self, directives: &[Name]) {
        for name in directives {
            let known = ["skip", "include", "deprecated"].contains(&name.as_str())
                || self.schema.definitions.contains_key(name)
                || self.schema.local_names.values().any(|local| name == local.as_str());
            if known {
                let message = format!("directives are not allowed in the field set: \"@{name}\"");
                self.complain(self.codes.directive_in_fields, message);
            } else {
                self.complain(self.codes.invalid, format!("unknown directive \"@{name}\""));
            }
        }
    }

    fn fragment_is_possible(&mut self, parent: &Name, target: &Name) -> bool {
        if self.schema.kind_of(target).is_none_or(|kind| !kind.is_composite()) {
            self.complain(
                self.codes.invalid,
                format!("unknown or non-composite type \"{target}\" in a fragment"),
            );
            return false;
        }
        let (ours, theirs) = (self.schema.runtime_types(parent), self.schema.runtime_types(target));
        let possible = parent == target || ours.iter().any(|name| theirs.contains(name));
        if !possible {
            self.complain(self.codes.invalid, format!("\"{parent}\" can never be a \"{target}\""));
        }
        possible
    }

    fn field(&mut self, parent: &Name, field: &FieldSelection, external_above: bool) {
        if field.name == "__typename" {
            return;
        }
        let Some(definition) = self.schema.field(parent, &field.name) else {
            self.complain(
                self.codes.invalid,
                format!("cannot query field \"{}\" on type \"{parent}\"", field.name),
            );
            return;
        };
        if field.aliased {
            self.complain(
                self.codes.invalid,
                format!("cannot use an alias for field \"{parent}.{}\"", field.name),
            );
        }
        self.refuse_directives(&field.directives);
        self.arguments(parent, field, definition);
        let external = definition.facts.external();
        let inner = definition.ty.inner_named_type();
        let kind = self.schema.kind_of(inner);
        let composite = kind.is_some_and(Kind::is_composite);
        if self.codes.directive == Fed::Key && matches!(kind, Some(Kind::Interface | Kind::Union)) {
            self.complain(
                "KEY_FIELDS_SELECT_INVALID_TYPE",
                format!(
                    "field \"{parent}.{}\" has an interface or union type, which is not allowed",
                    field.name
                ),
            );
            return;
        }
        if composite == field.selections.is_empty() {
            let message = if composite {
                format!("field \"{parent}.{}\" needs a selection of subfields", field.name)
            } else {
                format!("field \"{parent}.{}\" cannot have a selection of subfields", field.name)
            };
            self.complain(self.codes.invalid, message);
            return;
        }
        if !composite && !external && !external_above {
            self.leaf_must_be_external(parent, field);
        }
        let below = external_above || external || self.some_implementation_external(parent, &field.name);
        self.selections(&inner.clone(), &field.selections, below);
    }

    fn arguments(&mut self, parent: &Name, field: &FieldSelection, definition: &FieldDef) {
        match self.codes.has_args {
            Some(code) if !definition.arguments.is_empty() => {
                self.complain(
                    code,
                    format!("field \"{parent}.{}\" has arguments, which is not supported", field.name),
                );
            }
            _ => {
                for (name, _) in &field.arguments {
                    if !definition.arguments.contains_key(name) {
                        self.complain(
                            self.codes.invalid,
                            format!("unknown argument \"{name}\" of field \"{parent}.{}\"", field.name),
                        );
                    }
                }
                for argument in definition.arguments.values() {
                    let given = field.arguments.iter().any(|(name, _)| *name == argument.name);
                    if !given && argument.ty.is_non_null() && argument.default.is_none() {
                        self.complain(
                            self.codes.invalid,
                            format!(
                                "missing argument \"{}\" of field \"{parent}.{}\"",
                                argument.name, field.name
                            ),
                        );
                    }
                }
            }
        }
    }

    fn leaf_must_be_external(&mut self, parent: &Name, field: &FieldSelection) {
        let Some(code) = self.codes.missing_external else { return };
        // Federation 1 says nothing when the subgraph has the field itself.
        if self.schema.version.is_one() || self.some_implementation_external(parent, &field.name) {
            return;
        }
        self.complain(code, format!("field \"{parent}.{}\" should be marked @external", field.name));
    }

    fn some_implementation_external(&self, parent: &Name, field: &str) -> bool {
        self.schema.kind_of(parent) == Some(Kind::Interface)
            && self
                .schema
                .runtime_types(parent)
                .iter()
                .any(|name| self.schema.field(name, field).is_some_and(|field| field.facts.external()))
    }
}
