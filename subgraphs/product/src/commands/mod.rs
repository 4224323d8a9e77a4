//! What a mutation does: checks input with the domain's rules, then changes rows and writes events in one transaction.
//!
//! - `catalogue.rs`: products and categories
//! - `goods.rs`: stock and items

mod catalogue;
mod goods;

use kopitiam_kit::live::Hub;
use kopitiam_kit::{Db, Failure};
use uuid::Uuid;

use crate::domain::refusal::Refusal;

pub use catalogue::picture;

/// The service's commands with what they need. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    /// The database.
    pub db: Db,
    /// Wakes `stockChanged`.
    pub stock: Hub<Uuid>,
}

/// Who writes the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Editor {
    /// Who.
    pub user_id: Uuid,
    /// Managers write everyone's products, sellers only their own.
    pub manager: bool,
}

impl Editor {
    /// # Errors
    /// [`Refusal::NotYourProduct`].
    fn check(self, seller_id: Uuid) -> Result<(), Refusal> {
        if self.manager || self.user_id == seller_id { Ok(()) } else { Err(Refusal::NotYourProduct) }
    }

    /// How idempotency keys name the editor.
    fn actor(self) -> String {
        format!("user:{}", self.user_id)
    }
}

/// Splits results of several rules: every refusal at once.
fn refused(refusals: Vec<Refusal>) -> Failure {
    Failure::Refused(refusals.into_iter().map(Into::into).collect())
}
