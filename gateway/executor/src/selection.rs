//! What to take from an answer, compiled for comparison with raw bytes.
//!
//! In: the plan's `FetchSelection`s. Out: flat tables with each key as it stands in JSON (`"name":`).
//! Elsewhere: using them (`parse.rs`, `failure.rs`).

use std::ops::Range;

use kopitiam_plan::{FetchSelection, Key};

use crate::json::write_string;
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

/// All selections of a plan.
#[derive(Debug, Default)]
pub(crate) struct Selections {
    selections: Vec<Range<u32>>,
    fields: Vec<SelectionField>,
}

impl Selections {
    pub(crate) fn fields(&self, id: SelectionId) -> &[SelectionField] {
        let range = &self.selections[id.0 as usize];
        &self.fields[range.start as usize..range.end as usize]
    }

    /// Compiles a selection and all below it.
    pub(crate) fn compile(&mut self, selection: &FetchSelection) -> SelectionId {
        let fields = selection
            .fields
            .iter()
            .map(|field| {
                let below = field.selection.as_ref().map(|selection| self.compile(selection));
                new_field(&field.response_key, field.key, below)
            })
            .collect();
        self.add(fields)
    }

    /// An answer whose root has these keys, each with the entities of one group; the key in the tree is the
    /// group's index.
    pub(crate) fn compile_groups<'a>(
        &mut self,
        groups: impl Iterator<Item = (&'a str, &'a FetchSelection)>,
    ) -> (SelectionId, Vec<SelectionId>) {
        let compiled: Vec<_> = groups.map(|(name, selection)| (name, self.compile(selection))).collect();
        let ids = compiled.iter().map(|&(_, id)| id).collect();
        let fields = compiled
            .iter()
            .enumerate()
            .map(|(index, &(name, id))| new_field(name, Key(index_of(index)), Some(id)))
            .collect();
        (self.add(fields), ids)
    }

    fn add(&mut self, fields: Vec<SelectionField>) -> SelectionId {
        let start = index_of(self.fields.len());
        self.fields.extend(fields);
        self.selections.push(start..index_of(self.fields.len()));
        SelectionId(index_of(self.selections.len() - 1))
    }
}

fn new_field(name: &str, key: Key, selection: Option<SelectionId>) -> SelectionField {
    let mut pattern = Vec::with_capacity(name.len() + 3);
    write_string(&mut pattern, name);
    pattern.push(b':');
    SelectionField { pattern: pattern.into(), name: name.into(), key, selection }
}
