//! The post office: writes the letters that are due and hands them to the mailer, until shutdown.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use kopitiam_kit::{Db, SystemError, Tx, time};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Mail, MailError, Mailer};
use crate::domain::account::User;
use crate::domain::letter::{Letter, Reader};
use crate::security::tokens::{new_secret, secret_hash};
use crate::store::mails::{self, Due, Recipient};
use crate::store::one_time::{self, Redeemed};
use crate::store::users;

/// How often letters of other processes, and those to be tried again, are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const BATCH: u64 = 20;

/// Sends letters. Cheap to clone; clones share one mailer.
#[derive(Clone)]
pub struct PostOffice {
    db: Db,
    mailer: Arc<dyn Mailer>,
    shop_url: Arc<str>,
    wake: Arc<Notify>,
}

impl PostOffice {
    /// `shop_url` is where links in letters lead, such as `https://shop.example`.
    pub fn new(db: Db, mailer: Arc<dyn Mailer>, shop_url: &str) -> PostOffice {
        let shop_url = shop_url.trim_end_matches('/').into();
        PostOffice { db, mailer, shop_url, wake: Arc::new(Notify::new()) }
    }

    /// Puts a letter into the queue of the transaction's database; it goes soon after the commit.
    ///
    /// # Errors
    /// [`SystemError`].
    pub async fn post(
        &self,
        tx: &Tx,
        recipient: Recipient,
        letter: &Letter,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let wake = Arc::clone(&self.wake);
        tx.after_commit(move || wake.notify_one());
        mails::enqueue(tx, recipient, letter, now).await
    }

    /// Sends until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            match self.send_due(time::now()).await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => tracing::warn!(%error, "cannot look for letters"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Sends what is due at `now`; gives how many letters left the queue.
    ///
    /// # Errors
    /// [`SystemError`] of the database; a mailer's refusal is logged and tried again later.
    pub async fn send_due(&self, now: DateTime<Utc>) -> Result<usize, SystemError> {
        let mut gone = 0;
        for due in mails::due(&self.db, BATCH, now).await? {
            let leaves = match self.write(&due, now).await? {
                Draft::Taken => false,
                Draft::Nobody => true,
                Draft::Mail(mail) => self.hand_over(&mail).await,
            };
            if leaves {
                let id = due.id;
                self.db
                    .transaction(|tx| async move { Ok::<_, SystemError>(mails::sent(&tx, id).await?) })
                    .await?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// Whether the letter is done with: taken by the mailer, or such that no mailer ever will.
    async fn hand_over(&self, mail: &Mail) -> bool {
        match self.mailer.send(mail).await {
            Ok(()) => {
                tracing::info!(letter = %mail.id, "letter sent");
                true
            }
            Err(error) => {
                // The error's text may repeat the address; its kind is enough to look after the server.
                tracing::warn!(letter = %mail.id, error = error.kind(), "letter not sent");
                matches!(error, MailError::Address(_) | MailError::Message(_))
            }
        }
    }

    /// The mail, with a fresh token where it needs one.
    async fn write(&self, due: &Due, now: DateTime<Utc>) -> Result<Draft, SystemError> {
        let secret = due.letter.purpose().map(|_| new_secret());
        let secret = secret.as_deref();
        let claimed = self
            .db
            .transaction(|tx| async move {
                if !mails::claim(&tx, due, now).await? {
                    return Ok(None);
                }
                let user = match &due.recipient {
                    Recipient::User(id) => users::find(&tx, *id).await?,
                    Recipient::Address(key) => users::find_by_email_key(&tx, key).await?,
                };
                if let (Some(user), Some(purpose), Some(secret)) = (&user, due.letter.purpose(), secret) {
                    let to = Redeemed { user_id: user.id, email_key: user.email.to_lowercase() };
                    one_time::issue(&tx, purpose, &to, secret_hash(secret), now).await?;
                }
                Ok::<Option<Option<User>>, SystemError>(Some(user))
            })
            .await?;
        let user = match claimed {
            None => return Ok(Draft::Taken),
            Some(None) => return Ok(Draft::Nobody),
            Some(Some(user)) => user,
        };
        let token = secret.unwrap_or_default();
        let reader = Reader { name: &user.username, shop_url: &self.shop_url, token };
        let to = due.letter.address().unwrap_or(&user.email).to_owned();
        Ok(Draft::Mail(Mail { id: due.id, to, written: due.letter.write(reader) }))
    }
}

enum Draft {
    /// Another sender has it.
    Taken,
    /// Nobody has that address.
    Nobody,
    Mail(Mail),
}
