//! What remains when `@inaccessible` elements are hidden must be a valid schema.
//!
//! # Source
//! <https://specs.apollo.dev/inaccessible/v0.2>, "Rules".

use apollo_compiler::Name;
use apollo_compiler::ast::{Type, Value};

use super::places;
use crate::diagnostic::Diagnostic;
use crate::merge::Merged;
use crate::merge::model::{MergedField, MergedInput, MergedType, is_inaccessible};
use crate::model::{Kind, SubgraphSchema};

struct Check<'a> {
    merged: &'a Merged,
    schemas: &'a [SubgraphSchema],
    errors: Vec<Diagnostic>,
}

pub(super) fn check(merged: &Merged, schemas: &[SubgraphSchema]) -> Vec<Diagnostic> {
    let mut check = Check { merged, schemas, errors: Vec::new() };
    for ty in merged.types.values() {
        if is_inaccessible(&ty.directives) {
            if ty.name == "Query" {
                let message = "type \"Query\" is @inaccessible but is the query root type, which must be in the API schema";
                check.error("QUERY_ROOT_TYPE_INACCESSIBLE", message.to_owned(), &ty.name, None);
            }
            continue;
        }
        check.children(ty);
        for field in ty.fields.values().filter(|field| !is_inaccessible(&field.directives)) {
            check.field(ty, field);
        }
        for input in ty.inputs.values() {
            let coordinate = format!("{}.{}", ty.name, input.name);
            check.input(&coordinate, input, &ty.name, &input.name);
        }
    }
    check.errors
}

impl Check<'_> {
    fn error(&mut self, code: &'static str, message: String, ty: &str, member: Option<&str>) {
        self.errors.push(Diagnostic::error(code, message).at(places(self.schemas, ty, member)));
    }

    fn hidden(&self, ty: &Type) -> bool {
        self.merged.types.get(ty.inner_named_type()).is_some_and(|ty| is_inaccessible(&ty.directives))
    }

    fn children(&mut self, ty: &MergedType) {
        let all_hidden = match ty.kind {
            Kind::Scalar => false,
            Kind::Object | Kind::Interface => {
                !ty.fields.is_empty() && ty.fields.values().all(|field| is_inaccessible(&field.directives))
            }
            Kind::Input => ty.inputs.values().all(|input| is_inaccessible(&input.directives)),
            Kind::Enum => ty.values.values().all(|value| is_inaccessible(&value.directives)),
            Kind::Union => ty
                .members
                .iter()
                .all(|name| self.merged.types.get(name).is_some_and(|ty| is_inaccessible(&ty.directives))),
        };
        if all_hidden {
            let message = format!(
                "type \"{}\" is in the API schema but all of its children are @inaccessible",
                ty.name
            );
            self.error("ONLY_INACCESSIBLE_CHILDREN", message, &ty.name, None);
        }
    }

    fn field(&mut self, ty: &MergedType, field: &MergedField) {
        let coordinate = format!("{}.{}", ty.name, field.name);
        if self.hidden(&field.ty) {
            let message = format!(
                "type \"{}\" is @inaccessible but is referenced by \"{coordinate}\", which is in the API schema",
                field.ty.inner_named_type()
            );
            self.error("REFERENCED_INACCESSIBLE", message, &ty.name, Some(&field.name));
        }
        for argument in field.arguments.values() {
            let coordinate = format!("{coordinate}({}:)", argument.name);
            self.input(&coordinate, argument, &ty.name, &field.name);
        }
        for interface in &ty.interfaces {
            let Some(interface) =
                self.merged.types.get(interface).filter(|interface| !is_inaccessible(&interface.directives))
            else {
                continue;
            };
            if let Some(wanted) = interface.fields.get(&field.name) {
                self.implementing_arguments(ty, field, interface, wanted);
            }
        }
        if ty.kind == Kind::Interface {
            self.implementations(ty, field);
        }
    }

    /// An argument or input field.
    fn input(&mut self, coordinate: &str, input: &MergedInput, ty: &Name, member: &Name) {
        if is_inaccessible(&input.directives) {
            if input.ty.is_non_null() && input.default.is_none() {
                let message = format!("\"{coordinate}\" is @inaccessible but is required in the API schema");
                self.error("REQUIRED_INACCESSIBLE", message, ty, Some(member));
            }
            return;
        }
        if self.hidden(&input.ty) {
            let message = format!(
                "type \"{}\" is @inaccessible but is referenced by \"{coordinate}\", which is in the API schema",
                input.ty.inner_named_type()
            );
            self.error("REFERENCED_INACCESSIBLE", message, ty, Some(member));
        }
        if let Some(default) = &input.default
            && let Some(used) = self.hidden_in_value(&input.ty, default)
        {
            let message = format!(
                "\"{used}\" is @inaccessible but is used in the default value of \"{coordinate}\", which is in the API schema"
            );
            self.error("DEFAULT_VALUE_USES_INACCESSIBLE", message, ty, Some(member));
        }
    }

    /// The first hidden enum value or input field in a literal.
    fn hidden_in_value(&self, ty: &Type, value: &Value) -> Option<String> {
        let name = ty.inner_named_type();
        let ty_def = self.merged.types.get(name)?;
        match value {
            Value::List(items) => items.iter().find_map(|item| self.hidden_in_value(ty.item_type(), item)),
            Value::Enum(given) => {
                let value = ty_def.values.get(given)?;
                is_inaccessible(&value.directives).then(|| format!("{name}.{given}"))
            }
            Value::Object(entries) => entries.iter().find_map(|(key, entry)| {
                let input = ty_def.inputs.get(key)?;
                if is_inaccessible(&input.directives) {
                    return Some(format!("{name}.{key}"));
                }
                self.hidden_in_value(&input.ty, entry)
            }),
            _ => None,
        }
    }

    /// A visible interface field needs visible implementations.
    fn implementations(&mut self, interface: &MergedType, field: &MergedField) {
        for ty in self.merged.runtime_types(&interface.name) {
            let Some(ty) = self.merged.types.get(&ty).filter(|ty| !is_inaccessible(&ty.directives)) else {
                continue;
            };
            if ty.fields.get(&field.name).is_some_and(|own| is_inaccessible(&own.directives)) {
                let message = format!(
                    "field \"{0}.{1}\" is @inaccessible but implements the interface field \"{2}.{1}\", which is in the API schema",
                    ty.name, field.name, interface.name
                );
                self.error("IMPLEMENTED_BY_INACCESSIBLE", message, &ty.name, Some(&field.name));
            }
        }
    }

    fn implementing_arguments(
        &mut self,
        ty: &MergedType,
        field: &MergedField,
        interface: &MergedType,
        wanted: &MergedField,
    ) {
        if is_inaccessible(&wanted.directives) {
            return;
        }
        for argument in field.arguments.values() {
            let hidden = is_inaccessible(&argument.directives);
            let above = wanted.arguments.get(&argument.name);
            let above_hidden = above.is_some_and(|above| is_inaccessible(&above.directives));
            let coordinate = format!("{}.{}({}:)", ty.name, field.name, argument.name);
            if hidden && above.is_some() && !above_hidden {
                let message = format!(
                    "argument \"{coordinate}\" is @inaccessible but implements \"{}.{}({}:)\", which is in the API schema",
                    interface.name, field.name, argument.name
                );
                self.error("IMPLEMENTED_BY_INACCESSIBLE", message, &ty.name, Some(&field.name));
            }
            if !hidden && above_hidden && argument.ty.is_non_null() && argument.default.is_none() {
                let message = format!(
                    "argument \"{}.{}({}:)\" is @inaccessible but is implemented by the required argument \"{coordinate}\", which is in the API schema",
                    interface.name, field.name, argument.name
                );
                self.error("REQUIRED_INACCESSIBLE", message, &interface.name, Some(&field.name));
            }
        }
    }
}
