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
use crate::nulls::Bubble;
use crate::program::{FieldShape, Holding, ObjectShapeId, Program};
use crate::tree::{CauseId, NodeId, RuntimeType, Tree, Value};

/// Root fields that are answered without any fetch: response key and JSON.
pub(crate) type Introspection = [(Box<str>, Box<str>)];

/// Writes one response.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) tree: &'a Tree,
    program: &'a Program,
    holding: &'a Holding,
    introspection: &'a Introspection,
    pub(crate) causes: &'a mut Causes,
    pub(crate) errors: ErrorList<'a>,
    pub(crate) out: Vec<u8>,
    bytes_max: usize,
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
    let Material { tree, program, holding, introspection, causes, limits } = material;
    let mut writer = Writer {
        tree,
        program,
        holding,
        introspection,
        causes,
        errors: ErrorList::new(limits.errors_max, &limits.errors),
        // Client documents rarely ask for less than what was fetched; names and repeated entities add to it.
        out: Vec::with_capacity(tree.answer_bytes() + tree.answer_bytes() / 4 + 256),
        bytes_max: limits.response_bytes_max,
        written: HashMap::default(),
    };
    writer.out.extend_from_slice(b"{\"data\":");
    let start = writer.out.len();
    let written = writer.fields(Tree::ROOT, program.shape.root, None);
    if writer.is_too_large() {
        return too_large();
    }
    if written.is_err() {
        writer.take_back(start);
        writer.out.extend_from_slice(b"null");
    }
    let is_clean = writer.errors.total() == 0;
    for cause in writer.causes.unreported() {
        // A fetch that failed unseen took only what another error has nulled already.
        if cause.is_subgraphs_own || is_clean {
            writer.errors.push_cause(cause, None);
        }
    }
    if let Some(errors) = writer.errors.finish() {
        writer.out.extend_from_slice(b",\"errors\":[");
        writer.out.extend_from_slice(&errors);
        writer.out.push(b']');
    }
    writer.out.push(b'}');
    writer.out.into()
}

fn too_large() -> Bytes {
    let message = "The response is too large.";
    let code = ErrorCode::ResponseTooLarge.as_str();
    format!(r#"{{"data":null,"errors":[{{"message":"{message}","extensions":{{"code":"{code}"}}}}]}}"#).into()
}

impl Writer<'_> {
    fn is_too_large(&self) -> bool {
        self.bytes_max == 0
    }

    /// Takes back what was written since `start`.
    pub(crate) fn take_back(&mut self, start: usize) {
        self.out.truncate(start);
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
        if !self.tree.is_shared(node) {
            return self.fields(node, shape, Some(path));
        }
        if let Some(&(start, end)) = self.written.get(&(node, shape)) {
            self.out.extend_from_within(start..end);
            return Ok(());
        }
        let (start, errors) = (self.out.len(), self.errors.total());
        self.fields(node, shape, Some(path))?;
        // Errors name their place, so an object that caused some is written anew at each.
        if self.errors.total() == errors {
            self.written.insert((node, shape), (start, self.out.len()));
        }
        Ok(())
    }

    fn fields(
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
