//! Checked input: each value here can only be built from text that follows its rule. One place for every rule, so
//! that sign-up, profile and seed data agree.

use super::refusal::Refusal;

/// Longest e-mail address that mail servers must carry.
///
/// # Source
/// RFC 5321, section 4.5.3.1.3 (256 octets with the angle brackets).
const EMAIL_CHARS_MAX: usize = 254;
const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=30;
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 10..=128;
const FULL_NAME_CHARS_MAX: usize = 120;
const HANDLE_CHARS: std::ops::RangeInclusive<usize> = 3..=40;
const DISPLAY_NAME_CHARS_MAX: usize = 80;
const BIO_CHARS_MAX: usize = 2000;
const REASON_CHARS: std::ops::RangeInclusive<usize> = 3..=500;

/// An e-mail address that could exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Checks the shape only; whether the address exists is found out by writing to it.
    ///
    /// # Errors
    /// [`Refusal::EmailNotAcceptable`].
    pub fn parse(text: &str) -> Result<Email, Refusal> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(Refusal::EmailNotAcceptable)?;
        let plausible = text.chars().count() <= EMAIL_CHARS_MAX
            && !local.is_empty()
            && !local.contains('@')
            && domain.contains('.')
            && domain.split('.').all(|label| !label.is_empty())
            && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if plausible { Ok(Email(text.to_owned())) } else { Err(Refusal::EmailNotAcceptable) }
    }

    /// As typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What decides whether two addresses are the same.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

/// A public user name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// # Errors
    /// [`Refusal::UsernameInvalid`].
    pub fn parse(text: &str) -> Result<Username, Refusal> {
        let text = text.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let valid = USERNAME_CHARS.contains(&text.chars().count())
            && text.chars().all(allowed)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if valid { Ok(Username(text.to_owned())) } else { Err(Refusal::UsernameInvalid) }
    }

    /// As typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What decides whether two names are the same.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// A password in clear text on its way to the hash; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// # Errors
    /// [`Refusal::PasswordInvalid`] outside 10 to 128 characters.
    pub fn parse(text: String) -> Result<Password, Refusal> {
        if PASSWORD_CHARS.contains(&text.chars().count()) {
            Ok(Password(text))
        } else {
            Err(Refusal::PasswordInvalid)
        }
    }

    /// A password to compare with a stored hash: any text, cut where no stored password can reach.
    pub fn attempt(text: &str) -> Password {
        Password(text.chars().take(*PASSWORD_CHARS.end() + 1).collect())
    }

    /// The clear text, for rules about it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// A stall's address part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(String);

impl Handle {
    /// Folds to lower case first.
    ///
    /// # Errors
    /// [`Refusal::HandleInvalid`].
    pub fn parse(text: &str) -> Result<Handle, Refusal> {
        let text = text.trim().to_ascii_lowercase();
        let valid = HANDLE_CHARS.contains(&text.len())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid { Ok(Handle(text)) } else { Err(Refusal::HandleInvalid) }
    }

    /// The handle.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && c != '\n')
}

/// A full name; empty text means none.
///
/// # Errors
/// [`Refusal::FullNameInvalid`].
pub fn full_name(text: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > FULL_NAME_CHARS_MAX || has_control(text) {
        return Err(Refusal::FullNameInvalid);
    }
    Ok(Some(text.to_owned()))
}

/// A stall's display name.
///
/// # Errors
/// [`Refusal::DisplayNameInvalid`].
pub fn display_name(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > DISPLAY_NAME_CHARS_MAX || has_control(text) {
        return Err(Refusal::DisplayNameInvalid);
    }
    Ok(text.to_owned())
}

/// A stall's text about itself; empty text means none.
///
/// # Errors
/// [`Refusal::BioInvalid`].
pub fn bio(text: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > BIO_CHARS_MAX || has_control(text) {
        return Err(Refusal::BioInvalid);
    }
    Ok(Some(text.to_owned()))
}

/// Why a manager did something.
///
/// # Errors
/// [`Refusal::ReasonInvalid`].
pub fn reason(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if !REASON_CHARS.contains(&text.chars().count()) || has_control(text) {
        return Err(Refusal::ReasonInvalid);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_needs_a_local_part_and_a_dotted_domain() {
        for good in ["a@b.co", "Bob.Tan+shop@kopitiam.example"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "bob", "bob@", "@b.co", "bob@host", "bob@.co", "b b@c.de", "a@b@c.de", "bob@host..de"]
        {
            assert_eq!(Email::parse(bad), Err(Refusal::EmailNotAcceptable), "{bad}");
        }
        assert!(Email::parse(&format!("{}@b.co", "x".repeat(260))).is_err());
    }

    #[test]
    fn emails_and_usernames_are_the_same_without_regard_to_case() {
        assert_eq!(Email::parse("Bob@B.co").unwrap().key(), Email::parse("bob@b.CO").unwrap().key());
        assert_eq!(Username::parse("Bob").unwrap().key(), Username::parse("bOB").unwrap().key());
    }

    #[test]
    fn a_password_has_at_least_ten_characters_and_is_never_printed() {
        assert!(Password::parse("123456789".into()).is_err());
        let password = Password::parse("1234567890".into()).unwrap();
        assert!(!format!("{password:?}").contains("123"));
        assert!(Password::parse("x".repeat(129)).is_err());
    }

    #[test]
    fn a_handle_is_folded_and_has_no_dash_at_its_ends() {
        assert_eq!(Handle::parse("Kopi-House").unwrap().as_str(), "kopi-house");
        for bad in ["-kopi", "kopi-", "ko", "kopi house", "köpi"] {
            assert!(Handle::parse(bad).is_err(), "{bad}");
        }
    }
}
