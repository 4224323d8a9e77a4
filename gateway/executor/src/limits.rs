//! Bounds on what subgraphs may answer and on what one response may come to, and what clients see of subgraphs' errors.

use std::sync::Arc;

use crate::visibility::ErrorVisibility;

/// Bounds on subgraph answers and on one client response.
#[derive(Debug, Clone)]
pub struct AnswerLimits {
    /// Bytes of one answer; at most 4 GiB, since places in an answer are kept in 32 bits.
    pub bytes_max: u32,
    /// Nesting of one answer's objects and lists.
    pub depth_max: u32,
    /// Objects that all answers of one request may come to when each is put where it belongs.
    pub objects_max: usize,
    /// Bytes of the client's response: lists within lists of a few shared entities can be far larger than all answers.
    pub response_bytes_max: usize,
    /// Errors in one client response; when there are more, one last error says so.
    pub errors_max: usize,
    /// What clients see of subgraphs' errors.
    pub errors: Arc<ErrorVisibility>,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self {
            bytes_max: 64 * 1024 * 1024,
            depth_max: 128,
            objects_max: 4_000_000,
            response_bytes_max: 256 * 1024 * 1024,
            errors_max: 256,
            errors: Arc::default(),
        }
    }
}
