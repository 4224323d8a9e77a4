//! Writes values, and decides what a missing or unfit one does (GraphQL specification, section 6.4.4 "Handling
//! Execution Errors").
//!
//! Always: null stops at the nearest nullable position around it: what was written since is taken back. A null that a
//! subgraph's error explains is reported with that error; any other null where none is allowed gets one of its own.
//! Elsewhere: objects and fields (`project.rs`), scalars (`coerce.rs`).

use kopitiam_plan::ShapeType;

use crate::coerce::write_leaf;
use crate::errors::{ErrorCode, Frame, Step};
use crate::json::{LeafClass, Scanned, Scanner};
use crate::program::{FieldShape, LeafCoercion, ValueShape};
use crate::project::Writer;
use crate::tree::{Leaf, ListId, Value};

/// Null goes on to the position around: this one must not be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bubble;

const fn is_nullable(value_type: &ShapeType) -> bool {
    match value_type {
        ShapeType::Named { nullable } | ShapeType::List { nullable, .. } => *nullable,
    }
}

impl Writer<'_> {
    /// Writes a field's or an item's value.
    pub(crate) fn value(
        &mut self,
        value: Option<Value>,
        value_type: &ShapeType,
        field: &FieldShape,
        path: &Frame<'_>,
    ) -> Result<(), Bubble> {
        let start = self.out.len();
        let written = match (value, value_type) {
            (None | Some(Value::Null), _) => self.null(value_type, field, path),
            (Some(Value::Failed(cause)), _) => {
                let cause = self.causes.report(cause);
                self.errors.push_cause(cause, Some(path));
                Err(Bubble)
            }
            (Some(Value::List(list)), ShapeType::List { item, .. }) => self.list(list, item, field, path),
            (Some(Value::Leaf(leaf)), ShapeType::List { item, .. }) if leaf.class == LeafClass::Composite => {
                self.leaf_list(leaf, item, field, path)
            }
            (Some(Value::Leaf(leaf)), ShapeType::Named { .. }) => self.leaf(leaf, value_type, field, path),
            (Some(Value::Object(node)), ShapeType::Named { .. }) => match field.value {
                // Which fields it would have depends on a type that did not arrive.
                ValueShape::Object(shape) if self.lost_type(node, shape).is_some() => {
                    self.value(self.lost_type(node, shape).map(Value::Failed), value_type, field, path)
                }
                // A type that clients must not see is null, and an error would show it.
                ValueShape::Object(shape) if !self.is_visible(node, shape) => {
                    self.null(value_type, field, path)
                }
                ValueShape::Object(shape) => self.object(node, shape, path),
                ValueShape::Leaf(_) => self.unfit("a leaf", field, path),
            },
            (Some(_), ShapeType::List { .. }) => self.unfit("a list", field, path),
            (Some(Value::List(_)), ShapeType::Named { .. }) => self.unfit("a single value", field, path),
        };
        self.stop_null(written, start, value_type)
    }

    /// Null ends here if it may.
    fn stop_null(
        &mut self,
        written: Result<(), Bubble>,
        start: usize,
        value_type: &ShapeType,
    ) -> Result<(), Bubble> {
        match written {
            Err(Bubble) if is_nullable(value_type) => {
                self.take_back(start);
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            written => written,
        }
    }

    fn null(&mut self, value_type: &ShapeType, field: &FieldShape, path: &Frame<'_>) -> Result<(), Bubble> {
        if is_nullable(value_type) {
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        let message = format!("Cannot return null for non-nullable field {}.", field.coordinate);
        self.errors.push_code(&message, path, ErrorCode::NonNull);
        Err(Bubble)
    }

    /// Null for what the client may not have.
    pub(crate) fn refused(&mut self, field: &FieldShape, path: &Frame<'_>) -> Result<(), Bubble> {
        let message = format!("Not allowed to ask for {}.", field.coordinate);
        self.errors.push_code(&message, path, ErrorCode::Unauthorized);
        self.stop_null(Err(Bubble), self.out.len(), &field.value_type)
    }

    fn unfit(&mut self, expected: &str, field: &FieldShape, path: &Frame<'_>) -> Result<(), Bubble> {
        let message = format!("The subgraph's value for {} is not {expected}.", field.coordinate);
        self.errors.push_code(&message, path, ErrorCode::InvalidValue);
        Err(Bubble)
    }

    fn list(
        &mut self,
        list: ListId,
        item_type: &ShapeType,
        field: &FieldShape,
        path: &Frame<'_>,
    ) -> Result<(), Bubble> {
        let tree = self.tree;
        let items = tree.items(list);
        let until = self.until(Value::List(list), field, path).min(items.len());
        self.out.push(b'[');
        for (index, item) in items[..until].iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let path = Frame { parent: Some(path), step: Step::Index(index) };
            self.value(Some(*item), item_type, field, &path)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn leaf(
        &mut self,
        leaf: Leaf,
        value_type: &ShapeType,
        field: &FieldShape,
        path: &Frame<'_>,
    ) -> Result<(), Bubble> {
        let ValueShape::Leaf(coercion) = &field.value else {
            return self.unfit("an object", field, path);
        };
        match write_leaf(coercion, leaf.class, self.tree.bytes(leaf), &mut self.out) {
            Ok(()) => Ok(()),
            // As with types: a subgraph's own enum value, unknown to clients, is null.
            Err(_) if matches!(coercion, LeafCoercion::Enum(_)) && leaf.class == LeafClass::String => {
                self.null(value_type, field, path)
            }
            Err(_) => self.unfit(expected(coercion), field, path),
        }
    }

    /// A list of scalars: kept whole by the parser, taken apart here, since only the client's type says how deep it is a
    /// list.
    fn leaf_list(
        &mut self,
        list: Leaf,
        item_type: &ShapeType,
        field: &FieldShape,
        path: &Frame<'_>,
    ) -> Result<(), Bubble> {
        let tree = self.tree;
        let bytes = tree.bytes(list);
        let mut scanner = Scanner::new(bytes);
        if scanner.expect(b'[').is_err() || matches!(field.value, ValueShape::Object(_)) {
            return self.unfit("a list", field, path);
        }
        let until = self.until(Value::Leaf(list), field, path);
        self.out.push(b'[');
        scanner.skip_whitespace();
        let mut index = 0;
        let mut more = scanner.peek() != b']';
        while more && index < until {
            if index > 0 {
                self.out.push(b',');
            }
            let path = Frame { parent: Some(path), step: Step::Index(index) };
            let start = scanner.position();
            let scanned = scanner.skip_value(u32::MAX).expect("the parser has checked these bytes");
            let item = match scanned {
                Scanned::Null => Value::Null,
                Scanned::Leaf(class) => {
                    let (from, to) =
                        (crate::tree::index_of(start), crate::tree::index_of(scanner.position()));
                    Value::Leaf(Leaf { class, answer: list.answer, start: list.start + from, len: to - from })
                }
            };
            self.value(Some(item), item_type, field, &path)?;
            more = scanner.next_member(b']').expect("the parser has checked these bytes");
            index += 1;
        }
        self.out.push(b']');
        Ok(())
    }
}

const fn expected(coercion: &LeafCoercion) -> &'static str {
    match coercion {
        LeafCoercion::Int => "an Int",
        LeafCoercion::Float => "a Float",
        LeafCoercion::String => "a String",
        LeafCoercion::Boolean => "a Boolean",
        LeafCoercion::Id => "an ID",
        LeafCoercion::Custom => "a scalar",
        LeafCoercion::Enum(_) => "a value of its enum",
    }
}
