//! How long an answer may be kept, and for whom: what its headers say.
//!
//! Always: what is not understood forbids keeping; what was asked with a credential is that credential's alone, unless
//! the answer says in so many words that it is everybody's.
//! Elsewhere: keeping it (`store.rs`); what clients are told (`subgraph_client/answered.rs`).

use std::time::Duration;

use http::header::{AGE, AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderName, SET_COOKIE, VARY};

/// The headers of answers that are read here.
pub(crate) const READ: [HeaderName; 4] = [CACHE_CONTROL, AGE, VARY, SET_COOKIE];

/// How long an answer may be kept, and by whom (RFC 9111, section 5.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// By anybody.
    pub(crate) seconds: u64,
    /// By a cache that serves many: `s-maxage` counts.
    shared_seconds: u64,
    pub(crate) is_private: bool,
    /// Also what a credential was sent for (RFC 9111, section 3.5).
    is_public: bool,
}

impl Freshness {
    /// `None`: not at all.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let (mut max_age, mut shared_max_age, mut is_private, mut is_public) = (None, None, false, false);
        for line in headers.get_all(CACHE_CONTROL) {
            for directive in line.to_str().ok()?.split(',') {
                let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
                let seconds = || value.trim().trim_matches('"').parse::<u64>().ok();
                match name.trim().to_ascii_lowercase().as_str() {
                    "no-store" | "no-cache" => return None,
                    "private" => is_private = true,
                    "public" => is_public = true,
                    "max-age" => max_age = Some(seconds()?),
                    "s-maxage" => (shared_max_age, is_public) = (Some(seconds()?), true),
                    _ => {}
                }
            }
        }
        let age = match headers.get(AGE) {
            Some(age) => age.to_str().ok()?.trim().parse().ok()?,
            None => 0,
        };
        let seconds = [max_age, shared_max_age].into_iter().flatten().min()?.saturating_sub(age);
        let shared_seconds = shared_max_age.or(max_age)?.saturating_sub(age);
        Some(Self { seconds, shared_seconds, is_private, is_public: is_public && !is_private })
    }

    /// That of an answer made of two.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.min(other.seconds),
            shared_seconds: self.shared_seconds.min(other.shared_seconds),
            is_private: self.is_private || other.is_private,
            is_public: self.is_public && other.is_public,
        }
    }
}

/// How long answers of one subgraph are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// The longest that anything is kept, whatever the subgraph says.
    pub ttl_max: Duration,
    /// How long an answer is kept that has no `cache-control`. `None`: it is not kept.
    pub default_ttl: Option<Duration>,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { ttl_max: Duration::from_hours(1), default_ttl: None }
    }
}

/// How long something is kept, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keeping {
    pub(crate) ttl: Duration,
    /// What a client may be told of it: shorter than `ttl` where only caches like this one may keep it so long.
    pub(crate) told: Duration,
    /// For the credential it was asked with, and nobody else.
    pub(crate) is_private: bool,
}

/// How the request to a subgraph was told from others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Whether a credential was sent.
    pub(crate) has_credential: bool,
    /// Headers that were or may be sent and that no key holds.
    pub(crate) unkeyed: &'a [HeaderName],
}

/// Whether and how an answer with these headers is kept. `None`: it is not.
pub(crate) fn keeping(headers: &HeaderMap, settings: &CacheSettings, asked: Asked<'_>) -> Option<Keeping> {
    if headers.contains_key(SET_COOKIE) {
        return None;
    }
    let (ttl, told, mut is_private, is_public) = if headers.contains_key(CACHE_CONTROL) {
        let Freshness { seconds, shared_seconds, is_private, is_public } = Freshness::of(headers)?;
        let whole = if is_private { seconds } else { shared_seconds };
        (Duration::from_secs(whole), Duration::from_secs(seconds), is_private, is_public)
    } else {
        let ttl = settings.default_ttl?;
        (ttl, ttl, false, false)
    };
    for line in headers.get_all(VARY) {
        for name in line.to_str().ok()?.split(',').map(|name| name.trim().to_ascii_lowercase()) {
            if name == "*" || asked.unkeyed.iter().any(|unkeyed| unkeyed.as_str() == name) {
                return None;
            }
            is_private |= name == AUTHORIZATION.as_str() && asked.has_credential;
        }
    }
    is_private |= asked.has_credential && !is_public;
    let ttl = ttl.min(settings.ttl_max);
    if ttl.is_zero() || (is_private && !asked.has_credential) {
        return None;
    }
    Some(Keeping { ttl, told: told.min(ttl), is_private })
}

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;

    const SETTINGS: CacheSettings = CacheSettings { ttl_max: Duration::from_secs(100), default_ttl: None };
    const TRACE: HeaderName = HeaderName::from_static("traceparent");

    fn kept_with(
        lines: &[(&'static str, &'static str)],
        settings: &CacheSettings,
        has_credential: bool,
    ) -> Option<(u64, bool)> {
        let headers: HeaderMap = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        keeping(&headers, settings, Asked { has_credential, unkeyed: &[TRACE] })
            .map(|keeping| (keeping.ttl.as_secs(), keeping.is_private))
    }

    fn kept(cache_control: &'static str, has_credential: bool) -> Option<(u64, bool)> {
        kept_with(&[("cache-control", cache_control)], &SETTINGS, has_credential)
    }

    #[test]
    fn only_what_says_so_is_kept_and_no_longer_than_the_settings_allow() {
        assert_eq!(kept("max-age=60", false), Some((60, false)));
        assert_eq!(kept("max-age=600", false), Some((100, false)));
        assert_eq!(kept("max-age=0, s-maxage=30", false), Some((30, false)));
        for never in ["no-store", "max-age=60, No-Cache", "max-age=0", "max-age=soon", "public", ""] {
            assert_eq!(kept(never, false), None, "{never}");
        }
        let aged = |age| kept_with(&[("cache-control", "max-age=60"), ("age", age)], &SETTINGS, false);
        assert_eq!((aged("50"), aged("60"), aged("old")), (Some((10, false)), None, None));
        assert_eq!(kept_with(&[], &SETTINGS, false), None);
        let default = CacheSettings { default_ttl: Some(Duration::from_secs(5)), ..SETTINGS };
        assert_eq!(kept_with(&[], &default, false), Some((5, false)));
        assert_eq!(kept_with(&[], &default, true), Some((5, true)));
        assert_eq!(kept_with(&[("cache-control", "public")], &default, false), None);
    }

    #[test]
    fn what_was_asked_with_a_credential_is_its_own_unless_it_is_said_to_be_everybodys() {
        assert_eq!(kept("max-age=60", true), Some((60, true)));
        assert_eq!(kept("private, max-age=60", true), Some((60, true)));
        assert_eq!(kept("private, public, max-age=60", true), Some((60, true)));
        assert_eq!(kept("public, max-age=60", true), Some((60, false)));
        assert_eq!(kept("s-maxage=60", true), Some((60, false)));
        assert_eq!(kept("private, max-age=60", false), None);
        assert_eq!(kept("private, s-maxage=60, max-age=5", true), Some((5, true)));
    }

    #[test]
    fn what_depends_on_a_header_that_no_key_holds_is_not_kept() {
        let vary = |vary, has_credential| {
            kept_with(&[("cache-control", "public, max-age=9"), ("vary", vary)], &SETTINGS, has_credential)
        };
        assert_eq!(vary("Accept-Encoding, x-tenant", false), Some((9, false)));
        assert_eq!(vary("*", false), None);
        assert_eq!(vary("accept, TraceParent", false), None);
        assert_eq!(vary("Authorization", true), Some((9, true)));
        let cookie = [("cache-control", "public, max-age=9"), ("set-cookie", "a=b")];
        assert_eq!(kept_with(&cookie, &SETTINGS, false), None);
    }
}
