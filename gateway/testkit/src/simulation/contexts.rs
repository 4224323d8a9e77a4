//! `@fromContext` in a simulation: what an argument takes from above, by the oracle's knowledge, is part of the place of
//! a field's value. A subgraph that is given anything else answers with another value.
//!
//! Elsewhere: the values (`universe.rs`), who asks for them (`strict.rs`, `monolith.rs`).

use std::collections::HashMap;
use std::rc::Rc;

use apollo_compiler::schema::FieldDefinition;
use serde_json::{Map, Value as Json};

use super::federation::{FieldSet, SetItem, Subgraph};
use super::universe::{Thing, Universe, Value};

/// An argument that clients do not see.
#[derive(Debug)]
struct Argument {
    name: String,
    /// The types that set its context.
    setters: Vec<String>,
    selection: FieldSet,
}

/// All such arguments, by type and field.
#[derive(Debug, Default)]
pub(crate) struct Contexts(HashMap<(String, String), Vec<Argument>>);

/// The objects above one, nearest first.
#[derive(Debug)]
pub(crate) struct Above {
    pub(crate) thing: Thing,
    pub(crate) next: Option<Rc<Above>>,
}

impl Contexts {
    pub(crate) fn of(subgraphs: &[Subgraph]) -> Self {
        let mut found = Self::default();
        for subgraph in subgraphs {
            for (ty, fields) in subgraph.composites() {
                for field in fields {
                    let arguments = arguments_of(subgraph, field);
                    if !arguments.is_empty() {
                        let place = (subgraph.canonical(ty).to_owned(), field.name.to_string());
                        found.0.insert(place, arguments);
                    }
                }
            }
        }
        found
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is selected of which types.
    pub(crate) fn selected(&self) -> Vec<(String, FieldSet)> {
        let all = self.0.values().flatten();
        all.flat_map(|argument| {
            argument.setters.iter().map(|setter| (setter.clone(), argument.selection.clone()))
        })
        .collect()
    }

    /// What a subgraph was given, as part of a value's place; an error when something is missing.
    pub(crate) fn given(&self, ty: &str, field: &str, given: &Map<String, Json>) -> Result<String, String> {
        self.text(ty, field, |argument| {
            let value = given.get(&argument.name).cloned();
            value.ok_or_else(|| format!("{ty}.{field} is asked without {}", argument.name))
        })
    }

    /// What the objects above give, as part of a value's place.
    pub(crate) fn taken(&self, universe: &Universe, ty: &str, field: &str, above: Option<&Above>) -> String {
        let taken = self.text(ty, field, |argument| Ok(from_above(universe, argument, above)));
        taken.unwrap_or_default()
    }

    fn text(
        &self,
        ty: &str,
        field: &str,
        value: impl Fn(&Argument) -> Result<Json, String>,
    ) -> Result<String, String> {
        let arguments = self.0.get(&(ty.to_owned(), field.to_owned()));
        let each = |argument: &Argument| Ok(format!("({}<-{})", argument.name, value(argument)?));
        arguments.into_iter().flatten().map(each).collect()
    }
}

fn arguments_of(subgraph: &Subgraph, field: &FieldDefinition) -> Vec<Argument> {
    let read = |argument: &apollo_compiler::ast::InputValueDefinition| {
        let text = subgraph.context_named_by(argument)?;
        let rest = text.trim().strip_prefix('$')?;
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (context, selection) = (&rest[..end], rest[end..].trim());
        let within = selection.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        let setters = subgraph.types_with_context(context);
        Some(Argument {
            name: argument.name.to_string(),
            setters: setters.into_iter().map(|ty| subgraph.canonical(&ty).to_owned()).collect(),
            selection: FieldSet::parse(within.unwrap_or(selection)),
        })
    };
    field.arguments.iter().filter_map(|argument| read(argument)).collect()
}

/// The value that the nearest object gives which sets the context.
fn from_above(universe: &Universe, argument: &Argument, above: Option<&Above>) -> Json {
    let mut here = above;
    while let Some(Above { thing, next }) = here {
        if argument.setters.iter().any(|setter| universe.is_a(&thing.ty, setter)) {
            return selected(universe, thing, &argument.selection);
        }
        here = next.as_deref();
    }
    panic!("composition lets no {} be without its context", argument.name);
}

fn selected(universe: &Universe, thing: &Thing, set: &FieldSet) -> Json {
    // A set without fields was one of `__typename`.
    if set.0.is_empty() {
        return thing.ty.as_str().into();
    }
    first(universe, thing, set).unwrap_or_default()
}

fn first(universe: &Universe, thing: &Thing, set: &FieldSet) -> Option<Json> {
    set.0.iter().find_map(|item| match item {
        SetItem::On { condition, below } => {
            let applies = condition.is_empty() || universe.is_a(&thing.ty, condition);
            applies.then(|| first(universe, thing, below)).flatten()
        }
        SetItem::Field { name, arguments, below } => {
            let arguments = universe.arguments(&thing.ty, name, arguments);
            Some(of_value(universe, &universe.value(thing, name, &arguments), below))
        }
    })
}

fn of_value(universe: &Universe, value: &Value, below: &FieldSet) -> Json {
    match value {
        Value::Null | Value::Failed(_) => Json::Null,
        Value::Leaf(json) => json.clone(),
        Value::Object(thing) => selected(universe, thing, below),
        Value::List(items) => items.iter().map(|item| of_value(universe, item, below)).collect(),
    }
}
