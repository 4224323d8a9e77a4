//! Fields that the client may not have: null in the response, with an error, and nobody is asked for them.
//!
//! In: a normalised operation, and for which objects each of its fields is refused. Out: the same with those fields marked, and
//! nothing below them.
//! Always: for any runtime type and response key at most one entry applies, as before.
//! Elsewhere: who may have what (`engine/authorization.rs`), writing the error (`executor/project.rs`).

use std::sync::Arc;

use kopitiam_supergraph::TypeSet;

use crate::{FieldNode, NormalisedOperation, Selection};

/// Marks what is refused. Where that makes the whole response null, nothing else is left of the operation.
pub fn refuse_fields(
    operation: &mut NormalisedOperation,
    refused_on: &mut impl FnMut(&FieldNode) -> TypeSet,
) {
    selection(&mut operation.selection, refused_on, &mut operation.field_count);
    let fields = &mut operation.selection.fields;
    let is_fatal =
        |field: &FieldNode| field.is_refused && field.conditions.is_always() && field.ty.is_non_null();
    if fields.iter().any(is_fatal) {
        fields.retain(is_fatal);
    }
}

fn selection(
    selection: &mut Selection,
    refused_on: &mut impl FnMut(&FieldNode) -> TypeSet,
    next_id: &mut u32,
) {
    let mut kept = Vec::with_capacity(selection.fields.len());
    for mut field in std::mem::take(&mut selection.fields) {
        let refused = refused_on(&field).and(&field.on);
        let rest = field.on.minus(&refused);
        if !refused.is_empty() {
            let mut id = field.id;
            if !rest.is_empty() {
                id = *next_id;
                *next_id += 1;
            }
            kept.push(FieldNode {
                id,
                on: refused.clone(),
                is_refused: true,
                arguments: Arc::default(),
                selection: Selection::default(),
                stream: None,
                response_key: field.response_key.clone(),
                key: field.key.clone(),
                name: field.name.clone(),
                conditions: field.conditions.clone(),
                ty: field.ty.clone(),
                ..field
            });
        }
        if refused.is_empty() || !rest.is_empty() {
            field.on = rest;
            self::selection(&mut field.selection, refused_on, next_id);
            kept.push(field);
        }
    }
    selection.fields = kept;
}
