//! Tells people: a row they see in the shop, a letter where the notice is worth one, and a wake-up for open streams.

use chrono::{DateTime, Duration, Utc};
use kopitiam_kit::live::Hub;
use kopitiam_kit::{SystemError, Tx, time};
use uuid::Uuid;

use crate::domain::letter::Letter;
use crate::domain::notice::Notice;
use crate::mail::PostOffice;
use crate::store::mails::Recipient;
use crate::store::notifications;

/// News older than this is shown and not mailed: a consumer that starts late, or from the beginning, must not flood
/// mailboxes.
const MAILED_WITHIN: Duration = Duration::hours(24);

/// Cheap to clone; clones share their streams.
#[derive(Clone)]
pub struct Herald {
    /// Sends letters.
    pub post: PostOffice,
    /// Wakes `notificationAdded`.
    pub notifications: Hub<Uuid>,
}

impl Herald {
    /// Tells one person of an event that happened at `at`; telling again does nothing.
    ///
    /// # Errors
    /// [`SystemError`].
    pub async fn tell(
        &self,
        tx: &Tx,
        user_id: Uuid,
        notice: Notice,
        event_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let now = time::now();
        if !notifications::insert(tx, user_id, &notice, event_id, now).await? {
            return Ok(());
        }
        self.notifications.changed_by(tx, user_id);
        if notice.is_mailed() && now - at < MAILED_WITHIN {
            self.post.post(tx, Recipient::User(user_id), &Letter::Notice { notice }, now).await?;
        }
        Ok(())
    }
}
