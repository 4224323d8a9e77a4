//! Parts of a response that are delivered later (`@defer`): they get fetches of their own, so that nothing waits for what
//! only they need.
//!
//! Always: the parts are planned one after the other on one build. What an earlier one has asked is there for a later one
//! too, as are its objects and their keys; a field that only a later part asks is put into a fetch of that part, where its
//! objects can be entered again: at the root, or by a key. Where they cannot, it is asked with the earlier part.
//! Elsewhere: which part a field belongs to (`operation/normalise`), the proof (`plan/check/deferral.rs`).

use std::collections::BTreeSet;

use ahash::HashSet;
use kopitiam_operation::{FieldNode, OperationKind, PartId};
use kopitiam_plan::FetchId;
use kopitiam_supergraph::TypeId;

use crate::{
    PlanError,
    attempt::Attempt,
    conditions::Cond,
    draft::{Build, DraftId, PosId},
    facts::Entry,
    pack::{Request, request_of},
    reach::{Reach, Reaches, Way},
};

impl<'a> Attempt<'a, '_> {
    /// Plans what is delivered later, when all that is delivered first is planned.
    pub(crate) fn later_parts(&mut self, root: PosId) -> Result<(), PlanError> {
        let operation = self.operation;
        if operation.incremental.parts.len() <= 1 {
            return Ok(());
        }
        let fields = &operation.selection.fields;
        let mut done: HashSet<u32> = HashSet::default();
        for field in fields.iter().filter(|field| field.part == PartId::FIRST) {
            finish(field, &mut done);
        }
        loop {
            let mut open = Vec::new();
            self.open_fields(root, fields, &done, &mut open);
            let Some(&(_, first)) = open.first() else { return Ok(()) };
            self.part = first.part;
            open.retain(|(_, field)| field.part == first.part);
            let mut rest = open.as_slice();
            while let Some(&(at, _)) = rest.first() {
                let here = rest.iter().take_while(|(other, _)| *other == at).count();
                let (now, later) = rest.split_at(here);
                let wants = self.wants(now.iter().map(|(_, field)| *field), Cond::ALWAYS);
                self.resolve(at, &wants)?;
                rest = later;
            }
            for (_, field) in open {
                finish(field, &mut done);
            }
        }
    }

    /// The fields whose objects are planned, and they are not, with their positions.
    fn open_fields(
        &mut self,
        at: PosId,
        fields: &'a [FieldNode],
        done: &HashSet<u32>,
        open: &mut Vec<(PosId, &'a FieldNode)>,
    ) {
        let mut below = Vec::new();
        for field in fields {
            if !done.contains(&field.id) {
                open.push((at, field));
                continue;
            }
            let key = self.build.keys.intern(&field.key);
            let position = self.build.position(at);
            for index in position.slot_keys.places_of(key) {
                let slot = &position.slots[index];
                let same = slot.name == &field.name && slot.arguments == &*field.arguments;
                if let Some(child) = slot.child
                    && same
                    && slot.on.meets(&field.on)
                {
                    below.push((child, &field.selection.fields));
                }
            }
        }
        for (child, fields) in below {
            self.open_fields(child, fields, done, open);
        }
    }

    /// Whether more fields may be put into a fetch: any, unless fields of a later part are being placed.
    pub(crate) fn is_open(&self, draft: DraftId) -> bool {
        !self.is_apart || self.build.draft(draft).part == self.part
    }

    /// Runs with every fetch open: for what is not delivered, such as keys.
    pub(crate) fn together<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> R {
        let apart = std::mem::replace(&mut self.is_apart, false);
        let result = run(self);
        self.is_apart = apart;
        result
    }

    /// Notes the fetches that bring a field to the part being planned.
    pub(crate) fn note_needs(&mut self, drafts: impl IntoIterator<Item = DraftId>) {
        if self.operation.incremental.parts.len() > 1 {
            self.build.needs.entry(self.part).or_default().extend(drafts);
        }
    }

    /// For a later part: fetches of its own in place of fetches that are not open to it.
    pub(crate) fn apart(&mut self, at: PosId, ty: TypeId, reaches: &mut Reaches<'a>) {
        if !self.is_apart {
            return;
        }
        let is_root = self.build.position(at).parent.is_none();
        let levels: Vec<Option<u32>> = reaches.iter().map(|reach| reach.map(|reach| reach.level)).collect();
        let typename = self.typename_level(at, ty, reaches);
        for subgraph in self.facts.supergraph.subgraph_ids() {
            let Some(Reach { way: Way::Source(source), .. }) = reaches[subgraph.index()] else { continue };
            if self.is_open(self.build.position(at).sources[source].draft) {
                continue;
            }
            let own = self.build.position(at).sources.iter().enumerate().filter(|(_, source)| {
                source.subgraph == subgraph
                    && source.is_shared()
                    && source.types.contains(ty)
                    && self.is_open(source.draft)
            });
            let own = own.map(|(index, source)| (self.build.draft(source.draft).level, index)).min();
            if let Some((level, index)) = own {
                reaches[subgraph.index()] = Some(Reach { level, way: Way::Source(index) });
            } else if is_root && self.operation.kind == OperationKind::Query {
                reaches[subgraph.index()] = Some(Reach { level: self.root_level, way: Way::Root });
            } else if let Some((level, entry)) = self.entry(at, ty, subgraph, &levels, typename) {
                reaches[subgraph.index()] = Some(Reach { level, way: Way::Hop(entry) });
            }
        }
    }

    /// The soonest way into a subgraph by a key.
    fn entry(
        &mut self,
        at: PosId,
        ty: TypeId,
        subgraph: kopitiam_supergraph::SubgraphId,
        levels: &[Option<u32>],
        typename: Option<u32>,
    ) -> Option<(u32, Entry<'a>)> {
        let mut best: Option<(u32, Entry<'a>)> = None;
        for &entry in self.facts.entries(subgraph, ty).iter() {
            let Some(mut level) = self.set_level_at(at, ty, &entry.key.fields, levels) else { continue };
            if self.facts.names_runtime_type(&entry) {
                let Some(known) = typename else { continue };
                level = level.max(known);
            }
            if best.is_none_or(|(old, _)| level + 1 < old) {
                best = Some((level + 1, entry));
            }
        }
        best
    }
}

/// A field is planned, and so is all of its part below it.
fn finish(field: &FieldNode, done: &mut HashSet<u32>) {
    done.insert(field.id);
    for child in field.selection.fields.iter().filter(|child| child.part == field.part) {
        finish(child, done);
    }
}

/// The fetches that each part of the operation waits for, with all that those wait for.
pub(crate) fn fetches(build: &Build<'_>, requests: &[Request], parts: usize) -> Vec<Vec<FetchId>> {
    let request_of = request_of(requests);
    let mut all = Vec::with_capacity(parts);
    for number in 0..parts {
        let part = PartId(u32::try_from(number).expect("parts fit in u32"));
        let mut found: BTreeSet<usize> = BTreeSet::new();
        let mut open: Vec<usize> =
            build.needs.get(&part).into_iter().flatten().map(|draft| request_of[draft]).collect();
        while let Some(next) = open.pop() {
            if found.insert(next) {
                let deps = requests[next].drafts.iter().flat_map(|&draft| &build.draft(draft).deps);
                open.extend(deps.map(|dep| request_of[dep]));
            }
        }
        let ids = found.into_iter().map(|index| FetchId(u32::try_from(index).expect("fetches fit in u32")));
        all.push(ids.collect());
    }
    all
}
