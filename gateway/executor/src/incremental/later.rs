//! What of a response is left to deliver: noted where it stands while the response around it is written, written later.
//!
//! Always: what is taken back because of a null takes its notes with it.
//! Elsewhere: when it is delivered (`delivery.rs`).

use std::sync::Arc;

use kopitiam_plan::{InitialCount, PartId, ShapeType, Stream};

use crate::errors::{Frame, Segment, Step};
use crate::json::{Scanned, Scanner};
use crate::nulls::Bubble;
use crate::program::{FieldShape, FieldShapeId, ObjectShapeId};
use crate::project::Writer;
use crate::tree::{Leaf, NodeId, Value};
use crate::variables::Variables;

/// Something left to deliver.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(super) path: Vec<Segment>,
    pub(super) what: What,
    /// The part whose fields stand around it.
    pub(super) around: PartId,
    /// Whether it is, or stands in, a streamed list beyond the first items.
    pub(super) is_beyond: bool,
    /// How much was written before.
    at: usize,
}

/// See [`Note`].
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// Fields of an object.
    Fields { part: PartId, node: NodeId, shape: ObjectShapeId },
    /// The items of a list from an index on.
    Items { list: Value, field: FieldShapeId, start: usize },
}

/// What a writer has noted.
#[derive(Debug, Default)]
pub(crate) struct Later {
    /// The part being written.
    part: PartId,
    /// Whether what is written is beyond the first items of a streamed list.
    is_beyond: bool,
    /// For the `initialCount` of streams; without them lists are written whole.
    variables: Option<Arc<Variables>>,
    notes: Vec<Note>,
    noted: usize,
}

impl Later {
    pub(super) fn new(part: PartId, is_beyond: bool, variables: &Arc<Variables>) -> Self {
        Self { part, is_beyond, variables: Some(Arc::clone(variables)), ..Self::default() }
    }

    pub(super) fn into_notes(self) -> Vec<Note> {
        self.notes
    }

    /// How much was noted so far, whether taken back or not.
    pub(crate) fn noted(&self) -> usize {
        self.noted
    }

    /// Forgets what stands in what was written from here on.
    pub(crate) fn take_back(&mut self, start: usize) {
        while self.notes.last().is_some_and(|note| note.at >= start) {
            self.notes.pop();
        }
    }

    fn push(&mut self, path: Vec<Segment>, what: What, at: usize) {
        self.noted += 1;
        let is_beyond = self.is_beyond || matches!(what, What::Items { .. });
        self.notes.push(Note { path, what, around: self.part, is_beyond, at });
    }

    fn initial_count(&self, stream: &Stream) -> Option<usize> {
        self.variables.as_ref().map(|variables| initial_count(stream, variables))
    }
}

/// How many items of a list come with it.
pub(crate) fn initial_count(stream: &Stream, variables: &Variables) -> usize {
    match &stream.initial_count {
        InitialCount::Literal(count) => *count,
        InitialCount::Variable(name) => variables.get(name).and_then(|json| json.parse().ok()).unwrap_or(0),
    }
}

impl Writer<'_> {
    /// Notes those fields of an object that are of another part than what is being written.
    pub(crate) fn note_later(&mut self, node: NodeId, shape: ObjectShapeId, path: Option<&Frame<'_>>) {
        let shapes = &self.program.shape;
        let current = self.later.part;
        for &part in shapes.parts(shape).iter().filter(|&&part| part != current) {
            let mut fields = shapes.fields(shape).iter();
            if fields.any(|field| field.part == part && self.tree.is_one_of(node, &field.on)) {
                let path = path.map_or_else(Vec::new, Frame::segments);
                self.later.push(path, What::Fields { part, node, shape }, self.out.len());
            }
        }
    }

    /// How many items of a list to write now; notes the others.
    #[inline]
    pub(crate) fn until(&mut self, list: Value, field: &FieldShape, path: &Frame<'_>) -> usize {
        match &field.stream {
            None => usize::MAX,
            Some(stream) => self.until_streamed(list, stream, field, path),
        }
    }

    fn until_streamed(
        &mut self,
        list: Value,
        stream: &Stream,
        field: &FieldShape,
        path: &Frame<'_>,
    ) -> usize {
        // The list of the field itself, not one that is an item of it.
        let Some(count) = self.later.initial_count(stream).filter(|_| matches!(path.step, Step::Key(_)))
        else {
            return usize::MAX;
        };
        if count < self.items_from(list, 0).len() {
            let what = What::Items { list, field: field.id, start: count };
            self.later.push(path.segments(), what, self.out.len());
        }
        count
    }

    /// A list's items from an index on.
    fn items_from(&self, list: Value, start: usize) -> Vec<Value> {
        match list {
            Value::List(list) => self.tree.items(list).get(start..).unwrap_or_default().to_vec(),
            Value::Leaf(list) => leaf_items(self.tree.bytes(list), list).into_iter().skip(start).collect(),
            _ => Vec::new(),
        }
    }

    /// Writes what was noted: an object with the fields, or the items without brackets.
    pub(super) fn write_later(&mut self, note: &Note) -> Result<(), Bubble> {
        match note.what {
            What::Fields { node, shape, .. } => {
                with_frames(&note.path, None, &mut |frame| self.fields(node, shape, frame))
            }
            What::Items { list, field, start } => {
                let field = self.program.shape.field(field);
                let ShapeType::List { item, .. } = &field.value_type else { return Err(Bubble) };
                let items = self.items_from(list, start);
                with_frames(&note.path, None, &mut |parent| {
                    for (index, value) in (start..).zip(&items) {
                        if index > start {
                            self.out.push(b',');
                        }
                        self.value(Some(*value), item, field, &Frame { parent, step: Step::Index(index) })?;
                    }
                    Ok(())
                })
            }
        }
    }
}

/// The items of a list of leaves, which the parser has kept whole.
fn leaf_items(bytes: &[u8], list: Leaf) -> Vec<Value> {
    let mut items = Vec::new();
    let mut scanner = Scanner::new(bytes);
    if scanner.expect(b'[').is_err() {
        return items;
    }
    scanner.skip_whitespace();
    let mut more = scanner.peek() != b']';
    while more {
        let start = scanner.position();
        let scanned = scanner.skip_value(u32::MAX).expect("the parser has checked these bytes");
        items.push(match scanned {
            Scanned::Null => Value::Null,
            Scanned::Leaf(class) => {
                let (from, to) = (crate::tree::index_of(start), crate::tree::index_of(scanner.position()));
                Value::Leaf(Leaf { class, answer: list.answer, start: list.start + from, len: to - from })
            }
        });
        more = scanner.next_member(b']').expect("the parser has checked these bytes");
    }
    items
}

/// Runs with the frames of a path on the stack.
fn with_frames<R>(
    path: &[Segment],
    parent: Option<&Frame<'_>>,
    run: &mut dyn FnMut(Option<&Frame<'_>>) -> R,
) -> R {
    let Some((first, rest)) = path.split_first() else { return run(parent) };
    let step = match first {
        Segment::Key(key) => Step::Key(key),
        #[expect(clippy::cast_possible_truncation, reason = "it was an index of a list in memory")]
        Segment::Index(index) => Step::Index(*index as usize),
    };
    with_frames(rest, Some(&Frame { parent, step }), run)
}
