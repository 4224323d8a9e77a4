//! Keeps prepared operations of one schema generation: by their text, and their plans by what is asked but for literals.
//!
//! Always: bounded in entries and in bytes of documents; equal requests that miss at the same time share one preparation;
//! keys are compared in full, so no two documents are ever taken for one another, and hashes are seeded.
//! Elsewhere: preparing (`prepare.rs`), ending the cache's life (`generation.rs`: it lives in it).

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kopitiam_operation::NormalisedOperation;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::prepare::{Operation, Planned};
use crate::{Grants, Request};

/// A document and the operation chosen in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    document: Box<str>,
    operation_name: Option<Box<str>>,
    variant: Option<Box<str>>,
}

/// A [`Key`] that borrows the request.
struct KeyRef<'a> {
    document: &'a str,
    operation_name: Option<&'a str>,
    /// What else the plan depends on: for a response in several payloads, the request's Boolean variables.
    variant: Option<&'a str>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        KeyRef {
            document: &self.document,
            operation_name: self.operation_name.as_deref(),
            variant: self.variant.as_deref(),
        }
        .hash(state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.document.hash(state);
        self.operation_name.hash(state);
        self.variant.hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.document == *key.document
            && self.operation_name == key.operation_name.as_deref()
            && self.variant == key.variant.as_deref()
    }
}

/// Weighs an entry by its document, in units of [`UNIT_BYTES`]: a plan grows with it.
#[derive(Debug, Clone)]
struct ByDocument;

/// A document up to this size is one unit of the cache's capacity.
const UNIT_BYTES: usize = 4 * 1024;

impl Weighter<Key, Arc<Operation>> for ByDocument {
    fn weight(&self, key: &Key, _: &Arc<Operation>) -> u64 {
        1 + (key.document.len() / UNIT_BYTES) as u64
    }
}

/// Weighs a plan by the fields of its operation.
#[derive(Debug, Clone)]
struct ByFields;

/// An operation of up to so many fields is one unit of the cache's capacity.
const UNIT_FIELDS: u32 = 128;

impl Weighter<Arc<NormalisedOperation>, Arc<Planned>> for ByFields {
    fn weight(&self, shape: &Arc<NormalisedOperation>, _: &Arc<Planned>) -> u64 {
        1 + u64::from(shape.field_count / UNIT_FIELDS)
    }
}

/// An operation in the cache, and how often it was asked.
#[derive(Debug)]
pub(crate) struct Hot {
    pub(crate) document: Box<str>,
    operation_name: Option<Box<str>>,
    /// Of a client that does not get all of it; `None`: of one that does.
    pub(crate) grants: Option<Arc<Grants>>,
    pub(crate) asked: u64,
}

impl Hot {
    /// A request for it, without variables.
    pub(crate) fn request(&self) -> Request {
        Request {
            query: self.document.clone().into(),
            operation_name: self.operation_name.as_deref().map(str::to_owned),
            grants: self.grants.clone().unwrap_or_default(),
            ..Request::default()
        }
    }
}

/// See the module's header.
#[derive(Debug)]
pub(crate) struct PlanCache {
    documents: Cache<Key, Arc<Operation>, ByDocument, ahash::RandomState>,
    shapes: Cache<Arc<NormalisedOperation>, Arc<Planned>, ByFields, ahash::RandomState>,
}

impl PlanCache {
    pub(crate) fn new(entries: usize) -> Self {
        let (entries, hasher) = (entries.max(1), ahash::RandomState::new());
        let most = entries as u64;
        Self {
            documents: Cache::with(
                entries,
                most,
                ByDocument,
                hasher.clone(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
            shapes: Cache::with(
                entries,
                most,
                ByFields,
                hasher,
                quick_cache::sync::DefaultLifecycle::default(),
            ),
        }
    }

    /// The cached operation, or the one that `prepare` makes; only successes are kept.
    pub(crate) fn get_or_prepare<E>(
        &self,
        document: &str,
        operation_name: Option<&str>,
        variant: Option<&str>,
        prepare: impl FnOnce() -> Result<Operation, E>,
    ) -> Result<Arc<Operation>, E> {
        if let Some(known) = self.documents.get(&KeyRef { document, operation_name, variant }) {
            known.asked.fetch_add(1, Ordering::Relaxed);
            return Ok(known);
        }
        let key = Key {
            document: document.into(),
            operation_name: operation_name.map(Into::into),
            variant: variant.map(Into::into),
        };
        self.documents.get_or_insert_with(&key, || prepare().map(Arc::new))
    }

    /// What is in the cache and takes no variables to be prepared again, in no order.
    pub(crate) fn asked(&self) -> impl Iterator<Item = Hot> {
        let all = self.documents.iter();
        let plain = all.filter(|(key, operation)| key.variant.is_none() || operation.grants.is_some());
        plain.map(|(key, operation)| Hot {
            document: key.document,
            operation_name: key.operation_name,
            grants: operation.grants.clone(),
            asked: operation.asked.load(Ordering::Relaxed),
        })
    }

    /// The plan of a shape: an operation whose literals are variables. Only successes are kept.
    pub(crate) fn get_or_plan<E>(
        &self,
        shape: &Arc<NormalisedOperation>,
        plan: impl FnOnce() -> Result<Planned, E>,
    ) -> Result<Arc<Planned>, E> {
        self.shapes.get_or_insert_with(shape, || plan().map(Arc::new))
    }
}
