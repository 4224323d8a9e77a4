//! Where a subgraph may say that it does not know an entity: `null` in `_entities`, and no error.
//!
//! What is lost then must be the same however the gateway goes about it. So the subgraph must be the only one for all the
//! fields it has, it must be entered by one key alone, so that nobody goes through it to learn another, that key must not
//! be of other objects, which could be asked for through it, and it must not lead to such an entity itself.
//!
//! Elsewhere: which entities it does not know (`universe.rs`).

use super::federation::{SetItem, Subgraph};

/// The fields of an object type that only this subgraph has; nothing when it must know all entities of the type.
pub(crate) fn fields_only_in(subgraph: &Subgraph, others: &[&Subgraph], object: &str) -> Option<Vec<String>> {
    let found = subgraph.schema.get_object(object)?;
    let keys = subgraph.keys(object);
    let [(key, true)] = keys.as_slice() else { return None };
    let is_leaf = |item: &SetItem| matches!(item, SetItem::Field { below, .. } if below.0.is_empty());
    if !key.0.iter().all(is_leaf) {
        return None;
    }
    let mut in_key = Vec::new();
    key.names(&mut in_key);
    let leads_here = subgraph.composites().any(|(_, fields)| {
        fields.iter().any(|field| {
            !field.name.starts_with('_')
                && subgraph.possible(field.ty.inner_named_type()).iter().any(|possible| possible == object)
        })
    });
    if leads_here {
        return None;
    }
    let mut only = Vec::new();
    for field in found.fields.values() {
        let name = field.name.as_str();
        if in_key.iter().any(|part| part == name) || subgraph.is_external(object, field) {
            continue;
        }
        if subgraph.overrides(field).is_some()
            || others.iter().any(|other| other.field(object, name).is_some())
        {
            return None;
        }
        only.push(name.to_owned());
    }
    // What an interface object gives may come from anywhere.
    let stands_in = |other: &&&Subgraph| {
        found.implements_interfaces.iter().any(|interface| other.is_interface_object(interface))
    };
    (!others.iter().any(|other| stands_in(&other))).then_some(only)
}
