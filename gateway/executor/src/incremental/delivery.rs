//! What of a response is announced, delivered and completed with which payload.
//!
//! In: which fetches are done, and the tree. Out: payloads.
//! Always: a fragment is announced after what stands around it and after the fragment it is nested in, and completed once,
//! when the fetches of all its parts are done; fields of several fragments are delivered once, with the first of them; a
//! null that leaves a fragment fails that fragment alone, and what is nested in it is never announced.
//! Elsewhere: writing the pieces (`later.rs`) and the payloads (`format.rs`).
//!
//! # Source
//! GraphQL specification, working draft with incremental delivery, section 6 "Execution" and 7 "Response".

use std::collections::HashMap;
use std::sync::Arc;

use kopitiam_plan::{FragmentId, PartId};

use super::Payload;
use super::format::{Awaited, Body, Delivered, IncrementalFormat};
use super::later::{Later, Note, What};
use crate::errors::{ErrorCode, ErrorList, Segment};
use crate::program::Holding;
use crate::project::{Material, Writer, too_large};
use crate::run::{Execution, State};
use crate::tree::{CauseId, index_of};
use crate::variables::Variables;
use crate::waves::Waves;

/// A piece of the response that is left to deliver.
struct Piece {
    note: Note,
    /// Those that wait for it.
    owners: Vec<usize>,
    written: Option<Written>,
    is_delivered: bool,
}

/// A piece as JSON.
struct Written {
    json: Vec<u8>,
    /// Without brackets.
    errors: Option<Vec<u8>>,
    /// A null left it, or it is too large.
    is_failed: bool,
}

/// A fragment at one place of the response, or a streamed list.
struct Entry {
    awaited: Awaited,
    fragment: Option<FragmentId>,
    /// The fragment that it is nested in.
    parent: Option<usize>,
    /// The piece that it stands in; `None` for the first payload.
    inside: Option<usize>,
    pieces: Vec<usize>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Hidden,
    Pending,
    Done,
    Failed,
}

/// See the module's header.
pub(super) struct Delivery<'a> {
    execution: Execution<'a>,
    format: IncrementalFormat,
    variables: Arc<Variables>,
    /// Which conditions hold while a part is written, once it is.
    holdings: Vec<Option<Holding>>,
    /// By part, how many of its fetches are not done: for the first items of streamed lists, and for the others too.
    waits: Vec<[usize; 2]>,
    /// By fetch, the parts that wait for it.
    waiting: Vec<Vec<usize>>,
    /// By cause, the sending it came with.
    causes: Vec<u32>,
    pieces: Vec<Piece>,
    entries: Vec<Entry>,
    known: HashMap<(FragmentId, Vec<Segment>), usize>,
    next_id: usize,
    is_started: bool,
    bytes_left: usize,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(execution: Execution<'a>, format: IncrementalFormat, waves: Option<&Waves>) -> Self {
        let program = execution.program;
        let parts = &program.deferral.parts;
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); program.fetches.len()];
        for (part, fetches) in parts.iter().map(|part| &part.fetches).enumerate() {
            for fetch in fetches {
                waiting[fetch.0 as usize].push(part);
            }
        }
        if parts.is_empty() {
            // Lists are streamed, but nothing is deferred.
            for parts in &mut waiting {
                parts.push(0);
            }
        }
        let mut waits = vec![[0; 2]; parts.len().max(1)];
        for (fetch, parts) in (0..).zip(&waiting) {
            let is_twice = waves.is_some_and(|waves| waves.second(fetch).is_some());
            for &part in parts {
                waits[part][0] += 1;
                waits[part][1] += 1 + usize::from(is_twice);
            }
        }
        Self {
            execution,
            format,
            variables: Arc::new(execution.variables.clone()),
            holdings: waits.iter().map(|_| None).collect(),
            waits,
            waiting,
            causes: Vec::new(),
            pieces: Vec::new(),
            entries: Vec::new(),
            known: HashMap::new(),
            next_id: 0,
            is_started: false,
            bytes_left: execution.limits.response_bytes_max,
        }
    }

    /// A sending has brought causes of failure: up to so many there are now.
    pub(super) fn caused_by(&mut self, sending: u32, causes: usize) {
        self.causes.resize(causes.max(self.causes.len()), sending);
    }

    /// A sending is done.
    pub(super) fn finished(&mut self, sending: u32, causes: usize) {
        self.caused_by(sending, causes);
        let is_first = (sending as usize) < self.waiting.len();
        for &part in &self.waiting[sending as usize % self.waiting.len()] {
            self.waits[part][0] -= usize::from(is_first);
            self.waits[part][1] -= 1;
        }
    }

    /// Whether a cause came with what a part waits for.
    fn concerns(&self, cause: usize, part: usize, is_beyond: bool) -> Option<bool> {
        let sending = *self.causes.get(cause)? as usize;
        let fetches = self.waiting.len();
        Some((is_beyond || sending < fetches) && self.waiting[sending % fetches].contains(&part))
    }

    /// The next payload, if there is anything to deliver by now.
    pub(super) fn next(&mut self, state: &mut State<'a>) -> Option<Payload> {
        if self.is_started {
            return self.later_payload(state);
        }
        if self.waits[0][0] > 0 {
            return None;
        }
        self.is_started = true;
        Some(self.first_payload(state))
    }

    fn first_payload(&mut self, state: &mut State<'a>) -> Payload {
        state.catch_up();
        let causes: Vec<bool> =
            (0..state.causes.count()).map(|cause| self.concerns(cause, 0, false).unwrap_or(true)).collect();
        let concerns = |cause: usize| causes.get(cause).copied().unwrap_or(true);
        let holding = self.holdings[0].get_or_insert_with(|| {
            self.execution.program.conditions.evaluate(self.execution.variables, PartId::FIRST)
        });
        let capacity = state.tree.answer_bytes() + state.tree.answer_bytes() / 4 + 256;
        let mut writer = Writer::new(material(self.execution, state, holding), capacity);
        writer.later = Later::new(PartId::FIRST, false, &self.variables);
        if writer.response(concerns).is_err() {
            return Payload { body: too_large(), has_next: false, has_errors: true };
        }
        // As for whole responses: nothing but a list of errors ends so.
        let has_errors = writer.out.ends_with(b"]");
        let mut out = std::mem::take(&mut writer.out);
        let notes = std::mem::take(&mut writer.later).into_notes();
        self.bytes_left = self.bytes_left.saturating_sub(out.len()).max(1);
        self.add(notes, None);
        let mut body = Body::default();
        self.release(&mut body);
        let has_next = self.has_next();
        if has_next {
            body.write_into(&mut out, true);
        } else {
            out.push(b'}');
        }
        Payload { body: out.into(), has_next, has_errors }
    }

    fn later_payload(&mut self, state: &mut State<'a>) -> Option<Payload> {
        let mut body = Body::default();
        let mut changed = true;
        while changed {
            changed = self.write(state);
            self.release(&mut body);
            changed |= self.complete(&mut body);
            self.release(&mut body);
        }
        // In the older format nothing is announced or completed, but the last payload says that it is the last.
        let has_next = self.has_next();
        (!body.is_empty() || !has_next).then(|| {
            let body = body.finish(has_next).into();
            Payload { body, has_next, has_errors: false }
        })
    }

    fn has_next(&self) -> bool {
        // What is hidden waits for something that is pending, or for ever.
        self.entries.iter().any(|entry| entry.stage == Stage::Pending)
    }

    fn add(&mut self, notes: Vec<Note>, inside: Option<usize>) {
        for note in notes {
            let piece = self.pieces.len();
            let owners: Vec<usize> = match note.what {
                What::Fields { part, .. } => {
                    let fragments = &self.execution.program.deferral.parts[part.0 as usize].fragments;
                    fragments.iter().map(|&fragment| self.entry(fragment, &note.path, inside)).collect()
                }
                What::Items { field, .. } => {
                    let stream = &self.execution.program.shape.field(field).stream;
                    let label = stream.as_ref().and_then(|stream| stream.label.clone());
                    vec![self.add_entry(label, note.path.clone(), (None, None), inside)]
                }
            };
            for &owner in &owners {
                self.entries[owner].pieces.push(piece);
            }
            self.pieces.push(Piece { note, owners, written: None, is_delivered: false });
        }
    }

    /// The entry of a fragment that a place belongs to.
    fn entry(&mut self, fragment: FragmentId, path: &[Segment], inside: Option<usize>) -> usize {
        let found = &self.execution.program.deferral.fragments[fragment.0 as usize];
        let own = prefix(path, found.depth);
        if let Some(&known) = self.known.get(&(fragment, own.to_vec())) {
            return known;
        }
        let parent = found.parent.map(|parent| self.entry(parent, path, inside));
        let entry = self.add_entry(found.label.clone(), own.to_vec(), (Some(fragment), parent), inside);
        self.known.insert((fragment, own.to_vec()), entry);
        entry
    }

    fn add_entry(
        &mut self,
        label: Option<Box<str>>,
        path: Vec<Segment>,
        (fragment, parent): (Option<FragmentId>, Option<usize>),
        inside: Option<usize>,
    ) -> usize {
        let awaited = Awaited { id: 0, label, path };
        let (pieces, stage) = (Vec::new(), Stage::Hidden);
        self.entries.push(Entry { awaited, fragment, parent, inside, pieces, stage });
        self.entries.len() - 1
    }

    /// Announces what may be announced by now. A fragment without fields of its own is done at once.
    fn release(&mut self, body: &mut Body) {
        let mut index = 0;
        while index < self.entries.len() {
            let entry = &self.entries[index];
            let is_due = entry.stage == Stage::Hidden
                && entry.parent.is_none_or(|parent| self.entries[parent].stage == Stage::Done)
                && entry.inside.is_none_or(|piece| self.pieces[piece].is_delivered);
            // A fragment's parent stands before it.
            if is_due {
                let id = self.next_id;
                let entry = &mut self.entries[index];
                if entry.pieces.is_empty() {
                    entry.stage = Stage::Done;
                } else {
                    self.next_id += 1;
                    entry.awaited.id = id;
                    entry.stage = Stage::Pending;
                    body.pending(self.format, &entry.awaited);
                }
            }
            index += 1;
        }
    }

    /// Writes all pieces whose fetches are done; whether there were any.
    fn write(&mut self, state: &mut State<'a>) -> bool {
        let mut written: Vec<usize> = Vec::new();
        let mut index = 0;
        while index < self.pieces.len() {
            let piece = &self.pieces[index];
            let is_wanted = piece.written.is_none()
                && self.waits[part_of(&piece.note).0 as usize][usize::from(piece.note.is_beyond)] == 0
                && piece.owners.iter().any(|&owner| self.entries[owner].stage != Stage::Failed);
            if is_wanted {
                if written.is_empty() {
                    state.catch_up();
                }
                self.write_piece(index, state);
                written.push(index);
            }
            index += 1;
        }
        for &index in &written {
            self.add_strays(index, state);
        }
        !written.is_empty()
    }

    fn write_piece(&mut self, index: usize, state: &mut State<'a>) {
        let part = part_of(&self.pieces[index].note);
        let holding = self.holdings[part.0 as usize].get_or_insert_with(|| {
            self.execution.program.conditions.evaluate(self.execution.variables, part)
        });
        let mut writer = Writer::new(material(self.execution, state, holding), 256);
        writer.bytes_max = self.bytes_left;
        writer.later = Later::new(part, self.pieces[index].note.is_beyond, &self.variables);
        let result = writer.write_later(&self.pieces[index].note);
        if writer.is_too_large() {
            writer.errors = ErrorList::new(1, &self.execution.limits.errors);
            writer.errors.push_plain("The response is too large.", ErrorCode::ResponseTooLarge);
        }
        let is_failed = result.is_err() || writer.is_too_large();
        let json = std::mem::take(&mut writer.out);
        let errors = writer.take_errors().finish();
        let notes = std::mem::take(&mut writer.later).into_notes();
        self.bytes_left = self.bytes_left.saturating_sub(json.len()).max(1);
        self.pieces[index].written = Some(Written { json, errors, is_failed });
        if !is_failed {
            self.add(notes, Some(index));
        }
    }

    /// Errors of a part's fetches that no field shows are told with its first piece.
    fn add_strays(&mut self, index: usize, state: &mut State<'a>) {
        let Piece { note, written, .. } = &self.pieces[index];
        let (part, is_beyond) = (part_of(note).0 as usize, note.is_beyond);
        let Some(written) = written.as_ref().filter(|written| !written.is_failed) else { return };
        let is_clean = written.errors.is_none();
        let limits = self.execution.limits;
        let mut strays = ErrorList::new(limits.errors_max, &limits.errors);
        for number in 0..state.causes.count() {
            let id = CauseId(index_of(number));
            let cause = state.causes.get(id);
            let concerns = self.concerns(number, part, is_beyond).unwrap_or(false);
            if concerns && cause.is_unreported() && (cause.is_subgraphs_own || is_clean) {
                strays.push_cause(state.causes.report(id), None);
            }
        }
        if let (Some(strays), Some(written)) = (strays.finish(), &mut self.pieces[index].written) {
            let errors = written.errors.get_or_insert_default();
            join(errors, &strays);
        }
    }

    /// Delivers what is complete; whether there was anything.
    fn complete(&mut self, body: &mut Body) -> bool {
        let mut changed = false;
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if entry.stage != Stage::Pending || !self.is_complete(entry) {
                continue;
            }
            changed = true;
            let pieces = entry.pieces.clone();
            let failed = |&piece: &usize| self.pieces[piece].written.as_ref().is_some_and(|it| it.is_failed);
            if pieces.iter().any(failed) {
                let failed = pieces.iter().copied().filter(|piece| failed(piece)).collect();
                self.fail(index, failed, body);
                continue;
            }
            for piece in pieces {
                self.deliver(piece, index, body);
            }
            body.completed(self.format, &self.entries[index].awaited);
            self.entries[index].stage = Stage::Done;
        }
        changed
    }

    fn is_complete(&self, entry: &Entry) -> bool {
        let is_beyond = entry.inside.is_some_and(|piece| self.pieces[piece].note.is_beyond);
        let parts = self.execution.program.deferral.parts.iter().zip(&self.waits);
        let mut of_it = parts
            .filter(|(part, _)| entry.fragment.is_some_and(|fragment| part.fragments.contains(&fragment)));
        of_it.all(|(_, waits)| waits[usize::from(is_beyond)] == 0)
            && entry.pieces.iter().all(|&piece| self.pieces[piece].written.is_some())
            && !self.may_get_more(entry)
    }

    /// Whether items are still to be written that may hold fields of a fragment that stands around their list.
    fn may_get_more(&self, entry: &Entry) -> bool {
        let Some(fragment) = entry.fragment else { return false };
        let parts = &self.execution.program.deferral.parts;
        self.pieces.iter().any(|piece| {
            piece.written.is_none()
                && matches!(piece.note.what, What::Items { .. })
                && !parts
                    .get(piece.note.around.0 as usize)
                    .is_some_and(|part| part.fragments.contains(&fragment))
                && piece.note.path.starts_with(&entry.awaited.path)
                && piece.owners.iter().any(|&owner| self.entries[owner].stage != Stage::Failed)
        })
    }

    fn fail(&mut self, index: usize, failed: Vec<usize>, body: &mut Body) {
        let mut errors: Vec<u8> = Vec::new();
        for piece in failed {
            let Some(written) = &self.pieces[piece].written else { continue };
            if let Some(more) = &written.errors {
                join(&mut errors, more);
            }
        }
        let entry = &mut self.entries[index];
        entry.stage = Stage::Failed;
        let start = entry.pieces.iter().find_map(|&piece| start_of(&self.pieces[piece].note));
        body.failed(self.format, &entry.awaited, start, Some(&errors));
    }

    /// Delivers a piece with the nearest of those that wait for it, if that was not done yet.
    fn deliver(&mut self, piece: usize, with: usize, body: &mut Body) {
        let found = &mut self.pieces[piece];
        if std::mem::replace(&mut found.is_delivered, true) {
            return;
        }
        let Some(Written { json, errors, .. }) = &found.written else { return };
        let pending = found.owners.iter().filter(|&&owner| self.entries[owner].stage == Stage::Pending);
        let nearest = pending.max_by_key(|&&owner| (self.entries[owner].awaited.path.len(), owner == with));
        let delivered = Delivered {
            path: &found.note.path,
            start: start_of(&found.note),
            json,
            errors: errors.as_deref(),
        };
        body.delivered(self.format, &self.entries[*nearest.unwrap_or(&with)].awaited, delivered);
    }
}

/// The part whose fetches must be done before a piece can be written.
fn part_of(note: &Note) -> PartId {
    match note.what {
        What::Fields { part, .. } => part,
        What::Items { .. } => note.around,
    }
}

fn start_of(note: &Note) -> Option<usize> {
    match note.what {
        What::Fields { .. } => None,
        What::Items { start, .. } => Some(start),
    }
}

/// Adds errors to a list without brackets.
fn join(errors: &mut Vec<u8>, more: &[u8]) {
    if !errors.is_empty() {
        errors.push(b',');
    }
    errors.extend_from_slice(more);
}

/// The beginning of a path with so many fields, and the indexes behind the last of them.
fn prefix(path: &[Segment], fields: u32) -> &[Segment] {
    let mut left = fields;
    let end = path.iter().position(|segment| {
        let is_field = matches!(segment, Segment::Key(_));
        let is_beyond = is_field && left == 0;
        left -= u32::from(is_field && !is_beyond);
        is_beyond
    });
    &path[..end.unwrap_or(path.len())]
}

fn material<'m>(execution: Execution<'m>, state: &'m mut State<'_>, holding: &'m Holding) -> Material<'m> {
    let Execution { program, introspection, limits, .. } = execution;
    Material { tree: &state.tree, program, holding, introspection, causes: &mut state.causes, limits }
}
