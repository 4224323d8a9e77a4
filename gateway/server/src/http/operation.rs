//! One operation of a client, whatever it came by: a request, a batch, a WebSocket.
//!
//! In: the client's request, and who asks by what means. Out: a response, a stream of them, or a refusal.
//! Always: everything that may refuse an operation happens in [`admit`], before anything is executed.
//! Elsewhere: HTTP (`handler.rs`), batches (`batch.rs`), planning and execution (`kopitiam-engine`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, StreamExt};
use kopitiam_engine::{Grants, IncrementalResponse, OperationKind, Outcome, Prepared, Request, Response};

use super::access_log::{Logged, Progress};
use super::app::{App, QueryKey, SharedResponse};
use super::encode::Refusal;
use super::error_ids::Ids;
use super::rate_limit::Client;
use super::responses;
use crate::documents::{ClientRequest, DocumentRefusal};
use crate::in_flight::InFlight;
use crate::plugins::{PlannedOperation, PluginRefusal};
use crate::subgraph_client::RequestContext;
use crate::telemetry::TraceContext;

/// Who asks, and by what means.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// What travels on to subgraphs.
    pub(crate) context: RequestContext,
    /// Who is counted.
    pub(crate) client: Client,
    /// What the schema's directives ask for.
    pub(crate) grants: Arc<Grants>,
    /// The trace that this belongs to.
    pub(crate) trace: TraceContext,
    /// Whether the means may change data: a GET may not.
    pub(crate) may_mutate: bool,
}

impl Caller {
    /// What the request's log lines and trace are found by.
    pub(crate) fn ids(&self) -> Ids<'_> {
        Ids { request: self.context.request_id(), trace: self.trace.trace_id() }
    }
}

/// An operation that passed every check.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) prepared: Prepared,
    pub(crate) request: Request,
}

/// Why an operation is not executed.
#[derive(Debug)]
pub(crate) enum Denied {
    /// By the serving side.
    Refusal(Refusal),
    /// By the engine, with the complete response.
    Response(Response),
}

impl From<Response> for Denied {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<DocumentRefusal> for Denied {
    fn from(refusal: DocumentRefusal) -> Self {
        Self::Refusal(refusal.into())
    }
}

/// Finds the document, plans the operation and checks that this caller may run it.
///
/// # Errors
/// [`Denied`] says why not; `logged` then has the code.
pub(crate) fn admit(
    app: &App,
    request: ClientRequest,
    caller: &Caller,
    logged: &mut Logged,
) -> Result<Admitted, Denied> {
    try_admit(app, request, caller, logged).map_err(|denied| {
        logged.code = Some(match &denied {
            Denied::Refusal(refusal) => refusal.status_and_code().1,
            Denied::Response(response) => refusal_name(response.outcome),
        });
        match denied {
            Denied::Response(response) => with_ids(app, response, caller.ids()).into(),
            Denied::Refusal(_) => denied,
        }
    })
}

fn try_admit(
    app: &App,
    request: ClientRequest,
    caller: &Caller,
    logged: &mut Logged,
) -> Result<Admitted, Denied> {
    // Also what turns out to be wrong has cost work.
    app.rate_limits.count_operation(&caller.client)?;
    let (mut request, registration) = app.documents.resolve(request)?;
    request.grants = Arc::clone(&caller.grants);
    let prepared = app.engine.prepare(&request).map_err(Denied::Response)?;
    logged.kind = Some(prepared.kind());
    logged.operation_name = prepared.operation_name().map(str::to_owned);
    logged.planned_in = prepared.planned_in();
    app.telemetry.prepared(logged.planned_in, Some(&caller.trace));
    if !caller.may_mutate && prepared.kind() == OperationKind::Mutation {
        return Err(Refusal::MutationByGet.into());
    }
    if let Some(registration) = registration {
        app.documents.register(&registration, &request.query);
    }
    app.rate_limits.count_fields(&caller.client, &prepared)?;
    Ok(Admitted { prepared, request })
}

/// Runs a query or a mutation within the time limit.
///
/// # Errors
/// [`Refusal::RequestTimeout`].
pub(crate) async fn execute(
    app: &Arc<App>,
    admitted: Admitted,
    context: RequestContext,
) -> Result<Response, Refusal> {
    if let Err(refused) = ask_plugins(app, &admitted).await {
        return Ok(with_ids(app, refused, context.ids()));
    }
    let Admitted { prepared, request } = admitted;
    let deadline = Instant::now() + app.http.request_timeout;
    if let Some(cache) = responses::cache(app, &prepared, &request, &context) {
        // On the heap: the others need not have room for it.
        let (own, context) = (context.trace_only(), context.with_deadline(deadline));
        let executed = Box::pin(responses::execute(app, cache, &prepared, &request, context));
        let response = tokio::time::timeout_at(deadline.into(), executed).await;
        let response = response.map(|response| with_ids(app, response, own.ids()));
        return response.map_err(|_| Refusal::RequestTimeout);
    }
    let response = match &app.shared {
        Some(shared) if prepared.kind() == OperationKind::Query && request.extensions.is_empty() => {
            // Those who share an answer have ids of their own.
            let own = context.trace_only();
            let executed = execute_shared(app, shared, prepared, request, context);
            let response = tokio::time::timeout_at(deadline.into(), executed).await;
            response.map(|response| with_ids(app, response, own.ids()))
        }
        _ => {
            let context = context.with_deadline(deadline);
            let executed = app.engine.execute(&prepared, &request, &context);
            let response = tokio::time::timeout_at(deadline.into(), executed).await;
            response.map(|response| with_ids(app, response, context.ids()))
        }
    };
    response.map_err(|_| Refusal::RequestTimeout)
}

/// A response whose first payload is there.
pub(crate) struct Begun {
    pub(crate) first: Response,
    /// Whether the first payload has errors.
    pub(crate) has_errors: bool,
    /// The others, if there are any; dropping them cancels what they wait for.
    pub(crate) rest: Option<BoxStream<'static, Response>>,
    /// How many are out; kept where there are several.
    pub(crate) progress: Option<Progress>,
}

/// How long after the time limit the payloads of a response end at the latest: by then the requests to subgraphs have
/// failed for want of time, and said so.
const LATE: Duration = Duration::from_secs(5);

/// Runs a query or a mutation whose response may come in several payloads, all of them within the time limit. Equal ones
/// are not shared: each client takes its payloads at its own pace.
///
/// # Errors
/// [`Refusal::RequestTimeout`] when not even the first is there in time.
pub(crate) async fn execute_incremental(
    app: &Arc<App>,
    admitted: &Admitted,
    context: &RequestContext,
) -> Result<Begun, Refusal> {
    if let Err(refused) = ask_plugins(app, admitted).await {
        let first = with_ids(app, refused, context.ids());
        return Ok(Begun { first, has_errors: true, rest: None, progress: None });
    }
    let deadline = Instant::now() + app.http.request_timeout;
    let context = context.clone().with_deadline(deadline);
    let executed = app.engine.execute_incremental(&admitted.prepared, &admitted.request, &context);
    let executed = tokio::time::timeout_at(deadline.into(), executed).await;
    let IncrementalResponse { mut first, has_errors, rest } =
        executed.map_err(|_| Refusal::RequestTimeout)?;
    if has_errors && app.error_ids.are_in(first.outcome == Outcome::Executed) {
        first.body = context.ids().add_to(first.body);
    }
    let progress = rest.is_some().then(Progress::new);
    let rest = rest.zip(progress.clone()).map(|(rest, progress)| {
        let open = app.telemetry.stream();
        progress.part();
        let rest = rest.take_until(tokio::time::sleep_until((deadline + LATE).into()));
        rest.inspect(move |_| {
            let _open = &open;
            progress.part();
        })
        .boxed()
    });
    Ok(Begun { first, has_errors, rest, progress })
}

/// The response with the request's ids in its errors, where it has any and the settings say so.
fn with_ids(app: &App, mut response: Response, ids: Ids<'_>) -> Response {
    if response.has_errors() && app.error_ids.are_in(response.outcome == Outcome::Executed) {
        response.body = ids.add_to(response.body);
    }
    response
}

/// Whether the plugins let an operation run; what they say instead is the answer.
async fn ask_plugins(app: &App, admitted: &Admitted) -> Result<(), Response> {
    if app.plugins.is_empty() {
        return Ok(());
    }
    let Admitted { prepared, request } = admitted;
    let operation = PlannedOperation {
        kind: prepared.kind(),
        name: prepared.operation_name(),
        document: &request.query,
        variables: request.variables.as_json(),
        plan: prepared.plan(),
    };
    app.plugins.plan(&operation).await.map_err(PluginRefusal::into_graphql)
}

/// Executes a query, or waits for an equal one. The execution has no deadline: each of those who wait has its own.
async fn execute_shared(
    app: &Arc<App>,
    shared: &InFlight<QueryKey, SharedResponse>,
    prepared: Prepared,
    request: Request,
    context: RequestContext,
) -> Response {
    let key = QueryKey {
        prepared: prepared.clone(),
        variables: request.variables.as_json().into(),
        relevant: Arc::clone(context.relevant()),
        age: app.engine.transport().age(),
    };
    let (app, own) = (Arc::clone(app), context.answered().cloned());
    let executed = move || async move {
        let response = app.engine.execute(&prepared, &request, &context).await;
        (response, context.answered().cloned())
    };
    let (response, answered) = shared.run(key, executed).await;
    if let (Some(own), Some(answered)) = (own, answered) {
        own.share(&answered);
    }
    response
}

/// Opens a subscription: one response for each event of its source.
///
/// # Errors
/// [`Denied`] says why no stream could be opened.
pub(crate) async fn subscribe(
    app: &Arc<App>,
    admitted: &Admitted,
    caller: &Caller,
) -> Result<BoxStream<'static, Response>, Denied> {
    let context = &caller.context;
    ask_plugins(app, admitted).await.map_err(|refused| with_ids(app, refused, context.ids()))?;
    let place = app.streams.sockets.streams.enter(&caller.client, app.streams.settings.caps());
    let place = place.map_err(|full| {
        app.telemetry.refused("stream", full.name());
        Refusal::TooManyStreams
    })?;
    // The opening is bound by the subgraph's own timeout; a deadline here would also bind the fetches of later events.
    // Its head is sent before any answer comes, and a stream must not gather what nobody reads.
    let context = context.clone().with_answered(None);
    let responses = app.engine.subscribe(&admitted.prepared, &admitted.request, &context).await;
    let responses = responses.map_err(|refused| with_ids(app, refused, context.ids()))?;
    let (open, app, own) = (app.telemetry.stream(), Arc::clone(app), context.trace_only());
    let counted = responses.map(move |response| {
        let _open = (&open, &place);
        with_ids(&app, response, own.ids())
    });
    Ok(counted.boxed())
}

/// How far a refused document got, for the log; the codes of its errors are in the body.
fn refusal_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::ParseError => "PARSE_ERROR",
        Outcome::ValidationError => "VALIDATION_ERROR",
        Outcome::VariableError => "VARIABLE_ERROR",
        Outcome::PlanError => "PLAN_ERROR",
        Outcome::Executed => "EXECUTED",
    }
}
