//! Rules about the merged schema as clients and authors see it.
//!
//! Modules: [`inaccessible`] (the API schema without `@inaccessible` elements is valid), [`auth`] (authorization on
//! abstract types and along `@requires`), [`runtime`] (shared fields of abstract type). Elsewhere: whether fields can be reached (`satisfiability`).

mod auth;
mod inaccessible;
mod runtime;

use crate::diagnostic::{Diagnostic, Location};
use crate::merge::Merged;
use crate::model::SubgraphSchema;

/// Checks a merge that had no errors, and spreads authorization to interfaces.
pub(crate) fn check(
    merged: &mut Merged,
    schemas: &[SubgraphSchema],
    hints: &mut Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    auth::spread(merged, schemas);
    let mut errors = inaccessible::check(merged, schemas);
    errors.extend(auth::check(merged, schemas));
    errors.extend(runtime::check(merged, schemas, hints));
    errors
}

/// Where an element is declared: a type, or a field, input field or enum value of it.
fn places(schemas: &[SubgraphSchema], ty: &str, member: Option<&str>) -> Vec<Location> {
    schemas
        .iter()
        .filter_map(|schema| {
            let ty = schema.types.get(ty)?;
            let place = match member {
                None => ty.place,
                Some(name) => ty
                    .fields
                    .get(name)
                    .map(|field| field.place)
                    .or_else(|| ty.inputs.get(name).map(|input| input.place))
                    .or_else(|| ty.values.get(name).map(|value| value.place))?,
            };
            (place.line > 0).then(|| schema.location(place))
        })
        .collect()
}
