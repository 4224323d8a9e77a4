//! Every `extensions.code` that the engine itself gives, in one table.
//!
//! Elsewhere: codes that arise while fetching (`executor/errors.rs`), codes of HTTP and of authorization (`server`).

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
    /// The document is larger, deeper or wider than the settings allow.
    OperationTooComplex,
    /// No plan answers the operation.
    QueryPlanningFailed,
    /// A subscription was sent where only a single response is possible, or the reverse.
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
            Self::QueryPlanningFailed => "QUERY_PLANNING_FAILED",
            Self::OperationKindNotSupported => "OPERATION_KIND_NOT_SUPPORTED",
        }
    }
}
