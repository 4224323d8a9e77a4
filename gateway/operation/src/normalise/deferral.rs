//! `@defer` and `@stream` while an operation is normalised: which fragments there are, and what is delivered with what.
//!
//! Elsewhere: the fields around them (`collect.rs`), their merging (`merge.rs`).

use std::sync::Arc;

use apollo_compiler::ast;

use super::{NormaliseError, Run, collect::Collected};
use crate::incremental::{
    Booleans, DeferredFragment, FragmentId, Incremental, InitialCount, PartId, Stream, StreamOf,
};

/// What was found so far.
pub(super) struct Deferral<'a> {
    pub(super) booleans: Booleans<'a>,
    found: Incremental,
    streams: usize,
}

impl<'a> Deferral<'a> {
    pub(super) fn new(booleans: Booleans<'a>) -> Self {
        let found = Incremental { parts: vec![Vec::new()], ..Incremental::default() };
        Self { booleans, found, streams: 0 }
    }

    pub(super) fn finish(mut self) -> Incremental {
        if self.found.parts.len() == 1 {
            // Fragments all of whose fields are there at once are none.
            self.found.parts.clear();
            self.found.fragments.clear();
        }
        self.found
    }

    fn count(&self) -> usize {
        self.found.fragments.len() + self.streams
    }

    /// The value of a Boolean argument that is true when absent.
    fn is_on(&self, directive: &ast::DirectiveList, name: &str) -> bool {
        match condition(directive, name) {
            Some(ast::Value::Boolean(constant)) => *constant,
            Some(ast::Value::Variable(variable)) => (self.booleans)(variable),
            _ => true,
        }
    }

    /// The part of the fields that are in all of these fragments, but for those that are in one of the others.
    fn part(&mut self, mut fragments: Vec<FragmentId>) -> PartId {
        fragments.sort_unstable();
        fragments.dedup();
        let all = fragments.clone();
        fragments.retain(|&fragment| {
            let mut above = self.found.fragments[fragment.0 as usize].parent;
            while let Some(parent) = above {
                if all.contains(&parent) {
                    return false;
                }
                above = self.found.fragments[parent.0 as usize].parent;
            }
            true
        });
        let parts = &mut self.found.parts;
        let index = parts.iter().position(|known| *known == fragments).unwrap_or_else(|| {
            parts.push(fragments);
            parts.len() - 1
        });
        PartId(u32::try_from(index).expect("parts are fewer than fields, which fit in u32"))
    }
}

impl Run<'_> {
    /// Whether a fragment is deferred in this request.
    pub(super) fn is_deferred(&self, directives: &ast::DirectiveList) -> bool {
        let deferral = self.deferral.as_ref().filter(|_| directives.has("defer"));
        deferral.is_some_and(|deferral| deferral.is_on(directives, "defer"))
    }

    /// The deferred fragment that begins with these directives, if one does.
    pub(super) fn defer(
        &mut self,
        directives: &ast::DirectiveList,
        parent: Option<FragmentId>,
    ) -> Result<Option<FragmentId>, NormaliseError> {
        if !self.is_deferred(directives) {
            return Ok(None);
        }
        let depth = u32::try_from(self.depth - 1).expect("depth is bounded");
        let most = self.limits.deferred;
        let Some(deferral) = &mut self.deferral else { return Ok(None) };
        if deferral.count() >= most {
            return Err(NormaliseError::TooManyDeferred(most));
        }
        let label = label(directives, "defer");
        deferral.found.fragments.push(DeferredFragment { label, parent, depth });
        let index = deferral.found.fragments.len() - 1;
        Ok(Some(FragmentId(u32::try_from(index).expect("fragments are bounded"))))
    }

    /// With what a field is delivered that stands at these places. Once one of them is not deferred the field is not.
    ///
    /// # Source
    /// GraphQL specification, working draft, "GetFilteredDeferUsageSet".
    pub(super) fn part_of<'c, 'd: 'c>(
        &mut self,
        members: impl Iterator<Item = &'c Collected<'d>>,
    ) -> Result<PartId, NormaliseError> {
        let Some(deferral) = &mut self.deferral else { return Ok(PartId::FIRST) };
        let fragments: Option<Vec<FragmentId>> = members.map(|entry| entry.fragment).collect();
        let part = fragments.map_or(PartId::FIRST, |fragments| deferral.part(fragments));
        let most = self.limits.deferred.saturating_mul(2);
        if deferral.found.parts.len() > most {
            return Err(NormaliseError::TooManyDeferred(self.limits.deferred));
        }
        Ok(part)
    }

    /// How a field is streamed: alike at all places where it stands.
    pub(super) fn stream_of<'c, 'd: 'c>(
        &mut self,
        members: impl Iterator<Item = &'c Collected<'d>>,
    ) -> Result<StreamOf, NormaliseError> {
        let Some(deferral) = &mut self.deferral else { return Ok(None) };
        let mut found: Option<Option<Stream>> = None;
        for entry in members {
            let directives = &entry.field.directives;
            let is_streamed = directives.has("stream") && deferral.is_on(directives, "stream");
            let stream = is_streamed.then(|| stream(directives));
            match &found {
                Some(before) if *before != stream => {
                    let key = entry.field.response_key().to_string();
                    return Err(NormaliseError::StreamConflict(key));
                }
                _ => found = Some(stream),
            }
        }
        let Some(stream) = found.flatten() else { return Ok(None) };
        deferral.streams += 1;
        deferral.found.has_streams = true;
        if deferral.count() > self.limits.deferred {
            return Err(NormaliseError::TooManyDeferred(self.limits.deferred));
        }
        Ok(Some(Arc::new(stream)))
    }
}

fn stream(directives: &ast::DirectiveList) -> Stream {
    let count = directives.get("stream").and_then(|found| found.specified_argument_by_name("initialCount"));
    let initial_count = match count.map(|value| &**value) {
        Some(ast::Value::Variable(variable)) => InitialCount::Variable(variable.clone()),
        Some(ast::Value::Int(number)) => InitialCount::Literal(number.as_str().parse().unwrap_or(0)),
        _ => InitialCount::Literal(0),
    };
    Stream { label: label(directives, "stream"), initial_count }
}

fn label(directives: &ast::DirectiveList, name: &str) -> Option<Box<str>> {
    let value = directives.get(name)?.specified_argument_by_name("label")?;
    value.as_str().map(Into::into)
}

/// The value of a directive's `if`.
pub(super) fn condition<'d>(directives: &'d ast::DirectiveList, name: &str) -> Option<&'d ast::Value> {
    directives.get(name)?.specified_argument_by_name("if").map(|value| &**value)
}
