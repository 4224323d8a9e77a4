//! The join machinery: its definitions, the names of the subgraphs, and its applications as text.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::merge::Merged;
use crate::merge::model::{FieldJoin, TypeJoin};
use crate::model::SubgraphSchema;

/// Definitions every supergraph carries: name and the rest.
pub(super) const DIRECTIVES: &[(&str, &str)] = &[
    (
        "join__directive",
        "(graphs: [join__Graph!], name: String!, args: join__DirectiveArguments) repeatable on SCHEMA | OBJECT | INTERFACE | FIELD_DEFINITION",
    ),
    ("join__enumValue", "(graph: join__Graph!) repeatable on ENUM_VALUE"),
    (
        "join__field",
        "(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean, overrideLabel: String, contextArguments: [join__ContextArgument!]) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION",
    ),
    ("join__graph", "(name: String!, url: String!) on ENUM_VALUE"),
    ("join__implements", "(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE"),
    (
        "join__type",
        "(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR",
    ),
    ("join__unionMember", "(graph: join__Graph!, member: String!) repeatable on UNION"),
    ("link", "(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA"),
];

const CONTEXT_ARGUMENT: &str = "input join__ContextArgument {\n  name: String!\n  type: String!\n  context: String!\n  \
    selection: join__FieldValue!\n}";

const PURPOSE: &str = "enum link__Purpose {\n  \"\"\"\n  `SECURITY` features provide metadata necessary to securely \
    resolve fields.\n  \"\"\"\n  SECURITY\n\n  \"\"\"\n  `EXECUTION` features provide metadata necessary for operation \
    execution.\n  \"\"\"\n  EXECUTION\n}";

/// Enum values for the subgraphs: upper case, letters and digits, never twice.
pub(super) fn graph_names(schemas: &[SubgraphSchema]) -> Vec<String> {
    let bases: Vec<String> = schemas.iter().map(|schema| graph_name(&schema.name)).collect();
    let mut taken: HashSet<String> = HashSet::new();
    bases
        .iter()
        .map(|base| {
            let shared = bases.iter().filter(|other| *other == base).count() > 1;
            let mut number = 1;
            let mut name = if shared { format!("{base}_1") } else { base.clone() };
            while !taken.insert(name.clone()) {
                number += 1;
                name = format!("{base}_{number}");
            }
            name
        })
        .collect()
}

fn graph_name(subgraph: &str) -> String {
    let mut name: String = subgraph
        .trim()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' })
        .collect();
    if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        name.insert(0, '_');
    }
    // A trailing number would look like the mark of a repeated name.
    if name
        .rsplit_once('_')
        .is_some_and(|(_, tail)| !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit()))
    {
        name.push('_');
    }
    name
}

pub(super) fn support_types(
    merged: &Merged,
    schemas: &[SubgraphSchema],
    graphs: &[String],
) -> Vec<(String, String)> {
    let mut values = String::new();
    for (schema, graph) in schemas.iter().zip(graphs) {
        writeln!(
            values,
            "  {graph} @join__graph(name: {}, url: {})",
            quoted(&schema.name),
            quoted(&schema.url)
        )
        .expect("writing to a string does not fail");
    }
    let mut types = vec![
        ("join__ContextArgument".to_owned(), CONTEXT_ARGUMENT.to_owned()),
        ("join__Graph".to_owned(), format!("enum join__Graph {{\n{values}}}")),
        ("link__Purpose".to_owned(), PURPOSE.to_owned()),
    ];
    let scalars = ["join__DirectiveArguments", "join__FieldSet", "join__FieldValue", "link__Import"];
    let scalars = scalars.into_iter().chain(merged.support_scalars.iter().map(String::as_str));
    types.extend(scalars.map(|name| (name.to_owned(), format!("scalar {name}"))));
    types
}

pub(super) fn type_join(join: &TypeJoin, graphs: &[String]) -> String {
    let mut text = format!("@join__type(graph: {}", graphs[join.subgraph]);
    if let Some(key) = &join.key {
        text.push_str(", key: ");
        text.push_str(&quoted(key));
    }
    for (set, argument) in [
        (join.extension, "extension: true"),
        (!join.resolvable, "resolvable: false"),
        (join.interface_object, "isInterfaceObject: true"),
    ] {
        if set {
            text.push_str(", ");
            text.push_str(argument);
        }
    }
    text.push(')');
    text
}

pub(super) fn field_join(join: &FieldJoin, graphs: &[String]) -> String {
    let mut arguments: Vec<String> = Vec::new();
    if let Some(subgraph) = join.subgraph {
        arguments.push(format!("graph: {}", graphs[subgraph]));
    }
    let texts = [("requires", &join.requires), ("provides", &join.provides), ("type", &join.ty)];
    for (name, value) in texts {
        if let Some(value) = value {
            arguments.push(format!("{name}: {}", quoted(value)));
        }
    }
    if join.external {
        arguments.push("external: true".to_owned());
    }
    if let Some(from) = &join.overrides {
        arguments.push(format!("override: {}", quoted(from)));
    }
    if join.used_overridden {
        arguments.push("usedOverridden: true".to_owned());
    }
    if let Some(label) = &join.override_label {
        arguments.push(format!("overrideLabel: {}", quoted(label)));
    }
    if !join.context_arguments.is_empty() {
        let items: Vec<String> = join
            .context_arguments
            .iter()
            .map(|argument| {
                format!(
                    "{{context: {}, name: {}, type: {}, selection: {}}}",
                    quoted(&argument.context),
                    quoted(&argument.name),
                    quoted(&argument.ty.to_string()),
                    quoted(&argument.selection)
                )
            })
            .collect();
        arguments.push(format!("contextArguments: [{}]", items.join(", ")));
    }
    if arguments.is_empty() {
        "@join__field".to_owned()
    } else {
        format!("@join__field({})", arguments.join(", "))
    }
}

/// A GraphQL string literal.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                write!(out, "\\u{:04X}", u32::from(control)).expect("writing to a string does not fail");
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
