//! Chooses a subgraph for every want at a position: all are looked at together, so that few subgraphs do.

use ahash::HashSet;
use kopitiam_supergraph::{FieldView, SubgraphId, TypeId, TypeKind, TypeSet};

use crate::{
    PlanError,
    attempt::Attempt,
    draft::PosId,
    facts::{Cost, Owner},
    item::Want,
    reach::{Candidate, Way},
};

/// Candidates of one want for one runtime type, with what they cost below.
struct Open<'a> {
    want: usize,
    ty: TypeId,
    candidates: Vec<(Candidate<'a>, Cost)>,
}

/// A want's index, the runtime types, and the candidate that answers it for them.
pub(crate) type Assigned<'a> = (usize, TypeSet, Candidate<'a>);

/// Smaller is better: unanswerable leaves, indirect owners, levels beyond the unavoidable ones, fetches, levels.
type Score = (u32, u8, u32, u32, u32, u32, u32, u32);

impl<'a> Attempt<'a, '_> {
    pub(crate) fn assign(&mut self, at: PosId, wants: &[Want<'a>]) -> Result<Vec<Assigned<'a>>, PlanError> {
        let mut open = self.open(at, wants)?;
        let bound = open.iter().map(best_level).max().unwrap_or(0);
        let mut order: Vec<usize> = (0..open.len()).collect();
        order.sort_by_key(|&index| open[index].candidates.len());
        let mut opened: HashSet<SubgraphId> = HashSet::default();
        let mut preferred: Vec<Option<SubgraphId>> = vec![None; wants.len()];
        for index in order {
            let entry = &mut open[index];
            let want = entry.want;
            entry.candidates.sort_by_key(|found| score(found, bound, &opened));
            if let Some(subgraph) = preferred[want] {
                entry.candidates.sort_by_key(|(found, _)| found.owner.subgraph != subgraph);
            } else if is_choice(entry) {
                let options = entry.candidates.len().min(4);
                let taken = self.decisions.get(self.choices.len()).copied().unwrap_or(0).min(options - 1);
                self.choices.push(options);
                entry.candidates.swap(0, taken);
                if taken > 0 {
                    preferred[want] = Some(entry.candidates[0].0.owner.subgraph);
                }
            }
            opened.insert(entry.candidates[0].0.owner.subgraph);
        }
        Ok(self.grouped(at, wants, &open))
    }

    fn open(&mut self, at: PosId, wants: &[Want<'a>]) -> Result<Vec<Open<'a>>, PlanError> {
        let mut open = Vec::new();
        for (index, want) in wants.iter().enumerate() {
            if !want.item.is_asked() {
                continue;
            }
            self.check_steps()?;
            let here = want.on.and(&self.build.position(at).types);
            let mut by_type: Vec<(TypeId, Vec<Candidate<'a>>)> =
                here.iter().map(|ty| (ty, self.candidates(at, want.item, ty))).collect();
            keep_whole_reentries(&mut by_type);
            for (ty, candidates) in by_type {
                if candidates.is_empty() {
                    return Err(self.unreachable(ty, want.item));
                }
                self.facts.steps += candidates.len() / 4;
                let costed = candidates.into_iter().map(|found| {
                    let cost = self.facts.cost(want.item, found.owner.subgraph, found.owner.view);
                    (found, cost)
                });
                open.push(Open { want: index, ty, candidates: costed.collect() });
            }
        }
        Ok(open)
    }

    /// Runtime types that get a want the same way are served together.
    fn grouped(&mut self, at: PosId, wants: &[Want<'a>], open: &[Open<'a>]) -> Vec<Assigned<'a>> {
        let mut found: Vec<Assigned<'a>> = Vec::new();
        for entry in open {
            let candidate = entry.candidates[0].0;
            // Those of one want stand together.
            let mut of_want = found.iter_mut().rev().take_while(|(want, ..)| *want == entry.want);
            match of_want.find(|(_, _, other)| alike(other, &candidate)) {
                Some((_, types, _)) => types.insert(entry.ty),
                None => found.push((entry.want, TypeSet::one(entry.ty), candidate)),
            }
        }
        found = self.at_interface(at, wants, &found);
        found.sort_by_key(|(want, ..)| *want);
        found
    }

    /// Where one source gives a field for all its types and its interface declares the field too, it is asked on the
    /// interface: one field in the document, one place in the tree, instead of one for each type.
    fn at_interface(
        &mut self,
        at: PosId,
        wants: &[Want<'a>],
        assigned: &[Assigned<'a>],
    ) -> Vec<Assigned<'a>> {
        let mut merged: Vec<Assigned<'a>> = Vec::new();
        for (want, types, candidate) in assigned.iter().cloned() {
            let first = merged.iter().rposition(|(other, ..)| *other != want).map_or(0, |last| last + 1);
            let found = (first..merged.len()).find(|&index| same_source(&merged[index].2, &candidate));
            let interface = self.interface_owner(at, &candidate, wants[want].item.name());
            let interface = interface.filter(|_| self.speaks_for_all(at, assigned, want, &candidate));
            match (found, interface) {
                (Some(index), Some(owner)) => {
                    merged[index].1 = merged[index].1.or(&types);
                    merged[index].2.owner = owner;
                }
                _ => merged.push((want, types, candidate)),
            }
        }
        merged
    }

    /// Whether the interface's field may stand for those of the types: they are one in the subgraph, or all types are
    /// asked, so that the document names none of them.
    fn speaks_for_all(
        &self,
        at: PosId,
        assigned: &[Assigned<'a>],
        want: usize,
        candidate: &Candidate<'a>,
    ) -> bool {
        let Way::Source(source) = candidate.way else { return false };
        let same =
            || assigned.iter().filter(|(other, _, found)| *other == want && same_source(found, candidate));
        if same().all(|(_, _, found)| found.owner.view.ty == candidate.owner.view.ty) {
            return true;
        }
        let supergraph = self.facts.supergraph;
        let possible = &self.build.node(self.build.position(at).sources[source].node).possible;
        let asked = same().fold(TypeSet::empty(), |all, (_, types, _)| all.or(types));
        possible.iter().all(|ty| asked.contains(ty) || !supergraph.ty(ty).accessible)
    }

    fn interface_owner(&self, at: PosId, candidate: &Candidate<'a>, name: &str) -> Option<Owner<'a>> {
        let Way::Source(source) = candidate.way else { return None };
        let source = &self.build.position(at).sources[source];
        let interface = self.build.node(source.node).static_type?;
        let supergraph = self.facts.supergraph;
        if supergraph.ty(interface).kind != TypeKind::Interface || source.opaque.is_some() {
            return None;
        }
        // What @provides and @requires say belongs to the object type's field alone.
        let plain = |view: &FieldView| view.provides.is_none() && !view.needs_inputs();
        let view = supergraph.field_in(source.subgraph, interface, name)?;
        if !plain(view) || !plain(candidate.owner.view) {
            return None;
        }
        Some(Owner { view, ..candidate.owner })
    }
}

/// The parent is only asked in another subgraph when that answers for all runtime types: two subgraphs that each answer
/// for some of them need not agree on which object it is.
fn keep_whole_reentries(by_type: &mut [(TypeId, Vec<Candidate<'_>>)]) {
    let everywhere: Vec<SubgraphId> = by_type.first().map_or_else(Vec::new, |(_, first)| {
        let subgraphs = first.iter().map(|found| found.owner.subgraph);
        subgraphs
            .filter(|subgraph| {
                by_type.iter().all(|(_, all)| all.iter().any(|found| found.owner.subgraph == *subgraph))
            })
            .collect()
    });
    for (_, candidates) in by_type {
        candidates
            .retain(|found| !matches!(found.way, Way::Reentry) || everywhere.contains(&found.owner.subgraph));
    }
}

fn best_level(open: &Open<'_>) -> u32 {
    let least = open.candidates.iter().map(|(_, cost)| cost.broken).min().unwrap_or(0);
    let sound = open.candidates.iter().filter(|(_, cost)| cost.broken == least);
    sound.map(|(found, cost)| found.level + cost.levels).min().unwrap_or(0)
}

fn score(found: &(Candidate<'_>, Cost), bound: u32, opened: &HashSet<SubgraphId>) -> Score {
    let (candidate, cost) = found;
    let level = candidate.level + cost.levels;
    let new = match candidate.way {
        Way::Source(_) => candidate.owner.view.needs_inputs(),
        _ => !opened.contains(&candidate.owner.subgraph),
    };
    (
        cost.broken,
        candidate.owner.rank,
        level.saturating_sub(bound),
        cost.fetches + u32::from(new),
        level,
        cost.remote,
        cost.dropped,
        u32::from(!matches!(candidate.way, Way::Source(_)))
            + u32::from(matches!(candidate.way, Way::Reentry)),
    )
}

/// Whether another candidate than the best-looking one may lead to a better plan.
fn is_choice(open: &Open<'_>) -> bool {
    let (best, cost) = &open.candidates[0];
    let free = matches!(best.way, Way::Source(_)) && *cost == Cost::default();
    open.candidates.len() > 1 && !free
}

/// Whether both take the field from one source, with nothing to be fetched first.
fn same_source(a: &Candidate<'_>, b: &Candidate<'_>) -> bool {
    match (&a.way, &b.way) {
        (Way::Source(left), Way::Source(right)) => {
            left == right && !a.owner.view.needs_inputs() && !b.owner.view.needs_inputs()
        }
        _ => false,
    }
}

/// Whether two runtime types get a field the same way.
pub(crate) fn alike(a: &Candidate<'_>, b: &Candidate<'_>) -> bool {
    let same_way = match (&a.way, &b.way) {
        (Way::Source(left), Way::Source(right)) => left == right,
        (Way::Root, Way::Root) | (Way::Reentry, Way::Reentry) | (Way::Hop(_), Way::Hop(_)) => true,
        _ => false,
    };
    same_way
        && a.owner.subgraph == b.owner.subgraph
        && a.owner.view.ty == b.owner.view.ty
        && a.owner.view.requires == b.owner.view.requires
        && a.owner.view.contexts == b.owner.view.contexts
        && a.owner.view.provides == b.owner.view.provides
}
