//! Writes the client's response: its fields in its order under its names, nothing extra, straight to bytes.
//!
//! In: the response tree and the plan's shape. Out: `{"data":…,"errors":[…]}`.
//! Always: one buffer, written once; an object that stands at many places is written once and its bytes are copied.
//! Elsewhere: values and nulls (`nulls.rs`), scalars (`coerce.rs`), where errors come from (`failure.rs`).

use std::collections::HashMap;

use bytes::Bytes;
use kopitiam_plan::{Key, ShapeSource};

use crate::AnswerLimits;
use crate::errors::{Causes, ErrorCode, ErrorList, Frame, Step};
use crate::incremental::Later;
use crate::nulls::Bubble;
use crate::program::{FieldShape, Holding, ObjectShapeId, Program};
use crate::tree::{CauseId, NodeId, RuntimeType, Tree, Value};

/// Root fields that are answered without any fetch: response key and JSON.
pub(crate) type Introspection = [(Box<str>, Box<str>)];

/// Writes one response.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) program: &'a Program,
    holding: &'a Holding,
    introspection: &'a Introspection,
    pub(crate) causes: &'a mut Causes,
    pub(crate) errors: ErrorList<'a>,
    pub(crate) out: Vec<u8>,
    pub(crate) bytes_max: usize,
    /// What is left to deliver later, where it stands.
    pub(crate) later: Later,
    /// Where in `out` a shared object already stands, as this selection set wants it.
    written: HashMap<(NodeId, ObjectShapeId), (usize, usize), ahash::RandomState>,
}

/// What a response is made of.
#[derive(Debug)]
pub(crate) struct Material<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) program: &'a Program,
    pub(crate) holding: &'a Holding,
    pub(crate) introspection: &'a Introspection,
    pub(crate) causes: &'a mut Causes,
    pub(crate) limits: &'a AnswerLimits,
}

/// Writes the whole response.
pub(crate) fn project(material: Material<'_>) -> Bytes {
    let tree = material.tree;
    // Client documents rarely ask for less than what was fetched; names and repeated entities add to it.
    let mut writer = Writer::new(material, tree.answer_bytes() + tree.answer_bytes() / 4 + 256);
    if writer.response(|_| true).is_err() {
        return too_large();
    }
    writer.out.push(b'}');
    writer.out.into()
}

/// The response is beyond its limit.
pub(crate) struct TooLarge;

pub(crate) fn too_large() -> Bytes {
    let message = "The response is too large.";
    let code = ErrorCode::ResponseTooLarge.as_str();
    format!(r#"{{"data":null,"errors":[{{"message":"{message}","extensions":{{"code":"{code}"}}}}]}}"#).into()
}

impl<'a> Writer<'a> {
    pub(crate) fn new(material: Material<'a>, capacity: usize) -> Self {
        let Material { tree, program, holding, introspection, causes, limits } = material;
        Self {
            tree,
            program,
            holding,
            introspection,
            causes,
            errors: ErrorList::new(limits.errors_max, &limits.errors),
            out: Vec::with_capacity(capacity),
            bytes_max: limits.response_bytes_max,
            later: Later::default(),
            written: HashMap::default(),
        }
    }
}

impl<'a> Writer<'a> {
    /// Writes `{"data":…,"errors":[…]`, with those failures that no field shows and that are of concern.
    pub(crate) fn response(&mut self, is_of_concern: impl Fn(usize) -> bool) -> Result<(), TooLarge> {
        self.out.extend_from_slice(b"{\"data\":");
        let start = self.out.len();
        let root = self.program.shape.root;
        if !self.program.shape.parts(root).is_empty() {
            self.note_later(Tree::ROOT, root, None);
        }
        let written = self.fields(Tree::ROOT, root, None);
        if self.is_too_large() {
            return Err(TooLarge);
        }
        if written.is_err() {
            self.take_back(start);
            self.out.extend_from_slice(b"null");
        }
        let mut errors = self.take_errors();
        let is_clean = errors.total() == 0;
        for (_, cause) in self.causes.unreported().filter(|(number, _)| is_of_concern(*number)) {
            // A fetch that failed unseen took only what another error has nulled already.
            if cause.is_subgraphs_own || is_clean {
                errors.push_cause(cause, None);
            }
        }
        if let Some(errors) = errors.finish() {
            self.out.extend_from_slice(b",\"errors\":[");
            self.out.extend_from_slice(&errors);
            self.out.push(b']');
        }
        Ok(())
    }

    /// The errors so far; from then on there are none.
    pub(crate) fn take_errors(&mut self) -> ErrorList<'a> {
        let none = ErrorList::new(0, self.errors.visibility());
        std::mem::replace(&mut self.errors, none)
    }

    pub(crate) fn is_too_large(&self) -> bool {
        self.bytes_max == 0
    }

    /// Takes back what was written since `start`.
    pub(crate) fn take_back(&mut self, start: usize) {
        self.out.truncate(start);
        self.later.take_back(start);
        if !self.written.is_empty() {
            self.written.retain(|_, (_, end)| *end <= start);
        }
    }

    /// Whether clients may see an object of this runtime type here.
    pub(crate) fn is_visible(&self, node: NodeId, shape: ObjectShapeId) -> bool {
        self.tree.is_one_of(node, self.program.shape.possible_types(shape))
    }

    /// Why the runtime type that an object's fields depend on is not known; nothing when it is, or is not needed.
    pub(crate) fn lost_type(&self, node: NodeId, shape: ObjectShapeId) -> Option<CauseId> {
        if !self.program.shape.needs_type(shape) || self.tree.runtime_type(node) != RuntimeType::Unasked {
            return None;
        }
        match self.tree.get(node, Key::TYPENAME) {
            Some(Value::Failed(cause)) => Some(cause),
            _ => None,
        }
    }

    /// Writes an object that is not the root.
    pub(crate) fn object(
        &mut self,
        node: NodeId,
        shape: ObjectShapeId,
        path: &Frame<'_>,
    ) -> Result<(), Bubble> {
        if !self.program.shape.parts(shape).is_empty() {
            self.note_later(node, shape, Some(path));
        }
        if !self.tree.is_shared(node) {
            return self.fields(node, shape, Some(path));
        }
        if let Some(&(start, end)) = self.written.get(&(node, shape)) {
            self.out.extend_from_within(start..end);
            return Ok(());
        }
        let (start, errors, later) = (self.out.len(), self.errors.total(), self.later.noted());
        self.fields(node, shape, Some(path))?;
        // Errors and what comes later name their place, so an object with such is written anew at each.
        if self.errors.total() == errors && self.later.noted() == later {
            self.written.insert((node, shape), (start, self.out.len()));
        }
        Ok(())
    }

    pub(crate) fn fields(
        &mut self,
        node: NodeId,
        shape: ObjectShapeId,
        parent: Option<&Frame<'_>>,
    ) -> Result<(), Bubble> {
        if self.out.len() >= self.bytes_max {
            // From here on no object is written, so the rest ends soon.
            self.bytes_max = 0;
            return Err(Bubble);
        }
        self.out.push(b'{');
        let start = self.out.len();
        for field in self.program.shape.fields(shape) {
            if !self.holding.holds(field.condition) || !self.tree.is_one_of(node, &field.on) {
                continue;
            }
            if self.out.len() > start {
                self.out.push(b',');
            }
            self.out.extend_from_slice(&field.start);
            self.field(node, field, &Frame { parent, step: Step::Key(&field.response_key) })?;
        }
        self.out.push(b'}');
        Ok(())
    }

    #[inline]
    fn field(&mut self, node: NodeId, field: &FieldShape, path: &Frame<'_>) -> Result<(), Bubble> {
        let value = match &field.source {
            ShapeSource::Key(key) => self.tree.get(node, *key),
            ShapeSource::Typename(Some(name)) => {
                self.out.push(b'"');
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b'"');
                return Ok(());
            }
            ShapeSource::Typename(None) => self.typename(node),
            ShapeSource::Refused => return self.refused(field, path),
            ShapeSource::Introspection => {
                let known = self.introspection.iter().find(|(key, _)| *key == field.response_key);
                let json = known.map_or("null", |(_, json)| json);
                self.out.extend_from_slice(json.as_bytes());
                return Ok(());
            }
        };
        self.value(value, &field.value_type, field, path)
    }

    fn typename(&self, node: NodeId) -> Option<Value> {
        match self.tree.runtime_type(node) {
            RuntimeType::Unasked => {
                self.tree.get(node, Key::TYPENAME).filter(|value| matches!(value, Value::Failed(_)))
            }
            RuntimeType::Unmentioned | RuntimeType::Known(_) => self.tree.get(node, Key::TYPENAME),
        }
    }
}
