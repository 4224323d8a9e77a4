//! The field sets of `@key`, `@requires` and `@provides` as trees (Federation specification, scalar `FieldSet`).
//!
//! Flat: inline fragments become the `on` of the fields in them.

use apollo_compiler::{Name, Node, ast};

use crate::{TypeId, TypeSet};

/// The fields of a field set at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FieldSet {
    /// In the order written.
    pub fields: Vec<SetField>,
}

/// One field of a field set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetField {
    /// The field's name.
    pub name: Name,
    /// Its arguments (only `@requires` has any).
    pub arguments: Vec<Node<ast::Argument>>,
    /// The type it is asked on: the enclosing type or type condition.
    pub parent: TypeId,
    /// The object types it applies to: those that `parent` may be.
    pub on: TypeSet,
    /// What stands below it; empty for a leaf.
    pub selection: FieldSet,
}

impl FieldSet {
    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether a field of this name applies to the given object type.
    pub fn has(&self, name: &str, on: TypeId) -> bool {
        self.fields.iter().any(|field| field.name == name && field.on.contains(on))
    }

    /// What the set selects below a field, for objects of the given types.
    #[must_use]
    pub fn below(&self, name: &str, on: &TypeSet) -> FieldSet {
        let fields = self
            .fields
            .iter()
            .filter(|field| field.name == name && field.on.meets(on))
            .flat_map(|field| field.selection.fields.iter().cloned())
            .collect();
        FieldSet { fields }
    }
}
