//! A query to a subgraph whose answers may be kept: what is known is not asked again.
//!
//! In: a call, and what is cacheable of it. Out: the answer that the subgraph would have given.
//! Always: known parts, parts that another request is asking for and parts that are asked now come out in the order of the
//! request; an answer with errors is never kept; whoever waits for others waits no longer than its own deadline.
//! Elsewhere: what is kept, and for whom (`cache/`).

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{join_all, try_join};
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use kopitiam_executor::transport::{Cacheable, TransportError};
use serde_json::value::RawValue;

use super::answer::Whole;
use super::call::Call;
use super::sharing::Age;
use crate::cache::{
    Asked, Cache, CacheSettings, Came, Claim, Epoch, Found, Keeping, Kept, Key, KeyPair, Labels, Part, Parts,
    ScopeWriter, Tags, Together, arrival, keeping,
};

/// How often parts that did not come are looked for once more. The last time nobody is waited for.
const ROUNDS: usize = 3;

/// A call whose answer may come from the cache, in whole or in part.
pub(super) struct CachedCall<'a> {
    pub(super) cache: &'a Cache,
    pub(super) settings: CacheSettings,
    pub(super) subgraph: &'a str,
    pub(super) call: Call,
    /// When it began, counted in mutations.
    pub(super) age: Age,
    /// Of the schema that the call was planned on. `None`: it is no longer served, and nothing is kept.
    pub(super) tags: Option<Arc<Tags>>,
    /// Whether requests on the way may share what may not be kept.
    pub(super) shares: bool,
}

/// What came of asking the subgraph.
enum Answer {
    /// The parts that were asked for, and the errors of some of them.
    Parts { parts: Vec<Part>, errors: Vec<Box<RawValue>>, headers: Arc<HeaderMap>, body: Bytes },
    /// It cannot be taken apart: what the whole request comes to.
    Opaque(Whole),
}

/// What has come so far.
struct Gathered {
    parts: Vec<Option<Part>>,
    errors: Vec<Box<RawValue>>,
    is_cached: bool,
}

impl Gathered {
    fn missing(&self) -> Vec<usize> {
        let parts = self.parts.iter().enumerate();
        parts.filter(|(_, part)| part.is_none()).map(|(index, _)| index).collect()
    }
}

impl CachedCall<'_> {
    /// The whole answer, within the subgraph's limits and the context's deadline.
    pub(super) async fn answer(mut self, cacheable: &Cacheable) -> Result<Whole, TransportError> {
        let body = self.call.body.clone();
        let Some(parts) = Parts::read(&body, &cacheable.entities) else { return self.call.answer().await };
        let deadline = self.call.deadline();
        // Others may wait for what is asked here; each has a deadline of its own.
        self.call.context = self.call.context.without_deadline();
        self.call.reads_freshness = true;
        let keys = self.keys(&parts, &cacheable.schema);
        let gathered = tokio::time::timeout_at(deadline, self.gather(&parts, &keys)).await;
        gathered.unwrap_or(Err(TransportError::Timeout))
    }

    fn keys(&self, parts: &Parts<'_>, schema: &str) -> Vec<KeyPair> {
        let mut scope = ScopeWriter::default();
        scope.item(self.subgraph.as_bytes());
        scope.item(schema.as_bytes());
        parts.write_scope(&mut scope);
        let mut credential: Option<Vec<u8>> = None;
        self.call.context.for_each_keyed(&self.call.plan, &mut |name, value| {
            if *name == AUTHORIZATION {
                credential.get_or_insert_default().extend_from_slice(value.as_bytes());
            } else {
                scope.item(name.as_str().as_bytes());
                scope.item(value.as_bytes());
            }
        });
        let (shared, own) = scope.finish(credential.as_deref(), &self.cache.hasher);
        let names = parts.names().into_iter();
        let pair = |name: Arc<[u8]>| KeyPair {
            own: own.as_ref().map(|own| Key::new(own, &name)),
            shared: Key::new(&shared, &name),
        };
        names.map(pair).collect()
    }

    async fn gather(&self, parts: &Parts<'_>, keys: &[KeyPair]) -> Result<Whole, TransportError> {
        let mut gathered = Gathered { parts: vec![None; keys.len()], errors: Vec::new(), is_cached: true };
        let mut alone = false;
        for round in 0..ROUNDS {
            let epoch = self.look_up(keys, &mut gathered, round == 0).await;
            let missing = gathered.missing();
            if missing.is_empty() {
                break;
            }
            gathered.is_cached = false;
            alone |= round + 1 == ROUNDS;
            let narrowest = missing.iter().map(|part| keys[*part].narrowest());
            let (claim, coming) = if alone {
                (None, missing.iter().map(|_| None).collect())
            } else {
                let (claim, coming) = self.cache.pending.claim(narrowest, self.age);
                (Some(claim), coming)
            };
            let (mut wanted, mut awaited) = (Vec::new(), Vec::new());
            for (part, coming) in missing.into_iter().zip(coming) {
                match coming {
                    Some(coming) => awaited.push((part, coming)),
                    None => wanted.push(part),
                }
            }
            let asked = self.ask(parts, keys, &wanted, claim, epoch);
            let arrived =
                join_all(awaited.into_iter().map(async |(part, coming)| (part, arrival(coming).await)));
            let (asked, arrived) = try_join(asked, async { Ok(arrived.await) }).await?;
            match asked {
                Some(Answer::Opaque(whole)) => return Ok(whole),
                Some(Answer::Parts { parts, headers, body, .. }) if wanted.len() == keys.len() => {
                    return Ok(Whole { body, headers, is_cached: false, together: together(parts.iter()) });
                }
                Some(Answer::Parts { parts, errors, .. }) => {
                    gathered.errors.extend(errors);
                    for (index, part) in wanted.into_iter().zip(parts) {
                        gathered.parts[index] = Some(part);
                    }
                }
                None => {}
            }
            for (index, came) in arrived {
                let Some(came) = came else { continue };
                match &*came {
                    Came::Failed(error) => return Err(error.clone()),
                    Came::Nothing => alone = true,
                    Came::Parts(came) => match came.get(keys[index].narrowest()) {
                        Some(part) if part.kept.is_some() || self.shares => {
                            gathered.parts[index] = Some(part.clone());
                        }
                        _ => alone = true,
                    },
                }
            }
        }
        Ok(whole(parts, &gathered))
    }

    /// Takes what the store has of the parts that are missing. What is asked after that is kept as of the moment it gives.
    async fn look_up(&self, keys: &[KeyPair], gathered: &mut Gathered, is_first: bool) -> Option<Epoch> {
        let missing = gathered.missing();
        let wanted: Vec<_> = missing.iter().map(|part| &keys[*part]).collect();
        let (mut hits, mut misses) = (0, 0);
        let Found { kept, epoch } = self.cache.store.find(&wanted).await;
        for (index, kept) in missing.into_iter().zip(kept) {
            match kept {
                Some(kept) => {
                    hits += 1;
                    gathered.parts[index] = Some(Part { value: kept.value.clone(), kept: Some(kept) });
                }
                None => misses += 1,
            }
        }
        if is_first {
            self.cache.telemetry.cache_lookups(self.subgraph, hits, misses);
        }
        epoch
    }

    /// Asks the subgraph for some of the parts, keeps what may be kept, and tells whoever waits for them.
    async fn ask(
        &self,
        parts: &Parts<'_>,
        keys: &[KeyPair],
        wanted: &[usize],
        claim: Option<Claim>,
        epoch: Option<Epoch>,
    ) -> Result<Option<Answer>, TransportError> {
        if wanted.is_empty() {
            return Ok(None);
        }
        let is_all = wanted.len() == keys.len();
        let mut call = self.call.clone();
        if !is_all {
            call.body = parts.request(wanted);
        }
        let whole = match call.answer().await {
            Ok(whole) => whole,
            Err(error) => {
                let came = if self.shares { Came::Failed(error.clone()) } else { Came::Nothing };
                if let Some(claim) = claim {
                    claim.came(came);
                }
                return Err(error);
            }
        };
        let answered = parts.answered(&whole.body, wanted);
        let Some(values) = answered.values else {
            if let Some(claim) = claim {
                claim.came(Came::Nothing);
            }
            // Of what was asked for, not of the whole request: it must not be taken for that.
            let is_usable = is_all || answered.is_failure;
            let body = if is_usable { whole.body } else { Bytes::from_static(b"{}") };
            return Ok(Some(Answer::Opaque(Whole { body, ..whole })));
        };
        let mut keeping = if answered.errors.is_empty() { self.keeping(&whole.headers) } else { None };
        let labels = if let (Some(tags), Some(_)) = (&self.tags, keeping) {
            tags.labels(self.subgraph, parts, wanted, &answered.extensions)
        } else {
            keeping = None;
            vec![Labels::default(); wanted.len()]
        };
        let came: Vec<Part> = values
            .into_iter()
            .zip(labels)
            .map(|(value, labels)| {
                // A copy: what is kept must not keep the whole answer.
                let kept = |keeping| Arc::new(Kept::new(Bytes::copy_from_slice(&value), keeping, labels));
                Part { kept: keeping.map(kept), value }
            })
            .collect();
        self.keep(keys, wanted, &came, epoch);
        if let Some(claim) = claim {
            claim.came(if answered.errors.is_empty() {
                let narrowest = wanted.iter().map(|part| keys[*part].narrowest().clone());
                Came::Parts(narrowest.zip(came.iter().cloned()).collect())
            } else {
                Came::Nothing
            });
        }
        let Whole { body, headers, .. } = whole;
        Ok(Some(Answer::Parts { parts: came, errors: answered.errors, headers, body }))
    }

    fn keeping(&self, headers: &HeaderMap) -> Option<Keeping> {
        let mut unkeyed: Vec<HeaderName> = self.call.context.unkeyed().collect();
        unkeyed.extend(self.call.settings().deadline_header.clone());
        let asked = Asked { has_credential: self.call.credential().is_some(), unkeyed: &unkeyed };
        keeping(headers, &self.settings, asked)
    }

    fn keep(&self, keys: &[KeyPair], wanted: &[usize], parts: &[Part], epoch: Option<Epoch>) {
        let Some(epoch) = epoch else { return };
        let kept = wanted.iter().zip(parts).filter_map(|(index, part)| {
            let kept = part.kept.as_ref()?;
            Some((keys[*index].of(kept.is_private)?.clone(), Arc::clone(kept)))
        });
        let kept: Vec<_> = kept.collect();
        if !kept.is_empty() {
            self.cache.keep(self.subgraph, kept, epoch);
        }
    }
}

/// The answer from all parts, as fresh as the oldest of them.
fn whole(parts: &Parts<'_>, gathered: &Gathered) -> Whole {
    let came: Vec<&Part> = gathered.parts.iter().flatten().collect();
    let values: Vec<&Bytes> = came.iter().map(|part| &part.value).collect();
    let told = came.iter().map(|part| part.kept.as_ref().map(|kept| kept.told().as_secs())).min().flatten();
    let is_private = came.iter().any(|part| part.kept.as_ref().is_none_or(|kept| kept.is_private));
    let cache_control = match told {
        Some(seconds) if gathered.errors.is_empty() && seconds > 0 => {
            format!("{}, max-age={seconds}", if is_private { "private" } else { "public" })
        }
        _ => "no-store".to_owned(),
    };
    let cache_control = HeaderValue::from_str(&cache_control).expect("visible ASCII");
    let headers = HeaderMap::from_iter([(CACHE_CONTROL, cache_control)]);
    Whole {
        body: parts.join(&values, &gathered.errors),
        headers: Arc::new(headers),
        is_cached: gathered.is_cached,
        together: together(came.into_iter()).filter(|_| gathered.errors.is_empty()),
    }
}

/// How long what is made of parts may be kept; `None` when one of them may not.
fn together<'a>(mut parts: impl Iterator<Item = &'a Part>) -> Option<Together> {
    let of = |part: &Part| part.kept.as_deref().map(Together::of);
    let first = of(parts.next()?)?;
    parts.try_fold(first, |all, part| Some(all.and(of(part)?)))
}
