//! Several operations in one request.
//!
//! In: the operations in the client's order. Out: their responses in the same order, as a JSON array.
//! Always: each counts as one operation in every limit, and is refused or executed on its own. Queries run side by side;
//! as soon as one of them is no query, they run one after the other, as the client wrote them.
//! Elsewhere: reading a batch, and how long it may be (`request.rs`).

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::future::join_all;
use http::Response as HttpResponse;
use kopitiam_engine::OperationKind;

use super::access_log::Logged;
use super::app::App;
use super::encode::{Refusal, answer_batch};
use super::operation::{self, Admitted, Caller, Denied};
use crate::documents::ClientRequest;

/// Answers a batch.
///
/// # Errors
/// [`Refusal::Overloaded`] when there is no room for all of it.
pub(super) async fn answer(
    app: &Arc<App>,
    requests: Vec<ClientRequest>,
    caller: Caller,
    logged: &mut Logged,
) -> Result<HttpResponse<Body>, Refusal> {
    let operations = u32::try_from(requests.len()).unwrap_or(u32::MAX);
    let _room = app.room.try_acquire_many(operations).map_err(|_| Refusal::Overloaded)?;
    let admitted: Vec<Result<Admitted, Denied>> =
        requests.into_iter().map(|request| operation::admit(app, request, &caller, logged)).collect();
    // If every one of them asks too often, the client shall learn it where it looks first.
    if let Some(refusal) =
        admitted.iter().map(rate_limited).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().next())
    {
        return Err(refusal);
    }
    let only_queries = admitted.iter().all(|admitted| {
        admitted.as_ref().map_or(true, |admitted| admitted.prepared.kind() == OperationKind::Query)
    });
    let bodies = if only_queries {
        join_all(admitted.into_iter().map(|admitted| body(app, admitted, &caller))).await
    } else {
        let mut bodies = Vec::with_capacity(admitted.len());
        for admitted in admitted {
            bodies.push(body(app, admitted, &caller).await);
        }
        bodies
    };
    Ok(answer_batch(&bodies))
}

fn rate_limited(admitted: &Result<Admitted, Denied>) -> Option<Refusal> {
    match admitted {
        Err(Denied::Refusal(refusal @ Refusal::RateLimited { .. })) => Some(refusal.clone()),
        _ => None,
    }
}

async fn body(app: &Arc<App>, admitted: Result<Admitted, Denied>, caller: &Caller) -> Bytes {
    match admitted {
        Ok(admitted) => match operation::execute(app, admitted, caller.context.clone()).await {
            Ok(response) => response.body,
            Err(refusal) => refusal.body(app.error_ids, caller.ids()),
        },
        Err(Denied::Response(response)) => response.body,
        Err(Denied::Refusal(refusal)) => refusal.body(app.error_ids, caller.ids()),
    }
}
