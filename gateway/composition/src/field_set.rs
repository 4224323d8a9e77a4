//! The field sets of `@key`, `@requires`, `@provides` and context selections: syntax only.
//!
//! Elsewhere: whether the fields exist and may be used so (`validate/field_sets.rs`).

use std::fmt::{self, Write as _};

use apollo_compiler::Name;
use apollo_compiler::ast::{self, Definition, Document, Value};

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct FieldSet {
    pub(crate) selections: Vec<Selection>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Selection {
    Field(FieldSelection),
    Fragment { condition: Option<Name>, selections: Vec<Selection>, directives: Vec<Name> },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FieldSelection {
    pub(crate) name: Name,
    pub(crate) aliased: bool,
    /// Names of directives, which no field set may have.
    pub(crate) directives: Vec<Name>,
    pub(crate) arguments: Vec<(Name, Value)>,
    pub(crate) selections: Vec<Selection>,
}

impl FieldSet {
    /// Parses the text of a `fields` argument; the outer braces are optional.
    ///
    /// # Errors
    /// The parser's first complaint.
    pub(crate) fn parse(text: &str) -> Result<FieldSet, String> {
        if let Some(selections) = plain(text) {
            return Ok(FieldSet { selections });
        }
        let trimmed = text.trim();
        let braced = if trimmed.starts_with('{') { trimmed.to_owned() } else { format!("{{{trimmed}\n}}") };
        let document = Document::parse(braced, "field set").map_err(|failed| {
            failed
                .errors
                .iter()
                .next()
                .map_or_else(|| "syntax error".to_owned(), |error| error.unstable_to_json_compat().message)
        })?;
        let [Definition::OperationDefinition(operation)] = document.definitions.as_slice() else {
            return Err("expected one set of fields".to_owned());
        };
        if operation.name.is_some() || !operation.variables.is_empty() {
            return Err("expected a set of fields, not an operation".to_owned());
        }
        Ok(FieldSet { selections: convert(&operation.selection_set)? })
    }
}

/// The selections of a text that holds nothing but field names, as most keys do; a parser would be long about it.
fn plain(text: &str) -> Option<Vec<Selection>> {
    if text.is_empty()
        || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b' ')
    {
        return None;
    }
    let fields: Option<Vec<Selection>> = text
        .split(' ')
        .filter(|name| !name.is_empty())
        .map(|name| {
            let name = Name::new(name).ok()?;
            let selections = Vec::new();
            let field = FieldSelection {
                name,
                aliased: false,
                directives: Vec::new(),
                arguments: Vec::new(),
                selections,
            };
            Some(Selection::Field(field))
        })
        .collect();
    fields.filter(|fields| !fields.is_empty())
}

fn convert(selections: &[ast::Selection]) -> Result<Vec<Selection>, String> {
    selections
        .iter()
        .map(|selection| match selection {
            ast::Selection::Field(field) => Ok(Selection::Field(FieldSelection {
                name: field.name.clone(),
                aliased: field.alias.is_some(),
                directives: names(&field.directives),
                arguments: field
                    .arguments
                    .iter()
                    .map(|argument| (argument.name.clone(), argument.value.as_ref().clone()))
                    .collect(),
                selections: convert(&field.selection_set)?,
            })),
            ast::Selection::InlineFragment(fragment) => Ok(Selection::Fragment {
                condition: fragment.type_condition.clone(),
                selections: convert(&fragment.selection_set)?,
                directives: names(&fragment.directives),
            }),
            ast::Selection::FragmentSpread(spread) => {
                Err(format!("unknown fragment \"{}\"", spread.fragment_name))
            }
        })
        .collect()
}

fn names(directives: &ast::DirectiveList) -> Vec<Name> {
    directives.iter().map(|directive| directive.name.clone()).collect()
}

/// Writes selections on one line, with single spaces.
pub(crate) fn print(selections: &[Selection]) -> String {
    let mut out = String::new();
    write_selections(&mut out, selections).expect("writing to a string does not fail");
    out
}

fn write_selections(out: &mut String, selections: &[Selection]) -> fmt::Result {
    for (index, selection) in selections.iter().enumerate() {
        if index > 0 {
            out.write_char(' ')?;
        }
        match selection {
            Selection::Field(field) => {
                out.write_str(&field.name)?;
                if !field.arguments.is_empty() {
                    let arguments: Vec<String> =
                        field.arguments.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                    write!(out, "({})", arguments.join(", "))?;
                }
                write_nested(out, &field.selections)?;
            }
            Selection::Fragment { condition, selections, .. } => {
                out.write_str("...")?;
                if let Some(condition) = condition {
                    write!(out, " on {condition}")?;
                }
                write_nested(out, selections)?;
            }
        }
    }
    Ok(())
}

fn write_nested(out: &mut String, selections: &[Selection]) -> fmt::Result {
    if selections.is_empty() {
        return Ok(());
    }
    out.write_str(" { ")?;
    write_selections(out, selections)?;
    out.write_str(" }")
}
