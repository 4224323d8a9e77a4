//! Every `extensions.code` that the engine gives to a request it refuses, in one table.
//!
//! Elsewhere: codes that arise while fetching (`executor/errors.rs`), codes of HTTP and of authorization (`server`).

use kopitiam_operation::NormaliseError;
use kopitiam_planner::PlanError;

/// Why a request was refused before execution. The text form is stable: clients branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The document is not GraphQL.
    ParseFailed,
    /// The document is not valid for the schema.
    ValidationFailed,
    /// `operationName` names no operation, or is missing though there are several.
    OperationResolutionFailure,
    /// A variable's value does not fit its type.
    BadUserInput,
    /// `__schema` or `__type` where introspection is off.
    IntrospectionDisabled,
    /// The document is larger or wider than the settings allow.
    OperationTooComplex,
    /// The document nests deeper than the settings allow.
    OperationTooDeep,
    /// The operation has more aliases than the settings allow.
    TooManyAliases,
    /// The operation has more root fields than the settings allow.
    TooManyRootFields,
    /// The document has more directives than the settings allow.
    TooManyDirectives,
    /// The document has more operations than the settings allow.
    TooManyOperations,
    /// The operation declares more variables than the settings allow.
    TooManyVariables,
    /// The operation asks for what this client may not see.
    UnauthorizedFieldOrType,
    /// The operation would cost more than the settings allow.
    OperationTooExpensive,
    /// No sequence of subgraph requests answers the operation.
    QueryPlanUnsatisfiable,
    /// Finding a plan takes more work than allowed.
    QueryPlanTooComplex,
    /// The operation defers or streams in more places than allowed.
    TooManyDeferred,
    /// A subscription was sent where only a single response is possible.
    OperationKindNotSupported,
}

impl ErrorCode {
    /// The code as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::OperationResolutionFailure => "OPERATION_RESOLUTION_FAILURE",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::IntrospectionDisabled => "INTROSPECTION_DISABLED",
            Self::OperationTooComplex => "OPERATION_TOO_COMPLEX",
            Self::OperationTooDeep => "OPERATION_TOO_DEEP",
            Self::TooManyAliases => "TOO_MANY_ALIASES",
            Self::TooManyRootFields => "TOO_MANY_ROOT_FIELDS",
            Self::TooManyDirectives => "TOO_MANY_DIRECTIVES",
            Self::TooManyOperations => "TOO_MANY_OPERATIONS",
            Self::TooManyVariables => "TOO_MANY_VARIABLES",
            Self::UnauthorizedFieldOrType => "UNAUTHORIZED_FIELD_OR_TYPE",
            Self::OperationTooExpensive => "OPERATION_TOO_EXPENSIVE",
            Self::QueryPlanUnsatisfiable => "QUERY_PLAN_UNSATISFIABLE",
            Self::QueryPlanTooComplex => "QUERY_PLAN_TOO_COMPLEX",
            Self::TooManyDeferred => "TOO_MANY_DEFERRED",
            Self::OperationKindNotSupported => "OPERATION_KIND_NOT_SUPPORTED",
        }
    }
}

impl From<&NormaliseError> for ErrorCode {
    fn from(error: &NormaliseError) -> Self {
        match error {
            NormaliseError::UnknownOperation(_) => Self::OperationResolutionFailure,
            NormaliseError::UnsupportedOperation(_) | NormaliseError::StreamConflict(_) => {
                Self::ValidationFailed
            }
            NormaliseError::TooManyDeferred(_) => Self::TooManyDeferred,
            NormaliseError::TooComplex(_)
            | NormaliseError::TooManyAlternatives(_)
            | NormaliseError::TooManyTypes => Self::OperationTooComplex,
            NormaliseError::TooDeep(_) => Self::OperationTooDeep,
        }
    }
}

impl From<&PlanError> for ErrorCode {
    fn from(error: &PlanError) -> Self {
        match error {
            PlanError::Unreachable { .. } => Self::QueryPlanUnsatisfiable,
            PlanError::TooComplex => Self::QueryPlanTooComplex,
        }
    }
}
