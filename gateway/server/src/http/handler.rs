//! The GraphQL endpoint: from an HTTP request to an HTTP response.
//!
//! In: a request. Out: an answer, a stream of events, or a refusal.
//! Always: checks go from the cheapest to the dearest, and nothing is executed before all have passed: media types,
//! cross-site requests, credential, body, document, method.
//! Elsewhere: the steps themselves (the other files of this folder), planning and execution (`kopitiam-engine`).

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::State;
use futures::stream::{self, StreamExt};
use http::header::HeaderName;
use http::request::Parts;
use http::{Method, Request as HttpRequest, Response as HttpResponse};
use kopitiam_engine::{OperationKind, Response};
use tokio::sync::SemaphorePermit;

use super::access_log::Logged;
use super::app::App;
use super::batch;
use super::encode::{Refusal, answer};
use super::negotiate::{Accepted, IncrementalType, JsonType, StreamType};
use super::operation::{self, Admitted, Begun, Caller, Denied};
use super::request::Payload;
use super::visitor::Visitor;
use super::{csrf, graphiql, request, visitor};
use crate::auth::{AuthError, Verified};
use crate::documents::ClientRequest;
use crate::streams::{self, Ends, websocket};
use crate::telemetry::Exposed;
use crate::uploads;

/// What an operation costs, shown in development.
const OPERATION_COST: HeaderName = HeaderName::from_static("x-operation-cost");

/// Answers one request to the GraphQL path.
pub(super) async fn graphql(
    State(app): State<Arc<App>>,
    http_request: HttpRequest<Body>,
) -> HttpResponse<Body> {
    let (parts, body) = http_request.into_parts();
    if websocket::is_wanted(&parts) {
        return socket(&app, parts).await;
    }
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
            refusal.into_response(accepted.json_or_default(), app.error_ids, visitor::ids(&parts))
        }
    };
    response.extensions_mut().insert(logged);
    response
}

/// A request to become a WebSocket, on the GraphQL path or on one of its own.
pub(super) async fn websocket(
    State(app): State<Arc<App>>,
    http_request: HttpRequest<Body>,
) -> HttpResponse<Body> {
    socket(&app, http_request.into_parts().0).await
}

async fn socket(app: &Arc<App>, mut parts: Parts) -> HttpResponse<Body> {
    let visitor = Visitor::new(app, &parts);
    let upgraded = match authenticate(app, &parts).await {
        Ok(verified) => websocket::upgrade(app, &mut parts, visitor, verified),
        Err(refusal) => Err(refusal),
    };
    upgraded.unwrap_or_else(|refusal| {
        let code = Some(refusal.status_and_code().1);
        let mut response = refusal.into_response(JsonType::Json, app.error_ids, visitor::ids(&parts));
        response.extensions_mut().insert(Logged { code, ..Logged::default() });
        response
    })
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
    if accepted.is_nothing() {
        return Err(Refusal::NotAcceptable);
    }
    let multipart = app.uploads.filter(|_| !is_get).zip(uploads::boundary(&parts.headers));
    if !is_get && multipart.is_none() {
        request::check_content_type(&parts.headers)?;
    }
    // Files are packed already, where that is of use.
    let coding = request::coding(&parts.headers, app.http.compressed_requests && multipart.is_none())?;
    if !csrf::is_safe(&parts.headers) {
        return Err(Refusal::CsrfPrevented);
    }
    // Whoever is refused for want of room shall not cost a body and a signature first.
    if app.room.available_permits() == 0 {
        return Err(Refusal::Overloaded);
    }
    let verified = authenticate(app, parts).await?;
    let caller = visitor::caller(app, parts, verified.as_ref(), !is_get);
    // What is rare is boxed, so that the future of a plain request stays small.
    if let Some((settings, boundary)) = multipart {
        let received = Box::pin(uploads::receive(boundary, body, &settings, app.http.body_bytes_max));
        let received = tokio::time::timeout(app.http.body_timeout, received).await;
        let (request, files) = received.map_err(|_| Refusal::BodyTimeout)??;
        let context = caller.context.with_uploads(Some(Arc::clone(&files)));
        let caller = Caller { context, ..caller };
        let answer = Box::pin(answer_one(app, parts, request, caller, verified, accepted, logged)).await;
        // Many clients read the answer only after they have sent everything.
        let _ = tokio::time::timeout(app.http.body_timeout, Box::pin(files.discard())).await;
        return answer;
    }
    let payload = if is_get {
        Payload::One(request::from_uri(&parts.uri)?)
    } else {
        let bytes_max = app.http.body_bytes_max;
        let body = request::read_body(&parts.headers, body, bytes_max, app.http.body_timeout).await?;
        request::from_json(&request::unpack(coding, body, bytes_max)?, app.http.batch_operations_max)?
    };
    match payload {
        Payload::One(request) => answer_one(app, parts, request, caller, verified, accepted, logged).await,
        Payload::Batch(requests) => Box::pin(batch::answer(app, requests, caller, logged)).await,
    }
}

async fn answer_one(
    app: &Arc<App>,
    parts: &Parts,
    mut request: ClientRequest,
    mut caller: Caller,
    verified: Option<Verified>,
    accepted: Accepted,
    logged: &mut Logged,
) -> Result<HttpResponse<Body>, Refusal> {
    request.request.incremental = accepted.incremental.map(|form| form.format);
    let room = app.room.try_acquire().map_err(|_| Refusal::Overloaded)?;
    let admitted = match operation::admit(app, request, &caller, logged) {
        Ok(admitted) => admitted,
        Err(Denied::Refusal(refusal)) => return Err(refusal),
        Err(Denied::Response(refused)) => return Ok(single(app, accepted, refused)),
    };
    if admitted.prepared.kind() == OperationKind::Subscription {
        drop(room);
        return Box::pin(subscribe(app, &admitted, &caller, accepted, verified)).await;
    }
    let exposed = Exposed::asked(&parts.headers, app.expose, app.dev);
    caller.context = caller.context.with_fetches(exposed.fetches.clone());
    if let Some(form) = accepted.incremental
        && admitted.prepared.is_incremental()
    {
        let expiry = verified.map(|verified| verified.expires_at);
        let begun = operation::execute_incremental(app, &admitted, &caller.context).await?;
        let begun = Begun { first: extended(&admitted, &exposed, begun.first, &caller, parts), ..begun };
        return Ok(incremental(app, form, accepted, begun, (room, expiry), logged));
    }
    let prepared = admitted.prepared.clone();
    let (answered, has_credential) = (caller.context.answered().cloned(), caller.context.has_credential());
    // For whoever sets `limits.cost_max`; anybody else would learn how to come close to it.
    let cost = if app.dev { app.engine.cost(&admitted.prepared, &admitted.request) } else { None };
    let mut response = operation::execute(app, admitted, caller.context).await?;
    logged.has_errors = response.has_errors();
    let plan = || prepared.plan().to_json();
    response.body = exposed.add_to(
        response.body,
        plan,
        prepared.planned_in(),
        &caller.trace,
        visitor::correlation_id(parts).as_str(),
    );
    let mut response = single(app, accepted, response);
    if let Some(cost) = cost {
        response.headers_mut().insert(OPERATION_COST, cost.into());
    }
    if let Some(answered) = answered.filter(|_| accepted.json.is_some()) {
        let is_cacheable = prepared.kind() == OperationKind::Query && !logged.has_errors;
        answered.apply(response.headers_mut(), is_cacheable, has_credential, &app.forward_headers);
    }
    Ok(response)
}

/// A response with what the client may see of its request.
fn extended(
    admitted: &Admitted,
    exposed: &Exposed,
    response: Response,
    caller: &Caller,
    parts: &Parts,
) -> Response {
    let plan = || admitted.prepared.plan().to_json();
    let (planned_in, id) = (admitted.prepared.planned_in(), visitor::correlation_id(parts));
    let body = exposed.add_to(response.body, plan, planned_in, &caller.trace, id.as_str());
    Response { body, ..response }
}

/// The payloads of a response, or the whole of it where no payload follows the first.
fn incremental(
    app: &Arc<App>,
    form: IncrementalType,
    accepted: Accepted,
    begun: Begun,
    (room, expiry): (SemaphorePermit<'_>, Option<SystemTime>),
    logged: &mut Logged,
) -> HttpResponse<Body> {
    (logged.has_errors, logged.progress) = (begun.has_errors, begun.progress);
    let Some(rest) = begun.rest else { return single(app, accepted, begun.first) };
    // The operation has its place until its last payload, or until the client leaves.
    room.forget();
    let place = Place(Arc::clone(app));
    let bodies = stream::iter([begun.first]).chain(rest).map(move |response| {
        let _place = &place;
        response.body
    });
    // It is a request that ends by itself: a gateway that stops waits for it.
    let ends = Ends { credential: expiry, ..Ends::never() };
    streams::incremental_response(form.carrier, bodies.boxed(), app.http.stream_keep_alive, ends)
}

/// A permit of [`App::room`] that goes back when this is dropped.
struct Place(Arc<App>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.room.add_permits(1);
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

async fn subscribe(
    app: &Arc<App>,
    admitted: &Admitted,
    caller: &Caller,
    accepted: Accepted,
    verified: Option<Verified>,
) -> Result<HttpResponse<Body>, Refusal> {
    let form = accepted.stream.ok_or(Refusal::SubscriptionNeedsEventStream)?;
    match operation::subscribe(app, admitted, caller).await {
        Ok(responses) => {
            let bodies = responses.map(|response| response.body).boxed();
            let expiry = verified.map(|verified| verified.expires_at);
            Ok(streams::http_response(form, bodies, app.http.stream_keep_alive, app.stream_ends(expiry)))
        }
        Err(Denied::Response(refused)) => Ok(stream_of_one(app, form, refused)),
        Err(Denied::Refusal(refusal)) => Err(refusal),
    }
}

/// One response in the form the client takes: JSON when it takes that, a stream of one event otherwise.
fn single(app: &App, accepted: Accepted, response: Response) -> HttpResponse<Body> {
    match accepted.json {
        Some(json) => answer(response, json, app.http.statuses),
        None => match (accepted.stream, accepted.incremental) {
            (None, Some(form)) => {
                let source = stream::iter([response.body]).boxed();
                let keep_alive = app.http.stream_keep_alive;
                streams::incremental_response(form.carrier, source, keep_alive, Ends::never())
            }
            (form, _) => stream_of_one(app, form.unwrap_or(StreamType::Events), response),
        },
    }
}

fn stream_of_one(app: &App, form: StreamType, response: Response) -> HttpResponse<Body> {
    let source = stream::iter([response.body]).boxed();
    streams::http_response(form, source, app.http.stream_keep_alive, Ends::never())
}

/// What a path that does not exist is answered with.
pub(super) async fn not_found(
    State(app): State<Arc<App>>,
    http_request: HttpRequest<Body>,
) -> HttpResponse<Body> {
    let (parts, _) = http_request.into_parts();
    let refusal = Refusal::BadRequest("no such path".to_owned());
    let mut response = refusal.into_response(JsonType::Json, app.error_ids, visitor::ids(&parts));
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    response
}
