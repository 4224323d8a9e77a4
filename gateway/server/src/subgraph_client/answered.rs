//! Headers of subgraphs' answers that reach the client.
//!
//! In: what each answer to one client request said. Out: headers of the response.
//! Always: none but those that a rule names; `set-cookie` only of a mutation, whose answer nobody else gets; a response may
//! be cached only where every answer says so, and by others than the client only where no credential was in play.
//! Elsewhere: headers to subgraphs (`headers.rs`); what a response without such rules says (`http/encode.rs`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::{AGE, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, VARY};

use super::may_be_forwarded;
use crate::cache::{Freshness, Kept, Together};

/// Which headers of subgraphs' answers reach the client. By default none does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerHeaderRules {
    /// Passed on.
    pub forward: Vec<AnswerHeaderRule>,
    /// Whether `cache-control` of a query's response is made of those of all answers: cacheable if all are, as long as
    /// the shortest. Otherwise no response may be stored.
    pub merge_cache_control: bool,
}

/// Passes a header of answers on to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerHeaderRule {
    /// The subgraphs' header.
    pub from: HeaderName,
    /// Its name at the client.
    pub to: HeaderName,
    /// Which of several values, in the order in which the answers came.
    pub combine: Combine,
}

/// Which of several values the client gets.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Combine {
    /// The first.
    First,
    /// The last.
    Last,
    /// All of them.
    #[default]
    All,
}

impl AnswerHeaderRules {
    fn wanted(&self) -> Vec<HeaderName> {
        let cache = if self.merge_cache_control { &[CACHE_CONTROL, AGE][..] } else { &[] };
        self.forward.iter().map(|rule| &rule.from).chain(cache).cloned().collect()
    }

    /// A header that the connection, the body's form or the gateway decides about.
    pub(crate) fn unusable(&self) -> Option<HeaderName> {
        let mut names = self.forward.iter().flat_map(|rule| [&rule.from, &rule.to]);
        names.find(|name| !may_be_forwarded(name) || **name == CACHE_CONTROL).cloned()
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.forward.is_empty() && !self.merge_cache_control
    }
}

/// What the answers to one client request said.
#[derive(Debug)]
pub(crate) struct Answered {
    rules: Arc<AnswerHeaderRules>,
    wanted: Vec<HeaderName>,
    /// One for each answer; the flag says that a mutation got it.
    answers: Mutex<Vec<(Arc<HeaderMap>, bool)>>,
    /// What the response is made of; `None`: nobody wants to keep it.
    made: Option<Mutex<Made>>,
    /// For how many seconds the response has been kept.
    age: AtomicU64,
}

/// How long a response may be kept, as far as is known.
#[derive(Debug)]
enum Made {
    OfNothing,
    Of(Together),
    OfWhatIsNotKept,
}

impl Answered {
    pub(crate) fn new(rules: Arc<AnswerHeaderRules>) -> Self {
        Self { wanted: rules.wanted(), rules, answers: Mutex::default(), made: None, age: AtomicU64::new(0) }
    }

    /// For a response that may be kept; what clients are told is as for `own`.
    pub(crate) fn to_keep(own: Option<&Self>) -> Self {
        let rules = own.map(|own| Arc::clone(&own.rules)).unwrap_or_default();
        Self { made: Some(Mutex::new(Made::OfNothing)), ..Self::new(rules) }
    }

    /// The response is made of this, too; `None`: of something that is not kept.
    pub(super) fn made_of(&self, together: Option<Together>) {
        let Some(made) = &self.made else { return };
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        *made = match (std::mem::replace(&mut *made, Made::OfWhatIsNotKept), together) {
            (Made::OfNothing, Some(together)) => Made::Of(together),
            (Made::Of(known), Some(together)) => Made::Of(known.and(together)),
            _ => Made::OfWhatIsNotKept,
        };
    }

    /// How long the response may be kept; `None` when not at all.
    pub(crate) fn made(&self) -> Option<Together> {
        match &*self.made.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner) {
            Made::Of(together) => Some(together.clone()),
            Made::OfNothing | Made::OfWhatIsNotKept => None,
        }
    }

    /// The response was kept.
    pub(crate) fn was_kept(&self, kept: &Kept) {
        let kind = if kept.is_private { "private" } else { "public" };
        let value = format!("{kind}, max-age={}", kept.told().as_secs());
        let value = HeaderValue::from_str(&value).expect("visible ASCII");
        self.note(Arc::new(HeaderMap::from_iter([(CACHE_CONTROL, value)])), false);
        self.age.store(kept.stored.elapsed().as_secs(), Ordering::Relaxed);
    }

    fn answers(&self) -> MutexGuard<'_, Vec<(Arc<HeaderMap>, bool)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The headers to be read.
    pub(super) fn wanted(&self) -> &[HeaderName] {
        &self.wanted
    }

    pub(super) fn note(&self, headers: Arc<HeaderMap>, is_mutation: bool) {
        self.answers().push((headers, is_mutation));
    }

    /// Takes over what an equal request, whose response this one shares, was told.
    pub(crate) fn share(&self, other: &Self) {
        if !std::ptr::eq(self, other) {
            let answers = other.answers().clone();
            *self.answers() = answers;
        }
    }

    /// Adds to a response's headers what the rules say. `varies` are the client's headers that answers may depend on.
    pub(crate) fn apply(
        &self,
        response: &mut HeaderMap,
        is_cacheable: bool,
        has_credential: bool,
        varies: &[HeaderName],
    ) {
        let answers = self.answers();
        for rule in &self.rules.forward {
            let of_answers =
                answers.iter().filter(|(_, is_mutation)| rule.from != SET_COOKIE || *is_mutation);
            let mut values = of_answers.flat_map(|(headers, _)| headers.get_all(&rule.from));
            match rule.combine {
                Combine::First => set(response, &rule.to, values.next()),
                Combine::Last => set(response, &rule.to, values.last()),
                Combine::All => values.for_each(|value| {
                    response.append(rule.to.clone(), value.clone());
                }),
            }
        }
        if !self.rules.merge_cache_control || !is_cacheable || answers.is_empty() {
            return;
        }
        let fresh = answers.iter().map(|(headers, _)| Freshness::of(headers));
        let merged = fresh.reduce(|one, other| Some(one?.and(other?))).flatten();
        let Some(Freshness { seconds, is_private, .. }) = merged.filter(|merged| merged.seconds > 0) else {
            return;
        };
        let kind = if is_private || has_credential { "private" } else { "public" };
        // Whoever keeps it subtracts its age.
        let age = self.age.load(Ordering::Relaxed);
        let value = format!("{kind}, max-age={}", seconds.saturating_add(age));
        if age > 0 {
            response.insert(AGE, age.into());
        }
        response.insert(CACHE_CONTROL, HeaderValue::from_str(&value).expect("visible ASCII"));
        for name in varies {
            response.append(VARY, HeaderValue::from(name.clone()));
        }
    }
}

fn set(response: &mut HeaderMap, name: &HeaderName, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        response.insert(name.clone(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> Arc<HeaderMap> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Arc::new(pairs.iter().map(pair).collect())
    }

    fn cached(answers: &[&[(&'static str, &'static str)]], has_credential: bool) -> Option<String> {
        let rules = AnswerHeaderRules { merge_cache_control: true, ..AnswerHeaderRules::default() };
        let answered = Answered::new(Arc::new(rules));
        for answer in answers {
            answered.note(headers(answer), false);
        }
        let mut response = HeaderMap::new();
        answered.apply(&mut response, true, has_credential, &[]);
        response.get(CACHE_CONTROL).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_response_is_fresh_as_long_as_the_answer_that_ages_first() {
        const HOUR: (&str, &str) = ("cache-control", "max-age=3600");
        const MINUTE: (&str, &str) = ("cache-control", "public, max-age=60");
        let is = |answers: &[&[(&'static str, &'static str)]], expected: Option<&str>| {
            assert_eq!(cached(answers, false).as_deref(), expected, "{answers:?}");
        };
        is(&[&[HOUR], &[MINUTE]], Some("public, max-age=60"));
        is(&[&[HOUR], &[("cache-control", "private, max-age=90")]], Some("private, max-age=90"));
        is(&[&[MINUTE, ("age", "50")]], Some("public, max-age=10"));
        is(&[&[MINUTE, ("age", "70")]], None);
        is(&[&[("cache-control", "max-age=60, s-maxage=5")]], Some("public, max-age=5"));
        is(&[&[HOUR], &[]], None);
        is(&[&[HOUR], &[("cache-control", "No-Store")]], None);
        is(&[&[HOUR], &[("cache-control", "max-age=soon")]], None);
        is(&[], None);
        assert_eq!(cached(&[&[HOUR]], true).as_deref(), Some("private, max-age=3600"));
    }

    #[test]
    fn headers_are_passed_on_as_the_rules_say_and_cookies_of_mutations_only() {
        let rule = |from, to, combine| AnswerHeaderRule {
            from: HeaderName::from_static(from),
            to: HeaderName::from_static(to),
            combine,
        };
        let forward = vec![
            rule("x-a", "x-first", Combine::First),
            rule("x-a", "x-last", Combine::Last),
            rule("x-a", "x-all", Combine::All),
            rule("set-cookie", "set-cookie", Combine::All),
        ];
        let answered = Answered::new(Arc::new(AnswerHeaderRules { forward, ..AnswerHeaderRules::default() }));
        answered.note(headers(&[("x-a", "1"), ("x-b", "9"), ("set-cookie", "query=1")]), false);
        answered.note(headers(&[("x-a", "2"), ("set-cookie", "mutation=1")]), true);
        let sharing = Answered::new(Arc::clone(&answered.rules));
        sharing.share(&answered);
        for answered in [answered, sharing] {
            let mut response = HeaderMap::new();
            answered.apply(&mut response, true, false, &[]);
            let mut lines: Vec<_> =
                response.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            lines.sort_unstable();
            assert_eq!(lines, ["set-cookie: mutation=1", "x-all: 1", "x-all: 2", "x-first: 1", "x-last: 2"]);
        }
    }

    #[test]
    fn a_response_that_was_kept_has_its_age_beside_its_whole_time() {
        let rules = AnswerHeaderRules { merge_cache_control: true, ..AnswerHeaderRules::default() };
        let answered = Answered::new(Arc::new(rules));
        let now = tokio::time::Instant::now();
        let later = |seconds| now + std::time::Duration::from_secs(seconds);
        answered.was_kept(&Kept {
            value: bytes::Bytes::new(),
            is_private: false,
            stored: now.checked_sub(std::time::Duration::from_secs(10)).unwrap_or(now),
            expires: later(51),
            told_until: later(51),
            labels: Arc::default(),
        });
        let mut response = HeaderMap::new();
        answered.apply(&mut response, true, false, &[]);
        let value = |name| response.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let seconds = |text: &str| text.parse::<u64>().unwrap();
        let whole = seconds(value("cache-control").strip_prefix("public, max-age=").unwrap());
        let left = whole - seconds(value("age"));
        assert!((40..=51).contains(&left), "{response:?}");
    }
}
