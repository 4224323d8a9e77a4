//! Payloads as JSON, in the two formats that clients know.
//!
//! Elsewhere: what goes into which payload (`delivery.rs`).

use crate::errors::{Segment, write_segments};
use crate::json::write_string;

/// How the payloads of a response are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum IncrementalFormat {
    /// `pending`, `incremental` with `id` and `subPath`, `completed`: the GraphQL specification's working draft, and what
    /// graphql-js 17 writes.
    #[default]
    Current,
    /// `incremental` with `path` and `label`, as of August 2022.
    August2022,
}

/// A fragment or a list that a client waits for.
#[derive(Debug, Clone)]
pub(super) struct Awaited {
    pub(super) id: usize,
    pub(super) label: Option<Box<str>>,
    pub(super) path: Vec<Segment>,
}

/// A payload after the first, or what follows `data` in the first.
#[derive(Debug, Default)]
pub(super) struct Body {
    pending: Vec<u8>,
    incremental: Vec<u8>,
    completed: Vec<u8>,
}

/// What is delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivered<'a> {
    pub(super) path: &'a [Segment],
    /// For items: the index of the first.
    pub(super) start: Option<usize>,
    /// An object, or items without brackets.
    pub(super) json: &'a [u8],
    /// Errors without brackets.
    pub(super) errors: Option<&'a [u8]>,
}

impl Body {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.incremental.is_empty() && self.completed.is_empty()
    }

    pub(super) fn pending(&mut self, format: IncrementalFormat, awaited: &Awaited) {
        if format == IncrementalFormat::August2022 {
            return;
        }
        let out = &mut self.pending;
        begin(out);
        out.extend_from_slice(format!("\"id\":\"{}\",\"path\":[", awaited.id).as_bytes());
        write_segments(out, &awaited.path, true);
        out.push(b']');
        label(out, awaited);
        out.push(b'}');
    }

    pub(super) fn delivered(
        &mut self,
        format: IncrementalFormat,
        awaited: &Awaited,
        delivered: Delivered<'_>,
    ) {
        let out = &mut self.incremental;
        begin(out);
        match format {
            IncrementalFormat::Current => {
                out.extend_from_slice(format!("\"id\":\"{}\",", awaited.id).as_bytes());
                let below = &delivered.path[awaited.path.len()..];
                if !below.is_empty() {
                    out.extend_from_slice(b"\"subPath\":[");
                    write_segments(out, below, true);
                    out.extend_from_slice(b"],");
                }
            }
            IncrementalFormat::August2022 => {
                out.extend_from_slice(b"\"path\":[");
                write_segments(out, delivered.path, true);
                if let Some(start) = delivered.start {
                    write_segments(out, &[Segment::Index(start as u64)], delivered.path.is_empty());
                }
                out.push(b']');
                label(out, awaited);
                out.push(b',');
            }
        }
        let (open, close): (&[u8], &[u8]) = match delivered.start {
            Some(_) => (b"\"items\":[", b"]"),
            None => (b"\"data\":", b""),
        };
        out.extend_from_slice(open);
        out.extend_from_slice(delivered.json);
        out.extend_from_slice(close);
        errors(out, delivered.errors);
        out.push(b'}');
    }

    pub(super) fn completed(&mut self, format: IncrementalFormat, awaited: &Awaited) {
        if format == IncrementalFormat::Current {
            begin(&mut self.completed);
            self.completed.extend_from_slice(format!("\"id\":\"{}\"}}", awaited.id).as_bytes());
        }
    }

    /// What was awaited could not be delivered.
    pub(super) fn failed(
        &mut self,
        format: IncrementalFormat,
        awaited: &Awaited,
        start: Option<usize>,
        found: Option<&[u8]>,
    ) {
        let out = match format {
            IncrementalFormat::Current => &mut self.completed,
            IncrementalFormat::August2022 => &mut self.incremental,
        };
        begin(out);
        if format == IncrementalFormat::Current {
            out.extend_from_slice(format!("\"id\":\"{}\"", awaited.id).as_bytes());
        } else {
            let name = if start.is_some() { "items" } else { "data" };
            out.extend_from_slice(format!("\"{name}\":null,\"path\":[").as_bytes());
            write_segments(out, &awaited.path, true);
            if let Some(start) = start {
                write_segments(out, &[Segment::Index(start as u64)], awaited.path.is_empty());
            }
            out.push(b']');
            label(out, awaited);
        }
        errors(out, found);
        out.push(b'}');
    }

    /// Adds the members to an object that is open and has some already.
    pub(super) fn write_into(&self, out: &mut Vec<u8>, has_next: bool) {
        for (name, list) in
            [("pending", &self.pending), ("incremental", &self.incremental), ("completed", &self.completed)]
        {
            if !list.is_empty() {
                out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
                out.extend_from_slice(list);
                out.push(b']');
            }
        }
        out.extend_from_slice(format!(",\"hasNext\":{has_next}}}").as_bytes());
    }

    /// As a payload of its own.
    pub(super) fn finish(&self, has_next: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.incremental.len() + self.pending.len());
        self.write_into(&mut out, has_next);
        out[0] = b'{';
        out
    }
}

/// Begins an object of a list.
fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(if out.is_empty() { b"{" } else { b",{" });
}

fn label(out: &mut Vec<u8>, awaited: &Awaited) {
    if let Some(label) = &awaited.label {
        out.extend_from_slice(b",\"label\":");
        write_string(out, label);
    }
}

fn errors(out: &mut Vec<u8>, errors: Option<&[u8]>) {
    if let Some(errors) = errors {
        out.extend_from_slice(b",\"errors\":[");
        out.extend_from_slice(errors);
        out.push(b']');
    }
}
