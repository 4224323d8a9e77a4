//! Reads a subgraph's answer into the response tree, once, taking only what the fetch selected.
//!
//! In: the answer's bytes and the compiled selection. Out: slots that point into those bytes.
//! Always: the whole answer is checked to be one JSON object in UTF-8, so that any leaf can be written to the client as it
//! came; where the plan allows it, an object equal to an earlier one byte for byte is that one; keys are first compared with the one expected next, so an answer in the asked order is never searched.
//! Elsewhere: what the values mean (`project.rs`), the answer's errors (`failure.rs`).

use std::ops::Range;

use bytes::Bytes;
use kopitiam_plan::Key;

use crate::AnswerLimits;
use crate::json::{LeafClass, ScanError, Scanned, Scanner};
use crate::program::TypeNames;
use crate::selection::{EqualId, SelectionField, SelectionId, Selections};
use crate::tree::{Leaf, NodeId, RuntimeType, Slot, Tree, Value, index_of};

/// Why an answer cannot be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerError {
    /// Not a JSON object in UTF-8, or neither `data` nor `errors` in it.
    Malformed,
    /// Nested deeper than the limit.
    TooDeep,
    /// Longer than the limit.
    TooLarge,
}

impl From<ScanError> for AnswerError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Syntax => Self::Malformed,
            ScanError::TooDeep => Self::TooDeep,
        }
    }
}

/// A GraphQL response of a subgraph.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `data` when it is an object.
    pub(crate) data: Option<NodeId>,
    /// The bytes of `errors`, when the answer has it and it is not null.
    pub(crate) errors: Option<Range<usize>>,
}

/// Parses an answer into `tree`.
pub(crate) fn parse_answer(
    tree: &mut Tree,
    bytes: &Bytes,
    selections: &Selections,
    root: SelectionId,
    types: &TypeNames,
    limits: &AnswerLimits,
) -> Result<Answer, AnswerError> {
    if bytes.len() > limits.bytes_max as usize {
        return Err(AnswerError::TooLarge);
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(AnswerError::Malformed);
    }
    let answer = tree.add_answer(bytes.clone()).ok_or(AnswerError::TooLarge)?;
    tree.expect(bytes.len());
    let mark = tree.mark();
    let mut parser = Parser {
        scanner: Scanner::new(bytes),
        input: bytes,
        tree,
        selections,
        types,
        answer,
        slots: Vec::new(),
        items: Vec::new(),
        seen: Vec::new(),
        compared_max: bytes.len().saturating_mul(COMPARED_TIMES_MAX),
        has_shared: false,
    };
    let parsed = parser.response(root, limits.depth_max)?;
    if parsed.errors.is_none() || !parser.has_shared {
        return Ok(parsed);
    }
    // An error names one place: every place must have an object of its own.
    parser.tree.take_back(&mark);
    parser.scanner = Scanner::new(bytes);
    parser.compared_max = 0;
    parser.response(root, limits.depth_max)
}

/// Looking for equal objects compares at most this many times the answer's bytes in vain.
const COMPARED_TIMES_MAX: usize = 4;
/// How many objects of one selection are remembered to compare with: lists often repeat in groups.
const SEEN_MAX: usize = 4;
/// Unlike objects mostly differ this early.
const GLANCE_BYTES: usize = 64;

/// An object that was parsed, to be found again.
#[derive(Debug, Clone, Copy)]
struct Seen {
    start: usize,
    len: usize,
    node: NodeId,
    /// Its own nesting was within this.
    depth_left: u32,
}

/// The last objects of one selection.
#[derive(Debug, Clone, Default)]
struct LastSeen {
    objects: [Option<Seen>; SEEN_MAX],
    oldest: usize,
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    input: &'a [u8],
    tree: &'a mut Tree,
    selections: &'a Selections,
    types: &'a TypeNames,
    answer: u16,
    /// Slots of the objects that are still open: an object's slots must end up side by side in the tree.
    slots: Vec<Slot>,
    /// As `slots`, for lists.
    items: Vec<Value>,
    /// By [`EqualId`].
    seen: Vec<LastSeen>,
    /// Bytes that may still be compared in vain.
    compared_max: usize,
    /// An object stands at several places.
    has_shared: bool,
}

impl Parser<'_> {
    fn response(&mut self, root: SelectionId, depth_max: u32) -> Result<Answer, AnswerError> {
        let (mut data, mut errors, mut has_data) = (None, None, false);
        self.scanner.skip_whitespace();
        self.scanner.expect(b'{')?;
        self.scanner.skip_whitespace();
        let mut more = self.scanner.peek() != b'}';
        if !more {
            self.scanner.advance();
        }
        while more {
            let key = self.key()?;
            if &self.input[key.clone()] == b"data" {
                has_data = true;
                data = match self.value(Some(root), depth_max)? {
                    Value::Object(node) => Some(node),
                    Value::Null => None,
                    _ => return Err(AnswerError::Malformed),
                };
            } else {
                let is_errors = &self.input[key] == b"errors";
                let start = self.scanner.position();
                let scanned = self.scanner.skip_value(depth_max)?;
                if is_errors && scanned != Scanned::Null {
                    errors = Some(start..self.scanner.position());
                }
            }
            more = self.scanner.next_member(b'}')?;
        }
        self.scanner.expect_end()?;
        if !has_data && errors.is_none() {
            return Err(AnswerError::Malformed);
        }
        Ok(Answer { data, errors })
    }

    /// Passes over a key and its colon; gives the range between the quotes.
    fn key(&mut self) -> Result<Range<usize>, AnswerError> {
        let start = self.scanner.position() + 1;
        self.scanner.skip_string()?;
        let end = self.scanner.position() - 1;
        self.scanner.skip_whitespace();
        self.scanner.expect(b':')?;
        self.scanner.skip_whitespace();
        Ok(start..end)
    }

    #[inline]
    fn value(&mut self, selection: Option<SelectionId>, depth_left: u32) -> Result<Value, AnswerError> {
        match (selection, self.scanner.peek()) {
            (Some(selection), b'{') => match self.selections.equal(selection) {
                Some(equal) if self.compared_max > 0 => self.equal_object(selection, equal, depth_left),
                _ => self.object(selection, depth_left),
            }
            .map(Value::Object),
            (Some(selection), b'[') => self.list(selection, depth_left),
            _ => self.leaf(depth_left),
        }
    }

    #[inline]
    fn leaf(&mut self, depth_left: u32) -> Result<Value, AnswerError> {
        let start = self.scanner.position();
        Ok(match self.scanner.skip_value(depth_left)? {
            Scanned::Null => Value::Null,
            Scanned::Leaf(class) => Value::Leaf(Leaf {
                class,
                answer: self.answer,
                start: index_of(start),
                len: index_of(self.scanner.position() - start),
            }),
        })
    }

    fn list(&mut self, selection: SelectionId, depth_left: u32) -> Result<Value, AnswerError> {
        let depth_below = depth_left.checked_sub(1).ok_or(AnswerError::TooDeep)?;
        let mark = self.items.len();
        self.scanner.advance();
        self.scanner.skip_whitespace();
        let mut more = self.scanner.peek() != b']';
        if !more {
            self.scanner.advance();
        }
        while more {
            let item = self.value(Some(selection), depth_below)?;
            self.items.push(item);
            more = self.scanner.next_member(b']')?;
        }
        let list = self.tree.add_list(&self.items[mark..]);
        self.items.truncate(mark);
        Ok(Value::List(list))
    }

    /// An object that may be one with an earlier one of equal bytes.
    fn equal_object(
        &mut self,
        selection: SelectionId,
        equal: EqualId,
        depth_left: u32,
    ) -> Result<NodeId, AnswerError> {
        let equal = usize::from(equal.0);
        if self.seen.len() <= equal {
            self.seen.resize(equal + 1, LastSeen::default());
        }
        let start = self.scanner.position();
        let rest = &self.input[start..];
        for seen in self.seen[equal].objects.iter().flatten().filter(|seen| seen.depth_left <= depth_left) {
            let bytes = &self.input[seen.start..seen.start + seen.len];
            if !rest.starts_with(&bytes[..seen.len.min(GLANCE_BYTES)]) {
                continue;
            }
            if rest.starts_with(bytes) {
                // The same bytes from an opening brace on are the same object.
                self.scanner.pass(seen.len);
                self.tree.mark_shared(seen.node);
                self.has_shared = true;
                return Ok(seen.node);
            }
            self.compared_max = self.compared_max.saturating_sub(seen.len);
        }
        let node = self.object(selection, depth_left)?;
        let last = &mut self.seen[equal];
        let len = self.scanner.position() - start;
        last.objects[last.oldest] = Some(Seen { start, len, node, depth_left });
        last.oldest = (last.oldest + 1) % SEEN_MAX;
        Ok(node)
    }

    fn object(&mut self, selection: SelectionId, depth_left: u32) -> Result<NodeId, AnswerError> {
        let depth_below = depth_left.checked_sub(1).ok_or(AnswerError::TooDeep)?;
        let selections = self.selections;
        let fields = selections.fields(selection);
        let mark = self.slots.len();
        let mut expected = 0;
        let mut runtime_type = RuntimeType::Unasked;
        self.scanner.advance();
        self.scanner.skip_whitespace();
        let mut more = self.scanner.peek() != b'}';
        if !more {
            self.scanner.advance();
        }
        while more {
            match self.next_field(fields, &mut expected)? {
                Some(field) => {
                    let value = self.value(field.selection, depth_below)?;
                    if field.key == Key::TYPENAME {
                        runtime_type = self.runtime_type_of(value);
                    }
                    self.push(mark, Slot { key: field.key, value });
                }
                None => {
                    self.scanner.skip_value(depth_below)?;
                }
            }
            more = self.scanner.next_member(b'}')?;
        }
        let node = self.tree.add_object(&self.slots[mark..], runtime_type);
        self.slots.truncate(mark);
        Ok(node)
    }

    /// The field that the next key names, if it was asked for; the key is consumed.
    #[inline]
    fn next_field<'s>(
        &mut self,
        fields: &'s [SelectionField],
        expected: &mut usize,
    ) -> Result<Option<&'s SelectionField>, AnswerError> {
        if let Some(field) = fields.get(*expected)
            && self.scanner.eat(field.pattern())
        {
            *expected += 1;
            self.scanner.skip_whitespace();
            return Ok(Some(field));
        }
        let range = self.key()?;
        let name = &self.input[range];
        let index = if name.contains(&b'\\') {
            let quoted = [b"\"", name, b"\""].concat();
            let name: String = serde_json::from_slice(&quoted).map_err(|_| AnswerError::Malformed)?;
            fields.iter().position(|field| *field.name == *name)
        } else {
            fields.iter().position(|field| field.name.as_bytes() == name)
        };
        if let Some(index) = index {
            *expected = index + 1;
        }
        Ok(index.map(|index| &fields[index]))
    }

    /// Adds a slot to the open object that began at `mark`. Of two values for one place the present one counts: two
    /// response keys share a place only when their types exclude each other.
    #[inline]
    fn push(&mut self, mark: usize, slot: Slot) {
        match self.slots[mark..].iter_mut().find(|earlier| earlier.key == slot.key) {
            Some(earlier) if slot.value.is_present() => earlier.value = slot.value,
            Some(_) => {}
            None => self.slots.push(slot),
        }
    }

    fn runtime_type_of(&self, typename: Value) -> RuntimeType {
        match typename {
            Value::Leaf(Leaf { class: LeafClass::String, start, len, .. }) => {
                self.types.lookup(&self.input[start as usize + 1..(start + len) as usize - 1])
            }
            _ => RuntimeType::Unasked,
        }
    }
}
