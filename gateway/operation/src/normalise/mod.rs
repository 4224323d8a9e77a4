//! A validated document → [`NormalisedOperation`].
//!
//! Fragments are inlined against the runtime types that are possible where they stand, constant `@skip`/`@include` are
//! folded, fields of one response key are merged (GraphQL specification, section 6.3.2 "CollectFields" and section
//! 6.4.3 "MergeSelectionSets"). Always bounded: [`Limits`] counts every field and fragment visited.
//!
//! Elsewhere: collecting the fields of one place (`collect.rs`), merging them (`merge.rs`), `@defer` and `@stream`
//! (`deferral.rs`).

mod collect;
mod deferral;
mod merge;

use apollo_compiler::{ExecutableDocument, executable, validation::Valid};
use kopitiam_supergraph::{Root, Supergraph, TypeId, TypeSet};

use crate::{Booleans, NormalisedOperation, OperationKind, Selection};
use deferral::Deferral;
use merge::Part;

/// Bounds of one operation.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Fields and fragments that may be visited while inlining.
    pub visits: usize,
    /// How deep fields may nest.
    pub depth: usize,
    /// Under how many combinations of variables one field may be there.
    pub alternatives: usize,
    /// Comparisons of fields with runtime types.
    pub comparisons: usize,
    /// Deferred fragments and streamed lists, each counted wherever it stands.
    pub deferred: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { visits: 50_000, depth: 100, alternatives: 256, comparisons: 20_000_000, deferred: 64 }
    }
}

/// Why an operation cannot be normalised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NormaliseError {
    /// No operation has the requested name, or there are several and none was requested.
    #[error("{0}")]
    UnknownOperation(String),
    /// The supergraph has no such root type.
    #[error("the schema does not support {0} operations")]
    UnsupportedOperation(&'static str),
    /// More fields and fragments than [`Limits::visits`].
    #[error("the operation is too complex: it expands to more than {0} fields")]
    TooComplex(usize),
    /// A field under more alternative conditions than [`Limits::alternatives`].
    #[error("the operation is too complex: a field depends on more than {0} combinations of variables")]
    TooManyAlternatives(usize),
    /// More runtime types times fields than [`Limits::comparisons`].
    #[error("the operation is too complex: too many fields of too many types")]
    TooManyTypes,
    /// More deferred fragments and streamed lists than [`Limits::deferred`].
    #[error("the operation is too complex: it defers or streams in more than {0} places")]
    TooManyDeferred(usize),
    /// Fields of one response key of which one is streamed and another is not, or otherwise.
    #[error("fields \"{0}\" conflict because they have different @stream directives")]
    StreamConflict(String),
    /// Fields nested deeper than [`Limits::depth`].
    #[error("the operation is too deep: more than {0} levels of fields")]
    TooDeep(usize),
}

impl NormaliseError {
    /// The error's code for `extensions.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownOperation(_) => "OPERATION_RESOLUTION_FAILURE",
            Self::UnsupportedOperation(_) | Self::StreamConflict(_) => "GRAPHQL_VALIDATION_FAILED",
            Self::TooComplex(_) | Self::TooManyAlternatives(_) | Self::TooManyTypes => {
                "OPERATION_TOO_COMPLEX"
            }
            Self::TooManyDeferred(_) => "TOO_MANY_DEFERRED",
            Self::TooDeep(_) => "OPERATION_TOO_DEEP",
        }
    }
}

/// Inlines and merges one operation of a document that is valid against the supergraph's API schema.
///
/// # Errors
/// [`NormaliseError`] when the operation does not exist or exceeds the limits.
pub fn normalise(
    supergraph: &Supergraph,
    document: &Valid<ExecutableDocument>,
    operation_name: Option<&str>,
    limits: &Limits,
) -> Result<NormalisedOperation, NormaliseError> {
    run(supergraph, document, operation_name, limits, None)
}

/// As [`normalise`], for a request whose response may be delivered bit by bit: `@defer` and `@stream` are followed. Other
/// than there, what `@skip` and `@include` say is decided here, by the request's Boolean variables: the fields that are
/// there decide which of them are delivered first.
///
/// # Errors
/// As [`normalise`], and for too many deferred fragments.
///
/// # Source
/// GraphQL specification, working draft, section 6.4 "Executing Selection Sets" with incremental delivery.
pub fn normalise_incremental(
    supergraph: &Supergraph,
    document: &Valid<ExecutableDocument>,
    operation_name: Option<&str>,
    limits: &Limits,
    booleans: Booleans<'_>,
) -> Result<NormalisedOperation, NormaliseError> {
    run(supergraph, document, operation_name, limits, Some(Deferral::new(booleans)))
}

fn run(
    supergraph: &Supergraph,
    document: &Valid<ExecutableDocument>,
    operation_name: Option<&str>,
    limits: &Limits,
    deferral: Option<Deferral<'_>>,
) -> Result<NormalisedOperation, NormaliseError> {
    let operation = document.operations.get(operation_name).map_err(|_| unknown(operation_name))?;
    let (kind, root, label) = match operation.operation_type {
        executable::OperationType::Query => (OperationKind::Query, Root::Query, "query"),
        executable::OperationType::Mutation => (OperationKind::Mutation, Root::Mutation, "mutation"),
        executable::OperationType::Subscription => {
            (OperationKind::Subscription, Root::Subscription, "subscription")
        }
    };
    let root = supergraph.root(root).ok_or(NormaliseError::UnsupportedOperation(label))?;
    let mut run = Run {
        supergraph,
        document,
        limits: *limits,
        visits: 0,
        comparisons: 0,
        next_id: 0,
        depth: 0,
        opaque: None,
        // The specification has neither directive in a subscription.
        deferral: deferral.filter(|_| kind != OperationKind::Subscription),
    };
    let part = Part {
        selections: &operation.selection_set.selections,
        conditions: crate::Conditions::ALWAYS,
        fragment: None,
    };
    let selection = run.selection(&[part], root, &TypeSet::one(root))?;
    Ok(NormalisedOperation {
        kind,
        name: operation.name.clone(),
        root,
        variables: operation.variables.clone(),
        selection,
        field_count: run.next_id,
        incremental: run.deferral.map(Deferral::finish).unwrap_or_default(),
    })
}

fn unknown(operation_name: Option<&str>) -> NormaliseError {
    NormaliseError::UnknownOperation(match operation_name {
        Some(name) => format!("the document has no operation named {name:?}"),
        None => "the document has several operations, so operationName must choose one".to_owned(),
    })
}

struct Run<'a> {
    supergraph: &'a Supergraph,
    document: &'a ExecutableDocument,
    limits: Limits,
    visits: usize,
    comparisons: usize,
    next_id: u32,
    depth: usize,
    /// The object types of each interface that some subgraph knows as an `@interfaceObject`, once they are needed.
    opaque: Option<Vec<TypeSet>>,
    /// Present when `@defer` and `@stream` are followed.
    deferral: Option<Deferral<'a>>,
}

impl<'a> Run<'a> {
    /// The merged fields of one place, from all selection sets that apply there.
    fn selection(
        &mut self,
        parts: &[Part<'a>],
        parent: TypeId,
        on: &TypeSet,
    ) -> Result<Selection, NormaliseError> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(NormaliseError::TooDeep(self.limits.depth));
        }
        let collected = self.collect(parts, parent, on)?;
        let selection = self.merge(collected)?;
        self.depth -= 1;
        Ok(selection)
    }

    fn visit(&mut self) -> Result<(), NormaliseError> {
        self.visits += 1;
        if self.visits > self.limits.visits {
            return Err(NormaliseError::TooComplex(self.limits.visits));
        }
        Ok(())
    }

    fn compare(&mut self, types: usize, fields: usize) -> Result<(), NormaliseError> {
        self.comparisons = self.comparisons.saturating_add(types.saturating_mul(fields));
        if self.comparisons > self.limits.comparisons {
            return Err(NormaliseError::TooManyTypes);
        }
        Ok(())
    }

    /// The object types behind a type that clients may see.
    fn visible(&self, id: TypeId) -> TypeSet {
        let possible = self.supergraph.ty(id).possible.iter();
        possible.filter(|&id| self.supergraph.ty(id).accessible).collect()
    }
}
