//! Letters: subject, plain text and HTML of each, from typed parts. Everything that a person wrote is escaped.
//!
//! Elsewhere: how a letter is sent (`mail/`), which notices there are (`notice.rs`).

use serde::{Deserialize, Serialize};

use super::notice::Notice;
use super::one_time::Purpose;

/// What a letter is about; how it is kept until it is sent. Never a token: that is made when the letter is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Letter {
    /// Confirm the address.
    VerifyEmail,
    /// Choose a new password.
    ResetPassword,
    /// Somebody tried to register with the address of an account.
    AddressTaken,
    /// The password was changed.
    PasswordChanged,
    /// The account has another address now; goes to the old one.
    AddressChanged {
        /// The old one.
        old_address: String,
    },
    /// A refresh token was used twice.
    SessionRevoked,
    /// The account may not act any more.
    Banned {
        /// Why.
        reason: String,
    },
    /// The account may act again.
    Unbanned,
    /// Something to know about.
    Notice {
        /// What.
        notice: Notice,
    },
}

/// A letter as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Who reads it, and where links lead.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// How the letter addresses the person.
    pub name: &'a str,
    /// The storefront, such as `https://shop.example`, without a slash at the end.
    pub shop_url: &'a str,
    /// The one-time token, where [`Letter::purpose`] asks for one.
    pub token: &'a str,
}

struct Draft {
    subject: String,
    paragraphs: Vec<String>,
    link: Option<(&'static str, String)>,
}

fn draft(subject: &str, paragraphs: &[&str]) -> Draft {
    let paragraphs = paragraphs.iter().map(|&paragraph| paragraph.to_owned()).collect();
    Draft { subject: subject.to_owned(), paragraphs, link: None }
}

impl Draft {
    fn link(mut self, label: &'static str, path: String) -> Draft {
        self.link = Some((label, path));
        self
    }
}

impl Letter {
    /// The one-time token that the letter carries, if any.
    pub fn purpose(&self) -> Option<Purpose> {
        match self {
            Letter::VerifyEmail => Some(Purpose::VerifyEmail),
            Letter::ResetPassword => Some(Purpose::ResetPassword),
            _ => None,
        }
    }

    /// The address it goes to, when that is not the account's present one.
    pub fn address(&self) -> Option<&str> {
        match self {
            Letter::AddressChanged { old_address } => Some(old_address),
            _ => None,
        }
    }

    /// Writes it.
    pub fn write(&self, reader: Reader<'_>) -> Written {
        let Draft { subject, paragraphs, link } = self.draft(reader.token);
        let greeting = format!("Hello {},", reader.name);
        let link = link.map(|(label, path)| (label, format!("{}{path}", reader.shop_url)));
        let mut text = vec![greeting.clone(), paragraphs.join("\n\n")];
        let mut html: Vec<String> = [&greeting]
            .into_iter()
            .chain(&paragraphs)
            .map(|line| format!("<p>{}</p>", escape(line)))
            .collect();
        if let Some((label, url)) = link {
            text.push(format!("{label}: {url}"));
            html.push(format!("<p><a href=\"{}\">{}</a></p>", escape(&url), escape(label)));
        }
        text.push("Kopitiam\n".to_owned());
        html.push("<p>Kopitiam</p>".to_owned());
        let (text, html) = (text.join("\n\n"), html.join("\n"));
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><body>\n{html}</body></html>\n"
        );
        Written { subject: one_line(&subject), text, html }
    }

    fn draft(&self, token: &str) -> Draft {
        match self {
            Letter::VerifyEmail => draft(
                "Confirm your e-mail address",
                &["Please confirm that this address is yours. The link is good for two days."],
            )
            .link("Confirm", format!("/verify-email?token={token}")),
            Letter::ResetPassword => draft(
                "Choose a new password",
                &[
                    "Somebody, hopefully you, asked for a new password. The link is good for one hour and works once.",
                    "If it was not you, do nothing: your password stays as it is.",
                ],
            )
            .link("Choose a new password", format!("/reset-password?token={token}")),
            Letter::AddressTaken => draft(
                "You already have an account",
                &[
                    "Somebody, perhaps you, tried to register with this address. You have an account already.",
                    "If you forgot your password, choose a new one. If it was not you, do nothing.",
                ],
            )
            .link("Choose a new password", "/forgot-password".to_owned()),
            Letter::PasswordChanged => draft(
                "Your password was changed",
                &["Your password was changed and every session ended. If it was not you, choose a new one now."],
            )
            .link("Choose a new password", "/forgot-password".to_owned()),
            Letter::AddressChanged { .. } => draft(
                "Your e-mail address was changed",
                &["Your account has another e-mail address from now on. If it was not you, write to us at once."],
            ),
            Letter::SessionRevoked => draft(
                "A session was ended for your safety",
                &[
                    "One of your sessions was used from two places, so we ended it. Please sign in again.",
                    "If you see this often, choose a new password.",
                ],
            )
            .link("Sign in", "/login".to_owned()),
            Letter::Banned { reason } => draft(
                "Your account was closed",
                &["Your account can no longer sign in, buy or sell.", &format!("The reason given: {reason}")],
            ),
            Letter::Unbanned => draft("Your account is open again", &["You can sign in, buy and sell again."])
                .link("Sign in", "/login".to_owned()),
            Letter::Notice { notice } => {
                draft(&notice.title(), &[notice.body().trim()]).link("Read more", notice.path())
            }
        }
    }
}

/// A subject is a header: whatever breaks a line would begin another one.
fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn reader(name: &str) -> Reader<'_> {
        Reader { name, shop_url: "https://shop.example", token: "t-1" }
    }

    #[test]
    fn what_people_wrote_is_inert_in_html_and_cannot_begin_a_header() {
        let title = "<script>alert(1)</script>\r\nBcc: all@shop.example".to_owned();
        let notice = Notice::Outbid { listing_id: Uuid::nil(), title };
        let written = Letter::Notice { notice }.write(reader("<img src=x onerror=alert(1)>"));
        assert!(!written.html.contains("<script") && !written.html.contains("<img"), "{}", written.html);
        assert!(!written.subject.contains(['\r', '\n']), "{}", written.subject);
        let banned = Letter::Banned { reason: "\"><b>".into() }.write(reader("bob"));
        assert!(banned.html.contains("&quot;&gt;&lt;b&gt;"), "{}", banned.html);
    }

    #[test]
    fn only_letters_that_need_a_token_carry_one() {
        let notice = Notice::ToppedUp { amount: "1.00 USD".into() };
        let letters = [
            (Letter::VerifyEmail, true),
            (Letter::ResetPassword, true),
            (Letter::AddressTaken, false),
            (Letter::PasswordChanged, false),
            (Letter::SessionRevoked, false),
            (Letter::Unbanned, false),
            (Letter::Notice { notice }, false),
        ];
        for (letter, carries) in letters {
            let written = letter.write(reader("bob"));
            assert_eq!(letter.purpose().is_some(), carries, "{letter:?}");
            assert_eq!(written.text.contains("t-1") && written.html.contains("t-1"), carries, "{letter:?}");
            assert!(!written.subject.contains("t-1"));
            let stored = serde_json::to_string(&letter).unwrap();
            assert_eq!(serde_json::from_str::<Letter>(&stored).unwrap(), letter);
        }
    }
}
