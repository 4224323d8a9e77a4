//! Refresh tokens: one family per log-in, each token good for one use. Storing and hashing live in `store/sessions.rs`.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

/// An access token's life. Short, because it cannot be called back before its end.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::minutes(15);
/// A refresh token's life.
pub const REFRESH_TOKEN_LIFE: Duration = Duration::days(30);

/// How long a client may ask again for the exchange of a token whose answer it lost, by the nonce it sent with it.
pub const RETRY_WITHIN: Duration = Duration::seconds(10);

/// What the store knows of a presented refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedToken {
    /// The family: the `sid` claim of its access tokens.
    pub session_id: Uuid,
    /// Whose session it is.
    pub user_id: Uuid,
    /// When the token loses its worth.
    pub expires_at: DateTime<Utc>,
    /// When it was exchanged for the next one.
    pub used_at: Option<DateTime<Utc>>,
    /// Hash of the nonce that came with that exchange.
    pub nonce_hash: Option<String>,
    /// When its whole family was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What to do with a presented token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenVerdict {
    /// Exchange it for the next one.
    Rotate,
    /// The same client asks again for an exchange whose answer it lost: give it another token.
    Repeat,
    /// Someone else holds a copy: end the whole family.
    RevokeFamily,
    /// Refuse; nothing to end.
    Refuse,
}

/// Judges a presented refresh token.
///
/// # Source
/// RFC 9700, section 4.14.2: a used token presented again means that one of the two holders stole it.
pub fn judge(token: &PresentedToken, nonce_hash: Option<&str>, now: DateTime<Utc>) -> TokenVerdict {
    if token.revoked_at.is_some() {
        return TokenVerdict::Refuse;
    }
    if let Some(used_at) = token.used_at {
        // Only the client that made the exchange knows its nonce; a thief has the token alone.
        let same_client = nonce_hash.is_some() && nonce_hash == token.nonce_hash.as_deref();
        let soon = now - used_at <= RETRY_WITHIN;
        return if same_client && soon { TokenVerdict::Repeat } else { TokenVerdict::RevokeFamily };
    }
    if token.expires_at <= now { TokenVerdict::Refuse } else { TokenVerdict::Rotate }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(now: DateTime<Utc>) -> PresentedToken {
        PresentedToken {
            session_id: Uuid::nil(),
            user_id: Uuid::nil(),
            expires_at: now + REFRESH_TOKEN_LIFE,
            used_at: None,
            nonce_hash: None,
            revoked_at: None,
        }
    }

    #[test]
    fn access_tokens_live_at_most_fifteen_minutes_and_refresh_tokens_thirty_days() {
        assert!(ACCESS_TOKEN_LIFE <= Duration::minutes(15));
        assert_eq!(REFRESH_TOKEN_LIFE, Duration::days(30));
    }

    #[test]
    fn a_token_used_before_ends_its_family_even_when_expired() {
        let now = Utc::now();
        let used = PresentedToken { used_at: Some(now), expires_at: now, ..token(now) };
        assert_eq!(judge(&used, None, now), TokenVerdict::RevokeFamily);
    }

    #[test]
    fn only_the_client_that_made_the_exchange_may_repeat_it_and_only_for_ten_seconds() {
        let now = Utc::now();
        let used = PresentedToken { used_at: Some(now), nonce_hash: Some("n".into()), ..token(now) };
        assert_eq!(judge(&used, Some("n"), now + RETRY_WITHIN), TokenVerdict::Repeat);
        for (nonce, after) in
            [(Some("n"), Duration::seconds(11)), (Some("x"), Duration::zero()), (None, Duration::zero())]
        {
            assert_eq!(judge(&used, nonce, now + after), TokenVerdict::RevokeFamily, "{nonce:?}");
        }
        let without = PresentedToken { used_at: Some(now), ..token(now) };
        assert_eq!(judge(&without, None, now), TokenVerdict::RevokeFamily, "no nonce is no proof");
    }

    #[test]
    fn expired_and_revoked_tokens_are_refused() {
        let now = Utc::now();
        assert_eq!(judge(&token(now), None, now), TokenVerdict::Rotate);
        assert_eq!(judge(&PresentedToken { expires_at: now, ..token(now) }, None, now), TokenVerdict::Refuse);
        assert_eq!(
            judge(&PresentedToken { revoked_at: Some(now), ..token(now) }, None, now),
            TokenVerdict::Refuse
        );
    }
}
