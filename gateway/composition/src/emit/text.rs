//! Merged types as text.

use std::fmt::Write as _;

use apollo_compiler::Name;
use apollo_compiler::ast::Value;

use super::join::{field_join, quoted, type_join};
use crate::federation::Fed;
use crate::merge::model::{MergedDirective, MergedField, MergedInput, MergedType};
use crate::model::Kind;

pub(super) fn type_block(ty: &MergedType, graphs: &[String]) -> String {
    let mut block = String::new();
    write_description(&mut block, ty.description.as_ref(), "");
    let keyword = match ty.kind {
        Kind::Scalar => "scalar",
        Kind::Object => "type",
        Kind::Interface => "interface",
        Kind::Union => "union",
        Kind::Enum => "enum",
        Kind::Input => "input",
    };
    block.push_str(keyword);
    block.push(' ');
    block.push_str(&ty.name);
    if !ty.interfaces.is_empty() {
        let names: Vec<&str> = ty.interfaces.iter().map(Name::as_str).collect();
        block.push_str(" implements ");
        block.push_str(&names.join(" & "));
    }
    for line in header_directives(ty, graphs) {
        block.push_str("\n  ");
        block.push_str(&line);
    }
    match ty.kind {
        Kind::Scalar => {}
        Kind::Union => {
            let members: Vec<&str> = ty.members.iter().map(Name::as_str).collect();
            block.push_str("\n = ");
            block.push_str(&members.join(" | "));
        }
        Kind::Object | Kind::Interface => {
            let lines =
                ty.fields.values().map(|field| (field.description.as_ref(), field_line(field, graphs)));
            write_body(&mut block, lines);
        }
        Kind::Input => {
            let lines = ty.inputs.values().map(|input| {
                let mut line = input_value(input);
                push_hidden(&mut line, &input.directives);
                for (graph, own) in &input.joins {
                    line.push_str(" @join__field(graph: ");
                    line.push_str(&graphs[*graph]);
                    if let Some(own) = own {
                        line.push_str(", type: ");
                        line.push_str(&quoted(own));
                    }
                    line.push(')');
                }
                push_shown(&mut line, &input.directives, graphs);
                (input.description.as_ref(), line)
            });
            write_body(&mut block, lines);
        }
        Kind::Enum => {
            let lines = ty.values.values().map(|value| {
                let mut line = value.name.to_string();
                push_hidden(&mut line, &value.directives);
                for graph in &value.subgraphs {
                    line.push_str(" @join__enumValue(graph: ");
                    line.push_str(&graphs[*graph]);
                    line.push(')');
                }
                push_shown(&mut line, &value.directives, graphs);
                (value.description.as_ref(), line)
            });
            write_body(&mut block, lines);
        }
    }
    block
}

fn header_directives(ty: &MergedType, graphs: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (graph, interface) in &ty.implements {
        lines.push(format!("@join__implements(graph: {}, interface: {})", graphs[*graph], quoted(interface)));
    }
    lines.extend(ty.joins.iter().map(|join| type_join(join, graphs)));
    for (graph, member) in &ty.union_members {
        lines.push(format!("@join__unionMember(graph: {}, member: {})", graphs[*graph], quoted(member)));
    }
    lines.extend(ty.directives.iter().map(|applied| directive_of(applied, graphs)));
    lines
}

fn write_body<'a>(block: &mut String, lines: impl Iterator<Item = (Option<&'a String>, String)>) {
    block.push_str("\n{\n");
    for (index, (description, line)) in lines.enumerate() {
        if description.is_some() && index > 0 {
            block.push('\n');
        }
        write_description(block, description, "  ");
        block.push_str("  ");
        block.push_str(&line);
        block.push('\n');
    }
    block.push('}');
}

fn field_line(field: &MergedField, graphs: &[String]) -> String {
    let mut line = field.name.to_string();
    if !field.arguments.is_empty() {
        let described = field.arguments.values().any(|argument| argument.description.is_some());
        if described {
            line.push_str("(\n");
            for argument in field.arguments.values() {
                write_description(&mut line, argument.description.as_ref(), "    ");
                writeln!(line, "    {}", argument_text(argument, graphs))
                    .expect("writing to a string does not fail");
            }
            line.push_str("  )");
        } else {
            let arguments: Vec<String> =
                field.arguments.values().map(|argument| argument_text(argument, graphs)).collect();
            write!(line, "({})", arguments.join(", ")).expect("writing to a string does not fail");
        }
    }
    write!(line, ": {}", field.ty).expect("writing to a string does not fail");
    push_hidden(&mut line, &field.directives);
    for join in &field.joins {
        line.push(' ');
        line.push_str(&field_join(join, graphs));
    }
    push_shown(&mut line, &field.directives, graphs);
    line
}

fn argument_text(argument: &MergedInput, graphs: &[String]) -> String {
    let mut text = input_value(argument);
    push_directives(&mut text, &argument.directives, graphs);
    text
}

fn input_value(input: &MergedInput) -> String {
    match &input.default {
        Some(default) => format!("{}: {} = {}", input.name, input.ty, value(default)),
        None => format!("{}: {}", input.name, input.ty),
    }
}

/// `@inaccessible` stands before the joins, where readers look first.
fn push_hidden(line: &mut String, directives: &[MergedDirective]) {
    for applied in directives.iter().filter(|applied| applied.fed == Some(Fed::Inaccessible)) {
        line.push(' ');
        line.push_str(&directive(applied));
    }
}

fn push_shown(line: &mut String, directives: &[MergedDirective], graphs: &[String]) {
    let shown: Vec<MergedDirective> =
        directives.iter().filter(|applied| applied.fed != Some(Fed::Inaccessible)).cloned().collect();
    push_directives(line, &shown, graphs);
}

fn push_directives(line: &mut String, directives: &[MergedDirective], graphs: &[String]) {
    for applied in directives {
        line.push(' ');
        line.push_str(&directive_of(applied, graphs));
    }
}

fn directive_of(applied: &MergedDirective, graphs: &[String]) -> String {
    if applied.joined.is_empty() {
        return directive(applied);
    }
    let graphs: Vec<&str> = applied.joined.iter().map(|index| graphs[*index].as_str()).collect();
    let arguments: Vec<String> =
        applied.arguments.iter().map(|(name, given)| format!("{name}: {}", value(given))).collect();
    format!(
        "@join__directive(graphs: [{}], name: {}, args: {{{}}})",
        graphs.join(", "),
        quoted(&applied.name),
        arguments.join(", ")
    )
}

pub(super) fn directive(applied: &MergedDirective) -> String {
    if applied.arguments.is_empty() {
        return format!("@{}", applied.name);
    }
    let arguments: Vec<String> =
        applied.arguments.iter().map(|(name, given)| format!("{name}: {}", value(given))).collect();
    format!("@{}({})", applied.name, arguments.join(", "))
}

/// A literal on one line.
fn value(given: &Value) -> String {
    match given {
        Value::String(text) => quoted(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| value(item)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(name, entry)| format!("{name}: {}", value(entry))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.serialize().no_indent().to_string(),
    }
}

/// A block string above the element.
pub(super) fn write_description(out: &mut String, description: Option<&String>, indent: &str) {
    let Some(text) = description else { return };
    let escaped = text.replace("\"\"\"", "\\\"\"\"");
    let single = !escaped.contains('\n') && !escaped.ends_with(['"', '\\']) && escaped.trim() == escaped;
    if single {
        writeln!(out, "{indent}\"\"\"{escaped}\"\"\"").expect("writing to a string does not fail");
        return;
    }
    writeln!(out, "{indent}\"\"\"").expect("writing to a string does not fail");
    for line in escaped.lines() {
        let padded = if line.is_empty() { String::new() } else { format!("{indent}{line}") };
        writeln!(out, "{padded}").expect("writing to a string does not fail");
    }
    writeln!(out, "{indent}\"\"\"").expect("writing to a string does not fail");
}
