//! The façade: one engine serves one supergraph at a time, and can be given another while it runs.
//!
//! Always: a request ends on the generation it was prepared for; a subscription goes over to the next one.
//! Elsewhere: preparing (`prepare.rs`), running (`executor`), subscriptions (`streams.rs`).

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures::stream::{BoxStream, StreamExt};
use kopitiam_executor::transport::SubgraphTransport;
use kopitiam_executor::{Execution, IncrementalRun, Subscription, Variables};
use kopitiam_operation::variables::{CoercedVariable, coerce_variables};
use kopitiam_plan::{OperationKind, Plan};
use tokio::sync::watch;

use crate::authorization::Requirements;
use crate::generation::{Generation, Generations};
use crate::prepare::{self, Operation};
use crate::streams::{self, Parts};
use crate::{
    EngineSettings, ErrorCode, IncrementalResponse, Outcome, Request, RequestError, Response, incremental,
    introspection,
};

/// Why a supergraph was not taken. The engine goes on with the one it had.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The SDL is not a supergraph that this engine can serve; the text says where and why.
    #[error("the supergraph is not valid: {0}")]
    Supergraph(String),
}

/// A subgraph as the supergraph names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubgraphInfo {
    /// As in `@join__graph(name:)`; the name a transport gets.
    pub name: String,
    /// As in `@join__graph(url:)`; may be empty.
    pub url: String,
}

/// What the serving side needs to know of the current supergraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupergraphInfo {
    /// In the supergraph's order.
    pub subgraphs: Vec<SubgraphInfo>,
    /// The API schema's SDL: what clients see.
    pub api_sdl: String,
}

/// An operation that is parsed, valid and planned, bound to the schema it was prepared for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prepared {
    generation: Arc<Generation>,
    operation: Arc<Operation>,
    planned_in: Option<Duration>,
}

/// Equal when they came from one entry of the plan cache: the same document and operation on the same schema, without the same
/// fields that clients may not have.
impl PartialEq for Prepared {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.operation, &other.operation)
    }
}

impl Eq for Prepared {}

impl Hash for Prepared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.operation).hash(state);
    }
}

impl Prepared {
    /// Query, mutation or subscription.
    pub fn kind(&self) -> OperationKind {
        prepare::kind(&self.operation)
    }

    /// The operation's name in its document, if it has one.
    pub fn operation_name(&self) -> Option<&str> {
        self.operation.definition().name.as_ref().map(apollo_compiler::Name::as_str)
    }

    /// The supergraph that it was prepared on, as [`crate::schema_id`] names it.
    pub fn schema(&self) -> &str {
        &self.generation.id
    }

    /// How often the operation's root names a field of the schema, under whatever aliases and in fragments.
    pub fn count_root_fields(&self, name: &str) -> usize {
        let fields = self.operation.definition().root_fields(&self.operation.document);
        fields.filter(|field| field.name == name).count()
    }

    /// What of it is refused; those of one schema and document with the same text lack the same fields. `None`: nothing is.
    pub fn refused(&self) -> Option<&str> {
        self.operation.refused.as_deref()
    }

    /// The operation's plan, for people and tools.
    pub fn plan(&self) -> &Plan {
        &self.operation.planned.plan
    }

    /// How long it took to prepare it; `None` when it was in the plan cache.
    pub fn planned_in(&self) -> Option<Duration> {
        self.planned_in
    }

    /// Whether its response may come in several payloads ([`Engine::execute_incremental`]).
    pub fn is_incremental(&self) -> bool {
        self.operation.planned.program.is_incremental()
    }

    /// Whether both run one and the same plan: the operations differ in nothing, or in literals and text alone.
    pub fn shares_plan_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.operation.planned, &other.operation.planned)
    }
}

/// Serves GraphQL requests on a supergraph through a transport. Shared by reference between threads.
#[derive(Debug)]
pub struct Engine<T: SubgraphTransport> {
    current: Arc<Current>,
    transport: Arc<T>,
    settings: Arc<EngineSettings>,
    alive: Arc<()>,
}

/// What is served now, and who wants to know when that changes.
#[derive(Debug)]
pub(crate) struct Current {
    generations: ArcSwap<Generations>,
    changed: watch::Sender<()>,
}

impl Current {
    fn new(generations: Generations) -> Self {
        Self { generations: ArcSwap::from_pointee(generations), changed: watch::Sender::new(()) }
    }

    fn replace(&self, generations: Generations) {
        self.generations.store(Arc::new(generations));
        self.changed.send_replace(());
    }

    /// Tells of every change since the operation was prepared.
    pub(crate) fn watch(&self, prepared: &Prepared) -> watch::Receiver<()> {
        let mut changed = self.changed.subscribe();
        if !self.generations.load().contains(&prepared.generation) {
            changed.mark_changed();
        }
        changed
    }

    /// Parses, validates and plans the request's operation, or takes all that from the cache.
    pub(crate) fn prepare(&self, settings: &EngineSettings, request: &Request) -> Result<Prepared, Response> {
        let generation = Arc::clone(self.generations.load().choose());
        restricted(settings, request, prepare_on(generation, settings, request)?)
    }
}

/// An operation with all that it asks for, whoever asks.
fn prepare_on(
    generation: Arc<Generation>,
    settings: &EngineSettings,
    request: &Request,
) -> Result<Prepared, Response> {
    let mut planned_in = None;
    // The hot path: nothing of the document is looked at unless the client takes several payloads.
    let variant = match request.incremental {
        Some(_) if settings.incremental => incremental::variant(request),
        _ => None,
    };
    let name = request.operation_name.as_deref();
    let operation = generation.plans.get_or_prepare(&request.query, name, variant.as_deref(), || {
        let started = Instant::now();
        let prepared = prepare::prepare(&generation, settings, request);
        planned_in = Some(started.elapsed());
        prepared
    })?;
    Ok(Prepared { generation, operation, planned_in })
}

/// An operation without what the request's client may not have.
fn restricted(settings: &EngineSettings, request: &Request, whole: Prepared) -> Result<Prepared, Response> {
    let Prepared { generation, operation, mut planned_in } = whole;
    let missing = generation.requirements.missing(&operation.needed, &request.grants);
    let Some(missing) = missing.filter(|_| !settings.reject_unauthorized) else {
        return Ok(Prepared { generation, operation, planned_in });
    };
    let mut variant = missing.name().into_string();
    if let Some(incremental) =
        request.incremental.filter(|_| settings.incremental).and(incremental::variant(request))
    {
        variant.extend(["\n", &incremental]);
    }
    let name = request.operation_name.as_deref();
    let operation = generation.plans.get_or_prepare(&request.query, name, Some(&variant), || {
        let started = Instant::now();
        let prepared = prepare::prepare_without(&generation, settings, request, &operation, &missing);
        planned_in = Some(planned_in.unwrap_or_default() + started.elapsed());
        prepared
    })?;
    Ok(Prepared { generation, operation, planned_in })
}

impl<T: SubgraphTransport> Engine<T> {
    /// Builds an engine for a supergraph.
    ///
    /// # Errors
    /// [`EngineError`] when the SDL is not a supergraph.
    pub fn new(supergraph_sdl: &str, transport: T, settings: EngineSettings) -> Result<Self, EngineError> {
        let alive = Arc::new(());
        let generations = Generations::new(supergraph_sdl, &settings, &alive)?;
        Ok(Self {
            alive,
            current: Arc::new(Current::new(generations)),
            transport: Arc::new(transport),
            settings: Arc::new(settings),
        })
    }

    /// Goes over to another supergraph: later requests see it, those in flight end on the old one.
    ///
    /// # Errors
    /// [`EngineError`] when the SDL is not a supergraph; the old one stays.
    pub fn replace(&self, supergraph_sdl: &str) -> Result<(), EngineError> {
        self.replace_after(supergraph_sdl, |_| Ok(()))
    }

    /// As [`Engine::replace`], and calls `ready` with what the new supergraph names before any request sees it, so that
    /// the transport can learn of its subgraphs.
    ///
    /// # Errors
    /// [`EngineError`] as the caller's error, or what `ready` gives; the old supergraph stays.
    pub fn replace_after<E: From<EngineError>>(
        &self,
        supergraph_sdl: &str,
        ready: impl FnOnce(&SupergraphInfo) -> Result<(), E>,
    ) -> Result<(), E> {
        let generations = Generations::new(supergraph_sdl, &self.settings, &self.alive)?;
        ready(&info(generations.any()))?;
        self.warm_up(&generations);
        self.current.replace(generations);
        Ok(())
    }

    /// The operations that were asked most since the supergraph was taken, the most frequent first, without variables, with
    /// the grants of a client for each set of fields that clients did not get. To prepare them on an engine that is to take over from this one.
    pub fn hottest(&self, count: usize) -> Vec<Request> {
        let hottest = self.current.generations.load().hottest(count);
        hottest.into_iter().map(|hot| hot.request()).collect()
    }

    /// Prepares operations, such as the [hottest](Engine::hottest) of an engine that this one takes over from.
    pub fn warm_up_with(&self, requests: &[Request]) {
        let started = Instant::now();
        for request in requests {
            if started.elapsed() > self.settings.warm_up_time_max {
                break;
            }
            // What this schema does not have is refused when somebody asks it.
            let _ = self.prepare(request);
        }
    }

    /// Prepares what clients ask most, so that the first of them need not wait for its plan.
    fn warm_up(&self, next: &Generations) {
        let started = Instant::now();
        for hot in self.current.generations.load().hottest(self.settings.warm_up_operations) {
            if started.elapsed() > self.settings.warm_up_time_max {
                break;
            }
            let request = hot.request();
            for generation in next.all() {
                // What the new schema does not have any more is refused when somebody asks it.
                let Ok(whole) = prepare_on(Arc::clone(generation), &self.settings, &request) else {
                    continue;
                };
                // As its clients get it; also, of what some get whole, as those do who were granted nothing.
                let prepared = restricted(&self.settings, &request, whole.clone());
                let prepared = if hot.grants.is_some() { prepared.unwrap_or(whole) } else { whole };
                // Half: what was asked long ago must not stay in front for ever.
                prepared.operation.asked.fetch_max(hot.asked / 2, Ordering::Relaxed);
            }
        }
    }

    /// Names and URLs of the current supergraph's subgraphs, and the API schema.
    pub fn supergraph(&self) -> SupergraphInfo {
        info(self.current.generations.load().any())
    }

    /// How many schema generations are in memory: the current one's, and those that requests or streams still hold. There is
    /// one for each share of the requests that a progressive override tells apart.
    pub fn generations_alive(&self) -> usize {
        Arc::strong_count(&self.alive) - 1
    }

    /// The transport given to [`Engine::new`].
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Parses, validates and plans the request's operation, or takes all that from the cache.
    ///
    /// # Errors
    /// A complete response that says what is wrong with the request, for the client.
    pub fn prepare(&self, request: &Request) -> Result<Prepared, Response> {
        self.current.prepare(&self.settings, request)
    }

    /// What a prepared operation costs with the request's variables, estimated from above (see [`CostSettings`]); `None`
    /// when they do not fit. Of a subscription: the cost of one event.
    ///
    /// [`CostSettings`]: crate::CostSettings
    pub fn cost(&self, prepared: &Prepared, request: &Request) -> Option<u64> {
        coerce(prepared, request).ok().map(|coerced| cost(prepared, &coerced))
    }

    /// Runs a prepared query or mutation with the request's variables.
    pub async fn execute(&self, prepared: &Prepared, request: &Request, context: &T::Context) -> Response {
        if prepared.kind() == OperationKind::Subscription {
            return Response::refused_with(
                Outcome::ValidationError,
                ErrorCode::OperationKindNotSupported,
                "A subscription needs a connection that carries several responses.",
            );
        }
        let coerced = match coerce_affordable(prepared, request, &self.settings) {
            Ok(coerced) => coerced,
            Err(refused) => return refused,
        };
        let introspection = introspection::answer(&prepared.generation, &prepared.operation, &coerced);
        let execution = Execution {
            program: &prepared.operation.planned.program,
            variables: &variables(&prepared.operation, coerced),
            introspection: &introspection,
            limits: &self.settings.answers,
        };
        executed(kopitiam_executor::run(execution, &*self.transport, context).await)
    }

    /// Runs a prepared query or mutation; gives its first payload, and the further ones if there are any. They come in the
    /// form that the request names; dropping them cancels what is left to do.
    pub async fn execute_incremental(
        &self,
        prepared: &Prepared,
        request: &Request,
        context: &T::Context,
    ) -> IncrementalResponse {
        let Some(format) = request.incremental.filter(|_| prepared.is_incremental()) else {
            return self.execute(prepared, request, context).await.into();
        };
        let coerced = match coerce_affordable(prepared, request, &self.settings) {
            Ok(coerced) => coerced,
            Err(refused) => return refused.into(),
        };
        let run = IncrementalRun {
            program: Arc::clone(&prepared.operation.planned.program),
            introspection: introspection::answer(&prepared.generation, &prepared.operation, &coerced),
            variables: variables(&prepared.operation, coerced),
            limits: self.settings.answers.clone(),
            transport: Arc::clone(&self.transport),
            context: context.clone(),
            format,
        };
        let mut payloads = run.payloads();
        let first = payloads.next().await.expect("there is one payload at least");
        let rest = first.has_next.then(|| payloads.map(|payload| executed(payload.body)).boxed());
        IncrementalResponse { first: executed(first.body), has_errors: first.has_errors, rest }
    }

    /// Starts a prepared subscription with the request's variables: one response for each event of its source. A query
    /// or mutation gives one response. The stream goes on when the supergraph is replaced, as long as the new one has what
    /// it asks; else its last response says why it ends.
    ///
    /// # Errors
    /// A complete response that says why no stream could be opened.
    pub async fn subscribe(
        &self,
        prepared: &Prepared,
        request: &Request,
        context: &T::Context,
    ) -> Result<BoxStream<'static, Response>, Response> {
        if prepared.kind() != OperationKind::Subscription {
            let response = self.execute(prepared, request, context).await;
            return Ok(futures::stream::once(async { response }).boxed());
        }
        let parts = Parts {
            current: Arc::clone(&self.current),
            settings: Arc::clone(&self.settings),
            transport: Arc::clone(&self.transport),
        };
        streams::open(parts, prepared, request, context).await
    }
}

/// A prepared subscription with the request's variables.
pub(crate) fn subscription<T: SubgraphTransport>(
    parts: &Parts<T>,
    prepared: &Prepared,
    request: &Request,
    context: T::Context,
) -> Result<Subscription<T>, Response> {
    Ok(Subscription {
        program: Arc::clone(&prepared.operation.planned.program),
        variables: variables(&prepared.operation, coerce_affordable(prepared, request, &parts.settings)?),
        limits: parts.settings.answers.clone(),
        transport: Arc::clone(&parts.transport),
        context,
    })
}

fn info(generation: &Generation) -> SupergraphInfo {
    let subgraphs = generation.supergraph.subgraphs().iter();
    SupergraphInfo {
        subgraphs: subgraphs
            .map(|subgraph| SubgraphInfo { name: subgraph.name.to_string(), url: subgraph.url.to_string() })
            .collect(),
        api_sdl: generation.api_schema().to_string(),
    }
}

pub(crate) fn executed(body: bytes::Bytes) -> Response {
    Response { body, outcome: Outcome::Executed }
}

/// The client's variables, unless the operation costs too much with them.
fn coerce_affordable(
    prepared: &Prepared,
    request: &Request,
    settings: &EngineSettings,
) -> Result<Vec<CoercedVariable>, Response> {
    let needed = &prepared.operation.needed;
    if let Some(missing) = prepared.generation.requirements.missing(needed, &request.grants) {
        return Err(Requirements::refusal(needed, &missing));
    }
    let coerced = coerce(prepared, request)?;
    let Some(operation_max) = settings.cost.operation_max else { return Ok(coerced) };
    let cost = cost(prepared, &coerced);
    if cost <= operation_max {
        return Ok(coerced);
    }
    Err(Response::refused_with(
        Outcome::PlanError,
        ErrorCode::OperationTooExpensive,
        format!("The operation would cost {cost}; at most {operation_max} is allowed."),
    ))
}

fn cost(prepared: &Prepared, coerced: &[CoercedVariable]) -> u64 {
    prepared.operation.planned.cost.estimate(coerced, &prepared.operation.literals)
}

fn coerce(prepared: &Prepared, request: &Request) -> Result<Vec<CoercedVariable>, Response> {
    let Prepared { generation, operation, .. } = prepared;
    let definitions = &operation.definition().variables;
    coerce_variables(generation.api_schema(), definitions, request.variables.as_json()).map_err(|errors| {
        let refuse = |error: kopitiam_operation::variables::VariableError| RequestError {
            locations: prepare::location(error.location, &operation.document.sources).into_iter().collect(),
            message: error.message,
            code: ErrorCode::BadUserInput,
        };
        Response::refused(Outcome::VariableError, &errors.into_iter().map(refuse).collect::<Vec<_>>())
    })
}

/// The client's variables, and those that stand for literals of its document.
fn variables(operation: &Operation, coerced: Vec<CoercedVariable>) -> Variables {
    let all = coerced.into_iter().chain(operation.literals.iter().cloned());
    Variables::new(all.map(|variable| (variable.name, variable.json)))
}
