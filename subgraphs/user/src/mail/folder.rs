//! Mail into a folder, one `.eml` file each, for development: any mail program opens them.

use std::path::PathBuf;

use lettre::message::Mailbox;

use super::{Mail, MailError, Mailer, message};

/// Writes mails into a folder.
pub struct MailboxFolder {
    folder: PathBuf,
    from: Mailbox,
}

impl MailboxFolder {
    /// The folder is made when the first mail comes.
    pub fn new(folder: PathBuf, from: Mailbox) -> MailboxFolder {
        MailboxFolder { folder, from }
    }
}

#[async_trait::async_trait]
impl Mailer for MailboxFolder {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = message(mail, &self.from)?.formatted();
        tokio::fs::create_dir_all(&self.folder).await?;
        // A reader sees whole files only.
        let unfinished = self.folder.join(format!(".{}", mail.id));
        tokio::fs::write(&unfinished, message).await?;
        tokio::fs::rename(unfinished, self.folder.join(format!("{}.eml", mail.id))).await?;
        Ok(())
    }
}
