//! Business refusals of the user service: what a client may read as `userErrors`. System failures live in the store's errors.

/// Why a command was not carried out; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Malformed and taken addresses get the same answer, so that nobody can probe for accounts.
    #[error("this e-mail is not acceptable")]
    EmailNotAcceptable,
    /// Three to thirty characters of `a-z 0-9 _ . -`, starting with a letter or digit.
    #[error("a username has 3 to 30 letters, digits, dots, dashes or underscores")]
    UsernameInvalid,
    /// Usernames are public, so saying that one is taken gives nothing away.
    #[error("this username is taken")]
    UsernameTaken,
    /// Ten to 128 characters.
    #[error("a password has 10 to 128 characters")]
    PasswordInvalid,
    /// Among the first that are guessed.
    #[error("this password is easy to guess; try a few unrelated words")]
    PasswordWeak,
    /// The token from a letter is unknown, used or too old.
    #[error("this link is not valid any more; ask for a new one")]
    TokenInvalid,
    /// At most 120 characters, no control characters.
    #[error("a full name has 1 to 120 characters")]
    FullNameInvalid,
    /// One answer for every wrong part of a log-in.
    #[error("e-mail or password is wrong")]
    WrongCredentials,
    /// Too many failed log-ins for this account.
    #[error("too many attempts; try again later")]
    TooManyAttempts,
    /// The current password is needed to change e-mail or password.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The account is banned; it can neither sign in nor spend.
    #[error("this account is banned")]
    UserBanned,
    /// The refresh token is unknown, expired, used before or revoked.
    #[error("the session has ended; sign in again")]
    SessionEnded,
    /// Three to forty characters of `a-z 0-9 -`.
    #[error("a handle has 3 to 40 lower-case letters, digits or dashes")]
    HandleInvalid,
    /// Another stall has this handle.
    #[error("this handle is taken")]
    HandleTaken,
    /// One to eighty characters.
    #[error("a display name has 1 to 80 characters")]
    DisplayNameInvalid,
    /// At most 2000 characters.
    #[error("a bio has at most 2000 characters")]
    BioInvalid,
    /// A user opens one stall.
    #[error("this account sells already")]
    AlreadySeller,
    /// No such user.
    #[error("no such user")]
    UserNotFound,
    /// The record changed since the caller read it.
    #[error("someone changed this in the meantime; reload and try again")]
    VersionConflict,
    /// Grants have a bound and are never zero.
    #[error("the amount is not acceptable")]
    AmountInvalid,
    /// Only currencies the ledger keeps.
    #[error("this currency is not supported")]
    CurrencyUnsupported,
    /// Every grant says why.
    #[error("a reason of 3 to 500 characters is needed")]
    ReasonInvalid,
    /// A manager neither grants credit to, bans nor promotes themself.
    #[error("this cannot be done to your own account")]
    OwnAccount,
    /// A negative grant larger than what is available.
    #[error("the wallet does not hold that much")]
    InsufficientFunds,
    /// The payment provider does not take this payment.
    #[error("the payment could not be started")]
    PaymentRefused,
    /// More than 100 ids.
    #[error("at most 100 at once")]
    TooManyIds,
    /// Roles a person cannot be given, or an empty list.
    #[error("these roles are not acceptable")]
    RolesInvalid,
}

impl Refusal {
    /// The stable code of `userErrors.code`.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::EmailNotAcceptable => "EMAIL_NOT_ACCEPTABLE",
            Refusal::UsernameInvalid => "USERNAME_INVALID",
            Refusal::UsernameTaken => "USERNAME_TAKEN",
            Refusal::PasswordInvalid => "PASSWORD_INVALID",
            Refusal::PasswordWeak => "PASSWORD_WEAK",
            Refusal::TokenInvalid => "TOKEN_INVALID",
            Refusal::FullNameInvalid => "FULL_NAME_INVALID",
            Refusal::WrongCredentials => "WRONG_CREDENTIALS",
            Refusal::TooManyAttempts => "TOO_MANY_ATTEMPTS",
            Refusal::WrongPassword => "WRONG_PASSWORD",
            Refusal::UserBanned => "USER_BANNED",
            Refusal::SessionEnded => "SESSION_ENDED",
            Refusal::HandleInvalid => "HANDLE_INVALID",
            Refusal::HandleTaken => "HANDLE_TAKEN",
            Refusal::DisplayNameInvalid => "DISPLAY_NAME_INVALID",
            Refusal::BioInvalid => "BIO_INVALID",
            Refusal::AlreadySeller => "ALREADY_SELLER",
            Refusal::UserNotFound => "USER_NOT_FOUND",
            Refusal::VersionConflict => "VERSION_CONFLICT",
            Refusal::AmountInvalid => "AMOUNT_INVALID",
            Refusal::CurrencyUnsupported => "CURRENCY_UNSUPPORTED",
            Refusal::ReasonInvalid => "REASON_INVALID",
            Refusal::OwnAccount => "OWN_ACCOUNT",
            Refusal::InsufficientFunds => "INSUFFICIENT_FUNDS",
            Refusal::PaymentRefused => "PAYMENT_REFUSED",
            Refusal::TooManyIds => "TOO_MANY_IDS",
            Refusal::RolesInvalid => "ROLES_INVALID",
        }
    }

    /// The input field that the refusal speaks of, where there is one.
    pub fn field(self) -> Option<&'static str> {
        match self {
            Refusal::EmailNotAcceptable => Some("email"),
            Refusal::UsernameInvalid | Refusal::UsernameTaken => Some("username"),
            Refusal::PasswordInvalid | Refusal::PasswordWeak => Some("password"),
            Refusal::TokenInvalid => Some("token"),
            Refusal::FullNameInvalid => Some("fullName"),
            Refusal::WrongPassword => Some("currentPassword"),
            Refusal::HandleInvalid | Refusal::HandleTaken => Some("handle"),
            Refusal::DisplayNameInvalid => Some("displayName"),
            Refusal::BioInvalid => Some("bio"),
            Refusal::AmountInvalid | Refusal::InsufficientFunds => Some("amount"),
            Refusal::CurrencyUnsupported => Some("currency"),
            Refusal::ReasonInvalid => Some("reason"),
            Refusal::TooManyIds => Some("ids"),
            Refusal::RolesInvalid => Some("roles"),
            Refusal::VersionConflict => Some("expectedVersion"),
            Refusal::WrongCredentials
            | Refusal::TooManyAttempts
            | Refusal::UserBanned
            | Refusal::SessionEnded
            | Refusal::AlreadySeller
            | Refusal::UserNotFound
            | Refusal::PaymentRefused
            | Refusal::OwnAccount => None,
        }
    }
}

impl From<Refusal> for kopitiam_kit::UserError {
    fn from(refusal: Refusal) -> Self {
        match refusal.field() {
            Some(field) => Self::on(&[field], refusal.code(), refusal.to_string()),
            None => Self::new(refusal.code(), refusal.to_string()),
        }
    }
}

impl From<Refusal> for kopitiam_kit::Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal.into()])
    }
}
