//! One attempt at a plan: every wanted field gets a subgraph, positions are walked from the root down.
//!
//! Elsewhere: parts that are delivered later (`apart.rs`), choosing subgraphs (`choose.rs`), asking them (`place.rs`), entering them (`inputs.rs`).

use ahash::{HashMap, HashSet};

use kopitiam_operation::{FieldNode, NormalisedOperation, OperationKind, PartId};
use kopitiam_supergraph::{SubgraphId, TypeId, TypeSet};

use crate::{
    PlanError,
    conditions::Cond,
    draft::{Build, DraftId, PosId},
    facts::Facts,
    item::{Item, Want},
    reach::{Reached, Reentered},
};

/// What an attempt prefers everywhere, as opposed to its decisions at single choices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strategy {
    /// Enter by key, even when asking the parent's field in another subgraph would be sooner.
    pub(crate) avoids_reentry: bool,
}

pub(crate) struct Attempt<'a, 'f> {
    pub(crate) facts: &'f mut Facts<'a>,
    pub(crate) operation: &'a NormalisedOperation,
    pub(crate) build: Build<'a>,
    /// Which candidate to take at each choice; the best-looking one (0) beyond the end.
    pub(crate) decisions: &'f [usize],
    /// How many candidates each choice had.
    pub(crate) choices: Vec<usize>,
    /// `@requires` fields being considered, so that none needs itself.
    pub(crate) requiring: HashSet<(PosId, TypeId, SubgraphId, &'a str)>,
    /// Subgraphs that are being entered, where, and by which key.
    pub(crate) entering: Vec<(PosId, SubgraphId, &'a kopitiam_supergraph::Key)>,
    /// Root fields may open fetches now.
    pub(crate) opening_root: bool,
    /// The level at which a root fetch opened now would stand.
    pub(crate) root_level: u32,
    /// What a root fetch opened now must wait for.
    pub(crate) root_deps: Vec<DraftId>,
    pub(crate) strategy: Strategy,
    /// The part of the response that is being planned.
    pub(crate) part: PartId,
    /// Fields of a later part are being placed: no fetch of another part takes them, if that can be.
    pub(crate) is_apart: bool,
    /// Whether anything could be had by asking a parent's field again.
    pub(crate) has_reentries: bool,
    /// What [`Attempt::reaches`] found, and when.
    pub(crate) reached: HashMap<(PosId, TypeId), Reached<'a>>,
    /// The same for asking a position's parent again.
    pub(crate) reentered: HashMap<PosId, Reentered>,
}

impl<'a, 'f> Attempt<'a, 'f> {
    pub(crate) fn new(
        facts: &'f mut Facts<'a>,
        operation: &'a NormalisedOperation,
        decisions: &'f [usize],
        strategy: Strategy,
    ) -> Self {
        Self {
            facts,
            operation,
            build: Build::default(),
            decisions,
            choices: Vec::new(),
            requiring: HashSet::default(),
            entering: Vec::new(),
            opening_root: true,
            root_level: 0,
            root_deps: Vec::new(),
            strategy,
            part: PartId::FIRST,
            is_apart: false,
            has_reentries: false,
            reached: HashMap::default(),
            reentered: HashMap::default(),
        }
    }

    /// Builds the whole plan.
    pub(crate) fn run(&mut self) -> Result<(), PlanError> {
        let operation = self.operation;
        let types = TypeSet::one(operation.root);
        let root = self.build.add_position(None, types, &operation.selection.fields);
        let wants = self.client_wants(&operation.selection.fields, Cond::ALWAYS);
        if operation.kind == OperationKind::Query {
            self.resolve(root, &wants)?;
        } else {
            for want in wants {
                self.once(root, want)?;
            }
        }
        self.later_parts(root)
    }

    /// Root fields of a mutation run one after the other (GraphQL specification, section 6.2.2): a field joins the
    /// fetch of the field before it when both are of one subgraph, else it waits for everything before it. It also waits
    /// when that field's payload has a query of which another subgraph is asked: that shows what was done by then, not what
    /// is done next. Neither they nor the one stream of a subscription are asked in a second subgraph for what the first
    /// does not answer.
    fn once(&mut self, root: PosId, want: Want<'a>) -> Result<(), PlanError> {
        // What came before the root fetch before this one is finished when that is.
        let drafts = &self.build.drafts;
        let last = drafts.iter().rposition(|draft| draft.position == root && draft.entities.is_none());
        let before: Vec<DraftId> = (last.unwrap_or(0)..drafts.len()).map(DraftId).collect();
        let queries = before.iter().any(|&id| {
            let draft = self.build.draft(id);
            draft.position != root && draft.entities.is_none()
        });
        let position = &mut self.build.positions[root.0];
        // Only the fetch opened last may take another root field.
        let last = position.sources.pop().filter(|_| !queries);
        position.sources.clear();
        position.sources.extend(last);
        self.build.changed(root);
        self.root_level = before.iter().map(|&id| self.build.draft(id).level + 1).max().unwrap_or(0);
        self.root_deps = before;
        self.opening_root = true;
        let placed = self.place_all(root, &[want])?;
        self.opening_root = false;
        self.descend_all(placed)
    }

    /// The wants of the client's fields at one place, as far as they are delivered with what is being planned.
    pub(crate) fn client_wants(&mut self, fields: &'a [FieldNode], conditions: Cond) -> Vec<Want<'a>> {
        let part = self.part;
        self.wants(fields.iter().filter(|field| field.part == part), conditions)
    }

    pub(crate) fn wants(
        &mut self,
        fields: impl IntoIterator<Item = &'a FieldNode>,
        conditions: Cond,
    ) -> Vec<Want<'a>> {
        let table = &mut self.facts.conditions;
        let mut wants = Vec::new();
        for field in fields {
            let key = self.build.keys.intern(&field.key);
            let own = table.intern(&field.conditions);
            let Some(conditions) = table.and(conditions, own) else { continue };
            wants.push(Want { item: Item::Client(field), on: field.on.clone(), conditions, key });
        }
        wants
    }

    /// Finds a subgraph for each want at a position, then for all that is wanted below.
    pub(crate) fn resolve(&mut self, at: PosId, wants: &[Want<'a>]) -> Result<(), PlanError> {
        let placed = self.place_all(at, wants)?;
        self.descend_all(placed)
    }

    /// Gives each want a subgraph; the slots that have fields below them are returned with their wants.
    fn place_all(
        &mut self,
        at: PosId,
        wants: &[Want<'a>],
    ) -> Result<Vec<(PosId, usize, Want<'a>)>, PlanError> {
        self.check_steps()?;
        self.is_apart = self.part != PartId::FIRST;
        let mut placed = Vec::new();
        for (index, types, candidate) in self.assign(at, wants)? {
            let want = &wants[index];
            let slots = self.place(at, want, &types, &candidate)?;
            for &slot in &slots {
                let fills = &self.build.position(at).slots[slot].fills;
                let drafts: Vec<DraftId> =
                    fills.iter().filter(|fill| fill.on.meets(&types)).map(|fill| fill.draft).collect();
                self.note_needs(drafts);
            }
            placed.extend(slots.into_iter().map(|slot| (at, slot, want.clone())));
        }
        Ok(placed)
    }

    fn descend_all(&mut self, placed: Vec<(PosId, usize, Want<'a>)>) -> Result<(), PlanError> {
        for (at, slot, want) in placed {
            self.descend(at, slot, &want)?;
        }
        Ok(())
    }

    fn descend(&mut self, at: PosId, slot: usize, want: &Want<'a>) -> Result<(), PlanError> {
        let Some(child) = self.build.position(at).slots[slot].child else { return Ok(()) };
        let Item::Client(field) = want.item else { return Ok(()) };
        if client_needs_typename(self.facts, field) {
            let types = self.build.position(child).types.clone();
            let brought = self.typename(child, &types, want.conditions)?;
            self.note_needs(brought);
        }
        let wants = self.client_wants(&field.selection.fields, want.conditions);
        self.resolve(child, &wants)
    }

    pub(crate) fn check_steps(&mut self) -> Result<(), PlanError> {
        self.facts.steps += 1;
        if self.facts.exhausted() { Err(PlanError::TooComplex) } else { Ok(()) }
    }

    pub(crate) fn unreachable(&self, ty: TypeId, item: Item<'a>) -> PlanError {
        PlanError::Unreachable { place: format!("{}.{}", self.facts.supergraph.ty(ty).name, item.name()) }
    }
}

/// Whether the response cannot be shaped below a field without the objects' runtime types.
pub(crate) fn client_needs_typename(facts: &Facts<'_>, field: &FieldNode) -> bool {
    let base = facts.supergraph.ty(field.base);
    if base.kind == kopitiam_supergraph::TypeKind::Object || field.selection.fields.is_empty() {
        return false;
    }
    let visible: TypeSet = base.possible.iter().filter(|&ty| facts.supergraph.ty(ty).accessible).collect();
    visible != base.possible
        || field.selection.fields.iter().any(|child| {
            child.is_typename()
                || child.on != visible
                || crate::shape::nullabilities(facts.supergraph, child).len() > 1
        })
}
