//! Mail: the queue's sender, and two ways out: SMTP, or a folder of messages for development.
//!
//! Always: a letter leaves the queue only after the mailer took it, so a crash repeats a letter (with the same message id)
//! and never loses one; nothing of a letter but its id and kind is logged.

mod folder;
mod office;
mod smtp;

use std::path::Path;
use std::sync::Arc;

use kopitiam_kit::config;
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use uuid::Uuid;

use crate::domain::letter::Written;

pub use folder::MailboxFolder;
pub use office::PostOffice;
pub use smtp::SmtpMailer;

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The address is none that a mail server would take; a retry will not help.
    #[error("not a mail address: {0}")]
    Address(#[from] lettre::address::AddressError),
    /// The message could not be put together.
    #[error("message: {0}")]
    Message(#[from] lettre::error::Error),
    /// The server refused or is away.
    #[error("smtp: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// The folder could not be written.
    #[error("mailbox folder: {0}")]
    Folder(#[from] std::io::Error),
    /// `SMTP_URL` or `MAIL_FROM` is not understood.
    #[error("{0}")]
    Setting(String),
}

impl MailError {
    /// What kind of error it is, without anything of the letter.
    pub fn kind(&self) -> String {
        match self {
            MailError::Address(_) => "the address is none".to_owned(),
            MailError::Message(_) => "the message cannot be put together".to_owned(),
            MailError::Smtp(error) => match error.status() {
                Some(code) => format!("the server answered {code}"),
                None if error.is_timeout() => "the server did not answer in time".to_owned(),
                None => "the server is away".to_owned(),
            },
            MailError::Folder(error) => format!("the mailbox folder: {}", error.kind()),
            MailError::Setting(_) => "settings".to_owned(),
        }
    }
}

/// One mail to one person.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The queue's id: a repeated mail has the same message id.
    pub id: Uuid,
    /// The address.
    pub to: String,
    /// What it says.
    pub written: Written,
}

/// A way out. Two implementations: [`SmtpMailer`], [`MailboxFolder`].
#[async_trait::async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail over; `Ok` means that the other side answers for it.
    ///
    /// # Errors
    /// [`MailError`].
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}

/// The mailer that the environment asks for: `SMTP_URL` (`smtp://host:25`, `smtps://user:password@host`), else the folder
/// `mailbox` in `data_dir`. `MAIL_FROM` is the sender.
///
/// # Errors
/// [`MailError::Setting`] naming the variable.
pub fn from_env(data_dir: &Path) -> Result<Arc<dyn Mailer>, MailError> {
    let from = config::variable("MAIL_FROM").unwrap_or_else(|| "Kopitiam <shop@kopitiam.example>".to_owned());
    let from: Mailbox =
        from.parse().map_err(|error| MailError::Setting(format!("MAIL_FROM=`{from}`: {error}")))?;
    match config::variable("SMTP_URL") {
        Some(url) => Ok(Arc::new(SmtpMailer::new(&url, from)?)),
        None => Ok(Arc::new(MailboxFolder::new(data_dir.join("mailbox"), from))),
    }
}

fn message(mail: &Mail, from: &Mailbox) -> Result<Message, MailError> {
    let Written { subject, text, html } = mail.written.clone();
    let to: Address = mail.to.parse()?;
    let message_id = format!("<{}@{}>", mail.id, from.email.domain());
    Ok(Message::builder()
        .message_id(Some(message_id))
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(subject)
        .multipart(MultiPart::alternative_plain_html(text, html))?)
}
