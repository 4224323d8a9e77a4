//! One operation on a socket: its responses go into the socket's outbox, one by one.
//!
//! Elsewhere: whether it may run, and how (`http/operation.rs`); its last message (`session.rs`).

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use kopitiam_engine::{OperationKind, Outcome, Response};
use tokio_tungstenite::tungstenite::Message;

use super::outbox::Outbox;
use super::protocol;
use crate::documents::ClientRequest;
use crate::http::operation::{self, Caller, Denied};
use crate::http::{App, Logged, Refusal};

/// The operation was not executed; the body is a GraphQL response of errors.
pub(super) struct Refused(pub(super) Bytes);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.body())
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Refusal(refusal) => refusal.into(),
            Denied::Response(response) => Self(response.body),
        }
    }
}

/// Runs an operation to its end.
///
/// # Errors
/// [`Refused`] when it was not executed.
pub(super) async fn run(
    app: &Arc<App>,
    request: ClientRequest,
    caller: Caller,
    id: &str,
    outbox: &Outbox,
) -> Result<(), Refused> {
    let mut logged = Logged::default();
    let admitted = operation::admit(app, request, &caller, &mut logged)?;
    if admitted.prepared.kind() != OperationKind::Subscription {
        let response = operation::execute(app, admitted, caller.context).await?;
        return one(response, id, outbox).await;
    }
    let opened = operation::subscribe(app, &admitted, &caller.context).await;
    let mut responses = opened.map_err(|refused| Refused(refused.body))?;
    while let Some(response) = responses.next().await {
        outbox.push(Message::Text(protocol::next(id, &response.body))).await;
    }
    Ok(())
}

async fn one(response: Response, id: &str, outbox: &Outbox) -> Result<(), Refused> {
    match response.outcome {
        Outcome::Executed => {
            outbox.push(Message::Text(protocol::next(id, &response.body))).await;
            Ok(())
        }
        _ => Err(Refused(response.body)),
    }
}
