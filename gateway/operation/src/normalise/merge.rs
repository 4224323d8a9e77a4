//! Fields of one response key become one entry for each set of runtime types that sees the same of them.

use std::collections::HashSet;

use apollo_compiler::{Name, executable};
use indexmap::IndexMap;
use kopitiam_supergraph::{TypeKind, TypeSet};

use super::{NormaliseError, Run, collect::Collected};
use crate::{Conditions, FieldNode, FragmentId, Selection};

/// A selection set and when it applies, relative to the field around it.
pub(super) struct Part<'a> {
    pub(super) selections: &'a [executable::Selection],
    pub(super) conditions: Conditions,
    /// The innermost deferred fragment around it.
    pub(super) fragment: Option<FragmentId>,
}

impl<'a> Run<'a> {
    pub(super) fn merge(&mut self, collected: Vec<Collected<'a>>) -> Result<Selection, NormaliseError> {
        let mut by_key: IndexMap<Name, Vec<(usize, Collected<'a>)>> = IndexMap::new();
        for (index, entry) in collected.into_iter().enumerate() {
            by_key.entry(entry.field.response_key().clone()).or_default().push((index, entry));
        }
        let mut fields = Vec::with_capacity(by_key.len());
        let taken: HashSet<Name> = by_key.keys().cloned().collect();
        for (key, entries) in by_key {
            let (places, entries): (Vec<usize>, Vec<Collected<'a>>) = entries.into_iter().unzip();
            let mut before: Vec<TypeSet> = Vec::new();
            for region in self.regions(&entries)? {
                // Each runtime type sees its fields in the order in which it first meets them.
                let place = region.entries.iter().map(|&index| places[index]).min().unwrap_or_default();
                let own = self.own_key(&key, &before, &region.on, &taken);
                before.push(region.on.clone());
                fields.push((place, FieldNode { key: own, ..self.field(&key, &entries, region)? }));
            }
        }
        fields.sort_by_key(|(place, _)| *place);
        Ok(Selection { fields: fields.into_iter().map(|(_, field)| field).collect() })
    }

    fn field(
        &mut self,
        key: &Name,
        entries: &[Collected<'a>],
        region: Region,
    ) -> Result<FieldNode, NormaliseError> {
        self.visit()?;
        let members = || region.entries.iter().map(|&index| &entries[index]);
        let most = self.limits.alternatives;
        let conditions = Conditions::any(members().map(|entry| &entry.conditions), most)
            .ok_or(NormaliseError::TooManyAlternatives(most))?;
        // The widest parent speaks for all: asking an interface and one of its types for a field is asking the interface.
        let widest = members().max_by_key(|entry| (entry.on.len(), std::cmp::Reverse(entry.parent)));
        let widest = widest.expect("a region has at least one entry");
        let field = widest.field;
        let base = self.supergraph.type_id(field.ty().inner_named_type()).unwrap_or(widest.parent);
        let (delivered, stream) = (self.part_of(members())?, self.stream_of(members())?);
        let id = self.next_id;
        self.next_id += 1;
        let introspection = field.name == "__schema" || field.name == "__type";
        let selection = if field.selection_set.is_empty() || introspection {
            Selection::default()
        } else {
            let parts: Vec<Part<'a>> = members().map(|entry| part(entry, &conditions)).collect();
            let on = self.visible(base);
            self.selection(&parts, base, &on)?
        };
        Ok(FieldNode {
            id,
            response_key: key.clone(),
            key: key.clone(),
            name: field.name.clone(),
            arguments: field.arguments.clone().into(),
            parent: widest.parent,
            on: region.on,
            conditions,
            ty: field.ty().clone(),
            base,
            selection,
            part: delivered,
            stream,
            is_refused: false,
        })
    }
}

impl Run<'_> {
    /// The key of a region of fields, when other types see other fields under the same response key.
    fn own_key(&mut self, key: &Name, before: &[TypeSet], on: &TypeSet, taken: &HashSet<Name>) -> Name {
        if before.is_empty() || !self.is_opaque(before, on) {
            return key.clone();
        }
        let numbered = (before.len()..).map(|number| format!("_r{number}_{key}"));
        let free = numbered.filter_map(|name| Name::new(&name).ok()).find(|name| !taken.contains(name));
        free.unwrap_or_else(|| key.clone())
    }

    /// Whether some subgraph could be asked for objects of `on` and of `before` without telling them apart.
    fn is_opaque(&mut self, before: &[TypeSet], on: &TypeSet) -> bool {
        let supergraph = self.supergraph;
        let known = self.opaque.get_or_insert_with(|| {
            let interfaces = supergraph.types().filter(|(_, ty)| ty.kind == TypeKind::Interface);
            let objects =
                interfaces.filter(|(_, ty)| ty.views.iter().flatten().any(|view| view.is_interface_object));
            objects.map(|(_, ty)| ty.possible.clone()).collect()
        });
        known.iter().any(|types| types.meets(on) && before.iter().any(|other| types.meets(other)))
    }
}

fn part<'a>(entry: &Collected<'a>, field: &Conditions) -> Part<'a> {
    // Where the field is there only when this entry's condition holds, the condition need not be repeated below it.
    let conditions = if entry.conditions == *field { Conditions::ALWAYS } else { entry.conditions.clone() };
    Part { selections: &entry.field.selection_set.selections, conditions, fragment: entry.fragment }
}

/// Runtime types that see the same entries.
struct Region {
    on: TypeSet,
    entries: Vec<usize>,
}

impl Run<'_> {
    fn regions(&mut self, entries: &[Collected<'_>]) -> Result<Vec<Region>, NormaliseError> {
        let leaf = entries.iter().all(|entry| entry.field.selection_set.is_empty());
        let all = entries.iter().fold(TypeSet::empty(), |all, entry| all.or(&entry.on));
        if entries.iter().all(|entry| entry.on == all) {
            return Ok(vec![Region { on: all, entries: (0..entries.len()).collect() }]);
        }
        self.compare(all.len(), entries.len())?;
        let mut found: IndexMap<Vec<usize>, TypeSet> = IndexMap::new();
        for id in all.iter() {
            let mut seen: Vec<usize> =
                (0..entries.len()).filter(|&index| entries[index].on.contains(id)).collect();
            // A deferred entry must not take the place of one that is not.
            if leaf && self.deferral.is_none() {
                keep_widest(&mut seen, entries);
            }
            found.entry(seen).or_default().insert(id);
        }
        let mut found: Vec<Region> = found.into_iter().map(|(entries, on)| Region { on, entries }).collect();
        found.sort_by(|a, b| a.entries.cmp(&b.entries));
        Ok(found)
    }
}

/// An unconditional leaf that is asked on a wider type makes the same leaf on a narrower type redundant.
fn keep_widest(seen: &mut Vec<usize>, entries: &[Collected<'_>]) {
    let unconditional = seen.iter().copied().filter(|&index| entries[index].conditions.is_always());
    if let Some(widest) = unconditional.max_by_key(|&index| entries[index].on.len()) {
        *seen = vec![widest];
    }
}
