//! Whole responses that are kept.
//!
//! In: a query that was admitted. Out: its response, kept or executed.
//! Always: a response is kept only when everything in it is, no longer than the first of its parts, and for the credential it was
//! asked with; one with errors never is. Whoever wants what is being made waits for it.
//! Elsewhere: parts of answers (`subgraph_client/cached.rs`), where all is kept (`cache/`).

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use kopitiam_engine::{OperationKind, Outcome, Prepared, Request, Response};

use super::app::App;
use crate::cache::{Cache, Came, Kept, Key, KeyPair, Part, ScopeWriter, arrival};
use crate::subgraph_client::{Answered, RequestContext};

/// What lookups of whole responses are counted as.
const RESPONSES: &str = "(responses)";

/// The cache when this operation's response may come from it. One that asks to see its own fetches has to make them, and
/// plugins may answer otherwise next time.
pub(super) fn cache<'a>(
    app: &'a App,
    prepared: &Prepared,
    request: &Request,
    context: &RequestContext,
) -> Option<&'a Arc<Cache>> {
    let may_be_kept = app.keeps_responses
        && prepared.kind() == OperationKind::Query
        && request.extensions.is_empty()
        && app.plugins.is_empty()
        && context.fetches().is_none()
        && context.uploads().is_none();
    if may_be_kept { app.engine.transport().cache() } else { None }
}

/// Gives the response that is kept, or executes the query and keeps its response.
pub(super) async fn execute(
    app: &App,
    cache: &Cache,
    prepared: &Prepared,
    request: &Request,
    context: RequestContext,
) -> Response {
    let keys = keys(cache, prepared, request, &context);
    let own = context.answered().cloned();
    let kept = |kept: &Kept| {
        if let Some(own) = &own {
            own.was_kept(kept);
        }
        Response { body: kept.value.clone(), outcome: Outcome::Executed }
    };
    let found = cache.store.find(&[&keys]).await;
    let (epoch, found) = (found.epoch, found.kept.into_iter().next().flatten());
    cache.telemetry.cache_lookups(RESPONSES, found.is_some().into(), found.is_none().into());
    if let Some(found) = found {
        return kept(&found);
    }
    let age = app.engine.transport().age();
    let (claim, mut coming) = cache.pending.claim([keys.narrowest()].into_iter(), age);
    if let Some(coming) = coming.remove(0)
        && let Some(came) = arrival(coming).await
        && let Came::Parts(parts) = &*came
        && let Some(came) = parts.get(keys.narrowest()).and_then(|part| part.kept.as_ref())
    {
        return kept(came);
    }
    let answered = Arc::new(Answered::to_keep(own.as_deref()));
    let has_credential = keys.own.is_some();
    let context = context.with_answered(Some(Arc::clone(&answered)));
    let response = app.engine.execute(prepared, request, &context).await;
    if let Some(own) = &own {
        own.share(&answered);
    }
    let made = answered.made().filter(|_| !response.has_errors());
    let made = made.and_then(|made| made.keep(Bytes::copy_from_slice(&response.body), has_credential));
    claim.came(match made.map(Arc::new) {
        Some(made) => {
            if let (Some(key), Some(epoch)) = (keys.of(made.is_private), epoch) {
                cache.keep(RESPONSES, vec![(key.clone(), Arc::clone(&made))], epoch);
            }
            let part = Part { value: made.value.clone(), kept: Some(made) };
            Came::Parts(HashMap::from_iter([(keys.narrowest().clone(), part)]))
        }
        None => Came::Nothing,
    });
    response
}

fn keys(cache: &Cache, prepared: &Prepared, request: &Request, context: &RequestContext) -> KeyPair {
    let mut scope = ScopeWriter::default();
    // No subgraph has an empty name: no key of a part is one of these.
    scope.item(b"");
    scope.item(prepared.schema().as_bytes());
    scope.item(request.query.as_bytes());
    scope.item(prepared.operation_name().unwrap_or_default().as_bytes());
    scope.item(prepared.refused().unwrap_or_default().as_bytes());
    scope.item(request.variables.as_json().as_bytes());
    let mut credential: Option<Vec<u8>> = None;
    for (name, value) in &**context.relevant() {
        if *name == AUTHORIZATION {
            credential.get_or_insert_default().extend_from_slice(value.as_bytes());
        } else {
            scope.item(name.as_str().as_bytes());
            scope.item(value.as_bytes());
        }
    }
    let (shared, own) = scope.finish(credential.as_deref(), &cache.hasher);
    let whole = Arc::default();
    KeyPair { own: own.map(|own| Key::new(&own, &whole)), shared: Key::new(&shared, &whole) }
}
