//! One operation on a socket: its responses go into the socket's outbox, one by one.
//!
//! Elsewhere: whether it may run, and how (`http/operation.rs`); its last message (`session.rs`).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use kopitiam_engine::{OperationKind, Outcome, Response};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::outbox::Outbox;
use super::protocol;
use crate::documents::ClientRequest;
use crate::http::operation::{self, Caller, Denied};
use crate::http::{App, Logged, Refusal, socket_operation, socket_payloads};

/// The operation was not executed; the body is a GraphQL response of errors.
pub(super) struct Refused(pub(super) Bytes);

/// Runs an operation to its end. `request_token` lives until it is answered, or known to be a stream.
///
/// # Errors
/// [`Refused`] when it was not executed.
pub(super) async fn run(
    app: &Arc<App>,
    request: ClientRequest,
    caller: Caller,
    id: &str,
    outbox: &Outbox,
    request_token: TaskTrackerToken,
) -> Result<(), Refused> {
    let ids = caller.context.trace_only();
    let operation = AssertUnwindSafe(begin(app, request, caller));
    let begun = operation.catch_unwind().await.unwrap_or(Err(Refusal::Internal.into()));
    match begun.map_err(|denied| match denied {
        Denied::Refusal(refusal) => Refused(refusal.body(app.error_ids, ids.ids())),
        Denied::Response(response) => Refused(response.body),
    })? {
        Begun::Answered(response) => {
            outbox.push(Message::Text(protocol::next(id, &response.body))).await;
        }
        Begun::Open(mut responses) => {
            drop(request_token);
            while let Some(response) = responses.next().await {
                outbox.push(Message::Text(protocol::next(id, &response.body))).await;
            }
        }
    }
    Ok(())
}

/// What became of an operation.
enum Begun {
    Answered(Response),
    Open(BoxStream<'static, Response>),
}

async fn begin(app: &Arc<App>, request: ClientRequest, caller: Caller) -> Result<Begun, Denied> {
    let started = Instant::now();
    let mut logged = Logged::default();
    let begun = checked(app, request, caller, &mut logged).await;
    match &begun {
        Ok(Begun::Answered(response)) => logged.has_errors = response.has_errors(),
        Ok(Begun::Open(_)) => {}
        Err(_) => logged.code = logged.code.or(Some("REFUSED")),
    }
    socket_operation(&app.telemetry, &logged, started);
    match begun {
        Ok(Begun::Open(payloads)) if logged.progress.is_some() => {
            let line = socket_payloads(logged, started);
            let payloads = payloads.inspect(move |_| {
                let _line = &line;
            });
            Ok(Begun::Open(payloads.boxed()))
        }
        begun => begun,
    }
}

async fn checked(
    app: &Arc<App>,
    request: ClientRequest,
    caller: Caller,
    logged: &mut Logged,
) -> Result<Begun, Denied> {
    let room = app.room.try_acquire().map_err(|_| Refusal::Overloaded)?;
    let admitted = operation::admit(app, request, &caller, logged)?;
    if admitted.prepared.kind() == OperationKind::Subscription {
        // A stream holds no room.
        drop(room);
        return Box::pin(operation::subscribe(app, &admitted, &caller)).await.map(Begun::Open);
    }
    if admitted.prepared.is_incremental() {
        let begun = Box::pin(operation::execute_incremental(app, &admitted, &caller.context)).await?;
        (logged.has_errors, logged.progress) = (begun.has_errors, begun.progress);
        return match begun.rest {
            Some(rest) => Ok(Begun::Open(stream::iter([begun.first]).chain(rest).boxed())),
            None if begun.first.outcome == Outcome::Executed => Ok(Begun::Answered(begun.first)),
            None => Err(begun.first.into()),
        };
    }
    let response = operation::execute(app, admitted, caller.context).await?;
    match response.outcome {
        Outcome::Executed => Ok(Begun::Answered(response)),
        _ => Err(response.into()),
    }
}
