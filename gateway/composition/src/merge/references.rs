//! Merging of type references: outputs take the widest type, inputs the narrowest.

use std::collections::{HashMap, HashSet};

use apollo_compiler::Name;
use apollo_compiler::ast::Type;

use super::Merger;
use crate::model::{Kind, SubgraphSchema};

/// Abstract types with what is below them in any subgraph.
pub(super) fn subtypes(schemas: &[SubgraphSchema]) -> HashMap<Name, HashSet<Name>> {
    let mut below: HashMap<Name, HashSet<Name>> = HashMap::new();
    for ty in schemas.iter().flat_map(|schema| schema.types.values()) {
        if ty.kind == Kind::Union {
            below.entry(ty.name.clone()).or_default().extend(ty.members.keys().cloned());
        }
        for interface in ty.interfaces.keys() {
            below.entry(interface.clone()).or_default().insert(ty.name.clone());
        }
    }
    below
}

impl Merger<'_> {
    /// `narrow` is `wide`, or may stand where `wide` is expected.
    pub(super) fn is_subtype(&self, wide: &Type, narrow: &Type) -> bool {
        match (wide, narrow) {
            (Type::Named(wide), Type::Named(narrow) | Type::NonNullNamed(narrow))
            | (Type::NonNullNamed(wide), Type::NonNullNamed(narrow)) => {
                wide == narrow || self.subtypes.get(wide).is_some_and(|below| below.contains(narrow))
            }
            (Type::List(wide), Type::List(narrow) | Type::NonNullList(narrow))
            | (Type::NonNullList(wide), Type::NonNullList(narrow)) => self.is_subtype(wide, narrow),
            _ => false,
        }
    }

    /// The type every given one is a subtype of.
    pub(super) fn widest<'t>(&self, types: &[&'t Type]) -> Option<&'t Type> {
        types.iter().find(|wide| types.iter().all(|ty| self.is_subtype(wide, ty))).copied()
    }

    /// The type that is a subtype of every given one.
    pub(super) fn narrowest<'t>(&self, types: &[&'t Type]) -> Option<&'t Type> {
        types.iter().find(|narrow| types.iter().all(|ty| self.is_subtype(ty, narrow))).copied()
    }
}

pub(super) fn all_equal<T: PartialEq>(items: &[T]) -> bool {
    items.windows(2).all(|pair| pair[0] == pair[1])
}
