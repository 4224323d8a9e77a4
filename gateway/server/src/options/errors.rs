//! Ids in errors.

/// Which errors have the request's ids, by which its log lines and its trace are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorIds {
    /// None.
    Never,
    /// Those of executed operations, and those that are the gateway's own: what only the operator can look into.
    #[default]
    Failures,
    /// All, also those about what the client sent.
    Always,
}

impl ErrorIds {
    /// Whether errors of this kind have them.
    pub(crate) fn are_in(self, is_failure: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Failures => is_failure,
            Self::Always => true,
        }
    }
}
