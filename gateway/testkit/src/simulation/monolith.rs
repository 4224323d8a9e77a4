//! The oracle: one server that runs a client's operation on the API schema over all data.
//!
//! Elsewhere: the data (`universe.rs`), what the gateway's answer is compared for (`compare.rs`).

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::Type;
use apollo_compiler::resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use serde_json::Value as Json;

use super::contexts::Above;
use super::strict::{leaf, unfit};
use super::universe::{Thing, Universe, Value};

/// What an operation must give.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// The text of `data`.
    pub data: String,
    /// The paths of the errors, as JSON.
    pub errors: Vec<Json>,
    /// Whether values occurred that clients must not see: it is free whether their nulls are errors.
    pub has_hidden: bool,
}

/// Runs an operation on all data: one answer, or one for each event of a stream.
///
/// # Errors
/// The message, when variables do not fit.
pub(crate) fn run(
    universe: &Arc<Universe>,
    document: &Valid<ExecutableDocument>,
    variables: &JsonMap,
) -> Result<Vec<Expected>, String> {
    let operation = document.operations.get(None).map_err(|error| error.message().to_string())?;
    let roots = universe.roots(operation.operation_type).into_iter();
    roots.map(|root| answer(universe, document, variables, root)).collect()
}

fn answer(
    universe: &Arc<Universe>,
    document: &Valid<ExecutableDocument>,
    variables: &JsonMap,
    thing: Thing,
) -> Result<Expected, String> {
    let hidden = AtomicBool::new(false);
    let root = Object { universe, hidden: &hidden, thing, above: None };
    let response = Execution::new(&universe.api, document)
        .raw_variable_values(variables)
        .execute_sync(&root)
        .map_err(|error| error.message().to_string())?;
    let path = |error: &apollo_compiler::response::GraphQLError| {
        serde_json::to_value(&error.path).unwrap_or_default()
    };
    Ok(Expected {
        data: serde_json::to_string(&response.data).expect("data is JSON"),
        errors: response.errors.iter().map(path).collect(),
        has_hidden: hidden.into_inner(),
    })
}

struct Object<'u> {
    universe: &'u Arc<Universe>,
    hidden: &'u AtomicBool,
    thing: Thing,
    above: Option<Rc<Above>>,
}

impl ObjectValue for Object<'_> {
    fn type_name(&self) -> &str {
        &self.thing.ty
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let arguments = serde_json::to_value(info.arguments()).unwrap_or_default();
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let arguments = self.universe.arguments(&self.thing.ty, info.field_name(), &arguments);
        let (contexts, name) = (&self.universe.contexts, info.field_name());
        let arguments =
            arguments + &contexts.taken(self.universe, &self.thing.ty, name, self.above.as_deref());
        let value = self.universe.value(&self.thing, info.field_name(), &arguments);
        let ty = &info.field_definition().ty;
        // The field may be asked on an interface where it may be null; what counts is the object's own field.
        let own = self.universe.api.type_field(&self.thing.ty, name).ok();
        if own.is_some_and(|own| own.ty.is_non_null()) && self.is_null(&value, ty) {
            return Err(FieldError { message: format!("{name} is null") });
        }
        self.resolved(value, ty)
    }
}

impl<'u> Object<'u> {
    /// What stands above the objects in this one's fields, as far as anything depends on it.
    fn below(&self) -> Option<Rc<Above>> {
        let matters = !self.universe.contexts.is_empty();
        matters.then(|| Rc::new(Above { thing: self.thing.clone(), next: self.above.clone() }))
    }

    /// Whether a client gets null for a value; notes when that is so because the value is hidden.
    fn is_null(&self, value: &Value, ty: &Type) -> bool {
        let api = &self.universe.api;
        let is_hidden = match value {
            Value::Null => return true,
            Value::Leaf(json) => api
                .get_enum(ty.inner_named_type())
                .is_some_and(|found| json.as_str().is_none_or(|name| !found.values.contains_key(name))),
            Value::Object(thing) => api.get_object(&thing.ty).is_none(),
            Value::List(_) | Value::Failed(_) => false,
        };
        if is_hidden {
            self.hidden.store(true, Ordering::Relaxed);
        }
        is_hidden
    }

    fn resolved(&self, value: Value, ty: &Type) -> Result<ResolvedValue<'u>, FieldError> {
        if self.is_null(&value, ty) {
            return Ok(ResolvedValue::null());
        }
        Ok(match value {
            Value::Failed(message) => return Err(FieldError { message }),
            Value::Null => ResolvedValue::null(),
            Value::Leaf(json) => ResolvedValue::leaf(leaf(&json)),
            Value::Object(thing) => ResolvedValue::object(Object {
                universe: self.universe,
                hidden: self.hidden,
                thing,
                above: self.below(),
            }),
            Value::List(items) => {
                let item = ty.item_type();
                let items: Vec<_> = items
                    .into_iter()
                    .map(|value| match value {
                        Value::Failed(_) => Ok(unfit(item)),
                        value => self.resolved(value, item),
                    })
                    .collect();
                ResolvedValue::List(Box::new(items.into_iter()))
            }
        })
    }
}
