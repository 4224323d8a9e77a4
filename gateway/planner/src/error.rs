//! Why an operation has no plan, and the bounds of planning.

/// Bounds of planning one operation.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Plans that may be built while looking for a better one.
    pub attempts: usize,
    /// Steps (fields placed, ways looked for) that the first plan may take; beyond it the operation is refused. A step is
    /// some 0.2 µs.
    pub steps: usize,
    /// Steps that the search for a better plan may take in all.
    pub search_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attempts: 64, steps: 1_500_000, search_steps: 40_000 }
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No sequence of subgraph requests answers this field.
    #[error("no subgraph can resolve {place}")]
    Unreachable {
        /// `Type.field`
        place: String,
    },
    /// The operation needs more steps than [`Limits::steps`].
    #[error("the operation is too complex to plan")]
    TooComplex,
}

impl PlanError {
    /// The error's code for `extensions.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "QUERY_PLAN_UNSATISFIABLE",
            Self::TooComplex => "QUERY_PLAN_TOO_COMPLEX",
        }
    }
}
