//! The client's response as the plan keeps it: from the normalised operation and the API's types alone.

use apollo_compiler::ast;
use kopitiam_operation::{FieldNode, NormalisedOperation, Selection};
use kopitiam_plan::{
    KeyTable, LeafKind, ResponseShape, ShapeField, ShapeSource, ShapeType, ShapeValue, TypeTable,
};
use kopitiam_supergraph::{Supergraph, TypeId, TypeKind, TypeSet};

struct Shaper<'a> {
    supergraph: &'a Supergraph,
    keys: &'a mut KeyTable,
    types: &'a mut TypeTable,
}

/// The response's shape.
pub(crate) fn shape(
    supergraph: &Supergraph,
    operation: &NormalisedOperation,
    keys: &mut KeyTable,
    types: &mut TypeTable,
) -> ResponseShape {
    let mut shaper = Shaper { supergraph, keys, types };
    ResponseShape {
        root_type: supergraph.ty(operation.root).name.as_str().into(),
        fields: shaper.fields(&operation.selection, operation.root),
    }
}

impl Shaper<'_> {
    fn visible(&self, id: TypeId) -> TypeSet {
        let possible = self.supergraph.ty(id).possible.iter();
        possible.filter(|&id| self.supergraph.ty(id).accessible).collect()
    }

    fn type_ids(&mut self, types: &TypeSet) -> Vec<kopitiam_plan::TypeId> {
        types.iter().map(|ty| self.types.intern(&self.supergraph.ty(ty).name)).collect()
    }

    fn fields(&mut self, selection: &Selection, parent: TypeId) -> Vec<ShapeField> {
        let all = self.visible(parent);
        let known = self.supergraph.ty(parent).kind == TypeKind::Object;
        let mut shaped = Vec::with_capacity(selection.fields.len());
        for field in &selection.fields {
            let kinds = nullabilities(self.supergraph, field);
            if kinds.len() > 1 {
                for (types, ty) in kinds {
                    let on = self.type_ids(&types);
                    shaped.push(self.field(field, parent, on, ty));
                }
                continue;
            }
            let on = if known || field.on == all { Vec::new() } else { self.type_ids(&field.on) };
            let ty = kinds.first().map_or(&field.ty, |(_, ty)| *ty);
            shaped.push(self.field(field, parent, on, ty));
        }
        shaped
    }

    fn field(
        &mut self,
        field: &FieldNode,
        parent: TypeId,
        on: Vec<kopitiam_plan::TypeId>,
        ty: &ast::Type,
    ) -> ShapeField {
        let known = self.supergraph.ty(parent).kind == TypeKind::Object;
        ShapeField {
            response_key: field.response_key.as_str().into(),
            field_name: field.name.as_str().into(),
            parent_type: self.supergraph.ty(field.parent).name.as_str().into(),
            source: self.source(field, known.then_some(parent)),
            on,
            conditions: field.conditions.clone(),
            value_type: shape_type(ty),
            value: self.value(field),
            part: field.part,
            stream: field.stream.clone(),
        }
    }

    fn source(&mut self, field: &FieldNode, known: Option<TypeId>) -> ShapeSource {
        if field.is_refused {
            return ShapeSource::Refused;
        }
        if field.is_typename() {
            return ShapeSource::Typename(known.map(|ty| self.supergraph.ty(ty).name.as_str().into()));
        }
        if field.is_introspection() {
            return ShapeSource::Introspection;
        }
        ShapeSource::Key(self.keys.intern(&field.key))
    }

    fn value(&mut self, field: &FieldNode) -> ShapeValue {
        if field.is_introspection() || field.is_refused {
            return ShapeValue::Leaf(LeafKind::Custom);
        }
        if field.is_typename() {
            return ShapeValue::Leaf(LeafKind::String);
        }
        let base = self.supergraph.ty(field.base);
        match base.kind {
            TypeKind::Enum => ShapeValue::Leaf(LeafKind::Enum(
                base.enum_values.iter().map(|value| value.as_str().into()).collect(),
            )),
            TypeKind::Scalar | TypeKind::Input => ShapeValue::Leaf(match base.name.as_str() {
                "Int" => LeafKind::Int,
                "Float" => LeafKind::Float,
                "String" => LeafKind::String,
                "Boolean" => LeafKind::Boolean,
                "ID" => LeafKind::Id,
                _ => LeafKind::Custom,
            }),
            TypeKind::Object | TypeKind::Interface | TypeKind::Union => {
                let visible = self.visible(field.base);
                let hidden = visible != base.possible;
                let fields = self.fields(&field.selection, field.base);
                let possible_types = if hidden { self.type_ids(&visible) } else { Vec::new() };
                ShapeValue::Object { fields, possible_types }
            }
        }
    }
}

/// A field that is asked on an interface has the runtime type's own definition (GraphQL specification, section 6.4.1):
/// its runtime types, by what may be null.
pub(crate) fn nullabilities<'s>(
    supergraph: &'s Supergraph,
    field: &FieldNode,
) -> Vec<(TypeSet, &'s ast::Type)> {
    let mut found: Vec<(TypeSet, &'s ast::Type)> = Vec::new();
    if field.name.starts_with("__") || supergraph.ty(field.parent).kind != TypeKind::Interface {
        return found;
    }
    for ty in field.on.iter() {
        let Some(own) = supergraph.field(ty, &field.name) else { continue };
        let shape = shape_type(&own.ty);
        match found.iter_mut().find(|(_, other)| shape_type(other) == shape) {
            Some((types, _)) => types.insert(ty),
            None => found.push((TypeSet::one(ty), &own.ty)),
        }
    }
    found
}

fn shape_type(ty: &ast::Type) -> ShapeType {
    match ty {
        ast::Type::Named(_) => ShapeType::Named { nullable: true },
        ast::Type::NonNullNamed(_) => ShapeType::Named { nullable: false },
        ast::Type::List(item) => ShapeType::List { nullable: true, item: Box::new(shape_type(item)) },
        ast::Type::NonNullList(item) => ShapeType::List { nullable: false, item: Box::new(shape_type(item)) },
    }
}
