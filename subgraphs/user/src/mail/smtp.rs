//! Mail by SMTP, with TLS where the URL says so.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::{Mail, MailError, Mailer, message};

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Hands mails to a server.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// A mailer for a server; connects when the first mail goes.
    ///
    /// # Errors
    /// [`MailError::Setting`] when the URL is not understood; the URL itself, which may hold a password, is not repeated.
    pub fn new(url: &str, from: Mailbox) -> Result<SmtpMailer, MailError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|error| MailError::Setting(format!("SMTP_URL: {error}")))?
            .timeout(Some(ANSWER_WITHIN))
            .build();
        Ok(SmtpMailer { transport, from })
    }
}

#[async_trait::async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.transport.send(message(mail, &self.from)?).await?;
        Ok(())
    }
}
