//! Bounds on what a subgraph may answer.

/// Bounds on subgraph answers and on the errors of one response.
#[derive(Debug, Clone)]
pub struct AnswerLimits {
    /// Bytes of one answer; at most 4 GiB, since places in an answer are kept in 32 bits.
    pub bytes_max: u32,
    /// Nesting of one answer's objects and lists.
    pub depth_max: u32,
    /// Errors in one client response; when there are more, one last error says so.
    pub errors_max: usize,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self { bytes_max: 64 * 1024 * 1024, depth_max: 128, errors_max: 256 }
    }
}
