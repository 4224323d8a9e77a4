//! The GraphQL endpoint: from an HTTP request to an HTTP response.
//!
//! In: a request. Out: an answer, a stream of events, or a refusal.
//! Always: checks go from the cheapest to the dearest, and nothing is executed before all have passed: media types,
//! cross-site requests, credential, body, document, method.
//! Elsewhere: the steps themselves (the other files of this folder), planning and execution (`kopitiam-engine`).

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::body::Body;
use axum::extract::State;
use futures::stream::{self, StreamExt};
use http::request::Parts;
use http::{Method, Request as HttpRequest, Response as HttpResponse};
use kopitiam_engine::{OperationKind, Outcome, Prepared, Request, Response};

use super::access_log::{CorrelationId, Logged};
use super::app::{App, QueryKey};
use super::client_address::{self, Peer};
use super::encode::{Refusal, answer};
use super::negotiate::{Accepted, JsonType};
use super::{csrf, graphiql, request};
use crate::auth::{AuthError, Verified};
use crate::in_flight::InFlight;
use crate::streams::sse;
use crate::subgraph_client::RequestContext;
use crate::telemetry::{Exposed, TraceContext};

/// Answers one request to the GraphQL path.
pub(super) async fn graphql(
    State(app): State<Arc<App>>,
    http_request: HttpRequest<Body>,
) -> HttpResponse<Body> {
    let (parts, body) = http_request.into_parts();
    let accepted = Accepted::from_headers(&parts.headers);
    // A browser's address bar, not a client's request: those name a query.
    if app.dev && parts.method == Method::GET && accepted.html && parts.uri.query().is_none() {
        return graphiql::page();
    }
    let mut logged = Logged::default();
    let mut response = match answer_request(&app, &parts, body, accepted, &mut logged).await {
        Ok(response) => response,
        Err(refusal) => {
            logged.code = Some(refusal.status_and_code().1);
            refusal.into_response(accepted.json_or_default())
        }
    };
    response.extensions_mut().insert(logged);
    response
}

async fn answer_request(
    app: &Arc<App>,
    parts: &Parts,
    body: Body,
    accepted: Accepted,
    logged: &mut Logged,
) -> Result<HttpResponse<Body>, Refusal> {
    let is_get = parts.method == Method::GET;
    if !is_get && parts.method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    if accepted.json.is_none() && !accepted.events {
        return Err(Refusal::NotAcceptable);
    }
    if !is_get {
        request::check_content_type(&parts.headers)?;
    }
    if !csrf::is_safe(&parts.headers) {
        return Err(Refusal::CsrfPrevented);
    }
    let verified = authenticate(app, parts).await?;
    let request = if is_get {
        request::from_uri(&parts.uri)?
    } else {
        let body = request::read_body(&parts.headers, body, app.http.body_bytes_max, app.http.body_timeout);
        request::from_json(&body.await?)?
    };
    let prepared = match app.engine.prepare(&request) {
        Ok(prepared) => prepared,
        Err(refused) => {
            logged.code = Some(refusal_name(refused.outcome));
            return Ok(single(app, accepted, refused));
        }
    };
    logged.kind = Some(prepared.kind());
    logged.operation_name = prepared.operation_name().map(str::to_owned);
    logged.planned_in = prepared.planned_in();
    let (id, trace) = correlation(parts);
    app.telemetry.prepared(logged.planned_in, Some(trace));
    if is_get && prepared.kind() == OperationKind::Mutation {
        return Err(Refusal::MutationByGet);
    }
    let exposed = Exposed::asked(&parts.headers, app.expose, app.dev);
    let context = context_of(app, parts, verified.as_ref()).with_fetches(exposed.fetches.clone());
    if prepared.kind() == OperationKind::Subscription {
        return subscribe(app, &prepared, &request, context, accepted, verified).await;
    }
    let shown = prepared.clone();
    let deadline = Instant::now() + app.http.request_timeout;
    let response = match &app.shared {
        Some(shared) if prepared.kind() == OperationKind::Query && request.extensions.is_empty() => {
            let executed = execute_shared(app, shared, prepared, request, context);
            tokio::time::timeout_at(deadline.into(), executed).await
        }
        _ => {
            let context = context.with_deadline(deadline);
            let executed = app.engine.execute(&prepared, &request, &context);
            tokio::time::timeout_at(deadline.into(), executed).await
        }
    };
    let mut response = response.map_err(|_| Refusal::RequestTimeout)?;
    logged.has_errors = response.has_errors();
    let plan = || shown.plan().to_json();
    response.body = exposed.add_to(response.body, plan, shown.planned_in(), trace, id.as_str());
    Ok(single(app, accepted, response))
}

/// Executes a query, or waits for an equal one. The execution has no deadline: each of those who wait has its own.
async fn execute_shared(
    app: &Arc<App>,
    shared: &InFlight<QueryKey, Response>,
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
    let app = Arc::clone(app);
    shared.run(key, move || async move { app.engine.execute(&prepared, &request, &context).await }).await
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

async fn authenticate(app: &App, parts: &Parts) -> Result<Option<Verified>, Refusal> {
    let Some(auth) = &app.auth else { return Ok(None) };
    let result = auth.authenticate(&parts.headers).await;
    if let Err(AuthError::InvalidToken(reason)) = &result {
        tracing::info!(reason, "an access token was refused");
    }
    Ok(result?)
}

fn correlation(parts: &Parts) -> (&CorrelationId, &TraceContext) {
    let id = parts.extensions.get().expect("the access log gives every request its id");
    (id, parts.extensions.get().expect("the access log gives every request its trace"))
}

fn context_of(app: &App, parts: &Parts, verified: Option<&Verified>) -> RequestContext {
    let (id, trace) = correlation(parts);
    let authorization = verified.map(|verified| verified.authorization.clone());
    let address = app.client_address.as_ref().and_then(|settings| {
        let peer = parts.extensions.get::<Peer>()?;
        Some(client_address::header(settings, *peer, &parts.headers))
    });
    RequestContext::from_client(&parts.headers, &id.0, trace, authorization, &app.forward_headers, address)
}

async fn subscribe(
    app: &App,
    prepared: &Prepared,
    request: &Request,
    context: RequestContext,
    accepted: Accepted,
    verified: Option<Verified>,
) -> Result<HttpResponse<Body>, Refusal> {
    if !accepted.events {
        return Err(Refusal::SubscriptionNeedsEventStream);
    }
    // The opening is bound by the subgraph's own timeout; a deadline here would also bind the fetches of later events.
    match app.engine.subscribe(prepared, request, &context).await {
        Ok(responses) => {
            let open = app.telemetry.stream();
            let bodies = responses.map(move |response| {
                let _open = &open;
                response.body
            });
            let bodies = bodies.boxed();
            let expiry = verified.map(|verified| verified.expires_at);
            Ok(sse::response(bodies, app.http.stream_keep_alive, app.stream_ends(expiry)))
        }
        Err(refused) => Ok(events_of_one(app, refused, None)),
    }
}

/// One response in the form the client takes: JSON when it takes that, a stream of one event otherwise.
fn single(app: &App, accepted: Accepted, response: Response) -> HttpResponse<Body> {
    match accepted.json {
        Some(json) => answer(response.outcome, json, response.body),
        None => events_of_one(app, response, None),
    }
}

fn events_of_one(app: &App, response: Response, expiry: Option<SystemTime>) -> HttpResponse<Body> {
    sse::response(stream::iter([response.body]).boxed(), app.http.stream_keep_alive, app.stream_ends(expiry))
}

/// What a path that does not exist is answered with.
pub(super) async fn not_found() -> HttpResponse<Body> {
    let mut response = Refusal::BadRequest("no such path".to_owned()).into_response(JsonType::Json);
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    response
}
