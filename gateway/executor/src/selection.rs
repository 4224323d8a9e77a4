//! What to take from an answer, compiled for comparison with raw bytes.
//!
//! In: the plan's `FetchSelection`s. Out: flat tables with each key as it stands in JSON (`"name":`).
//! Elsewhere: using them (`parse.rs`, `failure.rs`).

use std::ops::Range;

use kopitiam_plan::{FetchSelection, Key};

use crate::contexts::suffix;
use crate::json::write_string;
use crate::sharing::EqualObjects;
use crate::tree::index_of;

/// An object of an answer: an index into [`Selections`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SelectionId(u32);

/// One expected key.
#[derive(Debug)]
pub(crate) struct SelectionField {
    /// The key in quotes and its colon: what an answer without whitespace has.
    pattern: Box<[u8]>,
    /// The key itself.
    pub(crate) name: Box<str>,
    /// Where the tree keeps the value.
    pub(crate) key: Key,
    /// `None` for a leaf.
    pub(crate) selection: Option<SelectionId>,
}

impl SelectionField {
    pub(crate) fn pattern(&self) -> &[u8] {
        &self.pattern
    }
}

/// The number of a selection among those of its fetch whose objects may be one where they are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EqualId(pub(crate) u16);

#[derive(Debug)]
struct Selection {
    fields: Range<u32>,
    equal: Option<EqualId>,
}

/// All selections of a plan.
#[derive(Debug, Default)]
pub(crate) struct Selections {
    objects: Vec<Selection>,
    fields: Vec<SelectionField>,
    equal: EqualObjects,
    /// Of the fetch being compiled.
    equal_count: u16,
}

impl Selections {
    pub(crate) fn new(equal: EqualObjects) -> Self {
        Self { equal, ..Self::default() }
    }

    /// The plan is compiled: what only its compilation needed goes.
    pub(crate) fn seal(&mut self) {
        self.equal = EqualObjects::default();
    }

    pub(crate) fn fields(&self, id: SelectionId) -> &[SelectionField] {
        let range = &self.objects[id.0 as usize].fields;
        &self.fields[range.start as usize..range.end as usize]
    }

    /// Whether equal objects of this selection may be one.
    pub(crate) fn equal(&self, id: SelectionId) -> Option<EqualId> {
        self.objects[id.0 as usize].equal
    }

    /// Compiles a selection and all below it: an answer's.
    pub(crate) fn compile(&mut self, selection: &FetchSelection) -> SelectionId {
        self.equal_count = 0;
        self.compile_object(selection)
    }

    fn compile_object(&mut self, selection: &FetchSelection) -> SelectionId {
        let fields = selection
            .fields
            .iter()
            .map(|field| {
                let below = field.selection.as_ref().map(|selection| self.compile_object(selection));
                new_field(&field.response_key, field.key, below)
            })
            .collect();
        let may_be_one = self.equal.contains(selection) && self.equal_count < u16::MAX;
        let equal = may_be_one.then_some(EqualId(self.equal_count));
        self.equal_count += u16::from(may_be_one);
        self.add(fields, equal)
    }

    /// An answer whose root has these keys, each with the entities of one group, and as often as the group may stand
    /// there. Gives the key in the tree of each group; those of its copies follow.
    pub(crate) fn compile_groups<'a>(
        &mut self,
        groups: impl Iterator<Item = (&'a str, &'a FetchSelection, usize)>,
    ) -> (SelectionId, Vec<(u32, SelectionId)>) {
        self.equal_count = 0;
        let mut fields = Vec::new();
        let mut ids = Vec::new();
        for (name, selection, copies) in groups {
            let id = self.compile_object(selection);
            ids.push((index_of(fields.len()), id));
            for copy in 0..copies {
                let name = format!("{name}{}", suffix(copy));
                fields.push(new_field(&name, Key(index_of(fields.len())), Some(id)));
            }
        }
        (self.add(fields, None), ids)
    }

    fn add(&mut self, fields: Vec<SelectionField>, equal: Option<EqualId>) -> SelectionId {
        let start = index_of(self.fields.len());
        self.fields.extend(fields);
        self.objects.push(Selection { fields: start..index_of(self.fields.len()), equal });
        SelectionId(index_of(self.objects.len() - 1))
    }
}

fn new_field(name: &str, key: Key, selection: Option<SelectionId>) -> SelectionField {
    let mut pattern = Vec::with_capacity(name.len() + 3);
    write_string(&mut pattern, name);
    pattern.push(b':');
    SelectionField { pattern: pattern.into(), name: name.into(), key, selection }
}
