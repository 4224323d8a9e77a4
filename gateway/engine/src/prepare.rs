//! From a request's document to an operation that is ready to run: parse, bound, validate, normalise, plan. Operations that
//! differ only in literals share a plan.
//!
//! In: the request. Out: [`Operation`], or the complete error response.
//! Always: bounds come before whatever they protect; a refusal names a place in the document where there is one.
//! Elsewhere: keeping the result (`plan_cache.rs`), variables (per request, `engine.rs`).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use apollo_compiler::executable;
use apollo_compiler::introspection::check_max_depth;
use apollo_compiler::parser::{LineColumn, Parser, SourceMap, SourceSpan};
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, ast};
use kopitiam_executor::Program;
use kopitiam_operation::variables::CoercedVariable;
use kopitiam_operation::{FieldNode, NormalisedOperation};
use kopitiam_plan::{OperationKind, Plan};

use crate::authorization::{Missing, Needed};
use crate::cost::CostTree;
use crate::expansion;
use crate::generation::Generation;
use crate::incremental;
use crate::settings::EngineSettings;
use crate::{ErrorCode, Grants, Location, Outcome, Request, RequestError, Response};

/// The name under which messages speak of the client's document.
const DOCUMENT_NAME: &str = "query.graphql";

/// A valid, planned operation.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) document: Valid<ExecutableDocument>,
    name: Option<Box<str>>,
    pub(crate) has_introspection: bool,
    /// The values of the document's literals that are variables of the plan.
    pub(crate) literals: Vec<CoercedVariable>,
    pub(crate) planned: Arc<Planned>,
    /// What a client must have been granted for what is not refused.
    pub(crate) needed: Needed,
    /// What is refused, by what its clients were not granted ([`Missing::name`]). `None`: nothing.
    pub(crate) refused: Option<Box<str>>,
    /// Of a client for which so much is refused, to prepare this again: not for a response in several payloads, which depends
    /// on variables too.
    pub(crate) grants: Option<Arc<Grants>>,
    /// How often it was taken from the plan cache.
    pub(crate) asked: AtomicU64,
}

/// What operations of one shape have in common.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) program: Arc<Program>,
    pub(crate) cost: CostTree,
}

impl Operation {
    /// The operation in its document.
    pub(crate) fn definition(&self) -> &executable::Operation {
        self.document.operations.get(self.name.as_deref()).expect("preparing has found it in this document")
    }
}

/// Prepares the request's operation.
pub(crate) fn prepare(
    generation: &Generation,
    settings: &EngineSettings,
    request: &Request,
) -> Result<Operation, Response> {
    let document = parse(settings, &request.query)?;
    let document = validate(generation, &document)?;
    if settings.incremental && incremental::is_mentioned(&request.query) {
        incremental::check(generation.api_schema(), &document)?;
    }
    plan_document(generation, settings, request, document, None)
}

/// Prepares the request's operation without what its client may not have.
pub(crate) fn prepare_without(
    generation: &Generation,
    settings: &EngineSettings,
    request: &Request,
    whole: &Operation,
    missing: &Missing,
) -> Result<Operation, Response> {
    plan_document(generation, settings, request, whole.document.clone(), Some(missing))
}

fn plan_document(
    generation: &Generation,
    settings: &EngineSettings,
    request: &Request,
    document: Valid<ExecutableDocument>,
    missing: Option<&Missing>,
) -> Result<Operation, Response> {
    let name = request.operation_name.as_deref();
    let has_incremental = settings.incremental && incremental::is_mentioned(&request.query);
    let is_incremental = has_incremental && request.incremental.is_some();
    let booleans = is_incremental.then(|| incremental::booleans(&document, request));
    let mut normalised = normalise(generation, settings, &document, name, booleans.as_ref())?;
    let has_introspection = check_introspection(settings, &document, name, &normalised)?;
    if let Some(missing) = missing {
        generation.requirements.refuse(&generation.supergraph, &mut normalised, missing);
        refuse_source(&normalised)?;
    }
    let needed = generation.requirements.of(&generation.supergraph, &normalised);
    // What a `@requires` asks with arguments of its own is one with what the client asks with the same ones.
    let keeps = |field: &FieldNode| generation.required_with_arguments.contains(&field.name);
    let literals = kopitiam_operation::lift_literals(&generation.supergraph, &mut normalised, keeps);
    normalised.name = None;
    let shape = Arc::new(normalised);
    let planned = generation.plans.get_or_plan(&shape, || plan(generation, settings, &shape))?;
    let (name, asked, refused) = (name.map(Into::into), AtomicU64::new(0), missing.map(Missing::name));
    let grants = refused.as_ref().filter(|_| !is_incremental).map(|_| Arc::clone(&request.grants));
    Ok(Operation { document, name, has_introspection, literals, planned, needed, refused, grants, asked })
}

/// A subscription whose source is refused has no event that could say so.
fn refuse_source(normalised: &NormalisedOperation) -> Result<(), Response> {
    let mut roots = normalised.selection.fields.iter();
    match roots.find(|field| field.is_refused && normalised.kind == OperationKind::Subscription) {
        None => Ok(()),
        Some(field) => Err(Response::refused_with(
            Outcome::ValidationError,
            ErrorCode::UnauthorizedFieldOrType,
            format!("Not allowed to ask for `{}`.", field.response_key),
        )),
    }
}

fn plan(
    generation: &Generation,
    settings: &EngineSettings,
    shape: &NormalisedOperation,
) -> Result<Planned, Response> {
    let limits = kopitiam_planner::Limits::default();
    let plan = kopitiam_planner::plan(&generation.supergraph, shape, &limits)
        .map_err(|error| Response::refused_with(Outcome::PlanError, (&error).into(), error.to_string()))?;
    debug_assert_eq!(
        if shape.incremental.is_empty() {
            Ok(())
        } else {
            kopitiam_plan::check(&generation.supergraph, shape, &plan)
        },
        Ok(()),
        "what is delivered in parts is rare and intricate: tests prove every such plan\n{plan}"
    );
    let program = Program::new(&plan).of_schema(&generation.id).into();
    let cost = CostTree::new(&generation.supergraph, &generation.weights, &settings.cost, shape, &plan);
    Ok(Planned { plan, program, cost })
}

fn parse(settings: &EngineSettings, query: &str) -> Result<ast::Document, Response> {
    let refuse = |code, message: &str| Response::refused_with(Outcome::ParseError, code, message);
    if query.trim().is_empty() {
        return Err(refuse(ErrorCode::ParseFailed, "The request has no query."));
    }
    let limits = &settings.limits;
    if query.len() > limits.bytes_max {
        return Err(refuse(ErrorCode::OperationTooComplex, "The document is too long."));
    }
    let mut parser = Parser::new().recursion_limit(limits.recursion_max).token_limit(limits.tokens_max);
    let parsed = parser.parse_ast(query, DOCUMENT_NAME);
    let document = parsed.map_err(|refused| {
        // A document cut off at a limit is no statement about its syntax.
        let code = if parser.tokens_reached() >= limits.tokens_max
            || parser.recursion_reached() >= limits.recursion_max
        {
            ErrorCode::OperationTooComplex
        } else {
            ErrorCode::ParseFailed
        };
        refused_document(&refused.errors, Outcome::ParseError, code)
    })?;
    expansion::check(&document, limits).map_err(|excess| {
        Response::refused_with(Outcome::ValidationError, excess.code(), excess.to_string())
    })?;
    Ok(document)
}

fn validate(
    generation: &Generation,
    document: &ast::Document,
) -> Result<Valid<ExecutableDocument>, Response> {
    document.to_executable_validate(generation.api_schema()).map_err(|refused| {
        refused_document(&refused.errors, Outcome::ValidationError, ErrorCode::ValidationFailed)
    })
}

fn refused_document(errors: &DiagnosticList, outcome: Outcome, code: ErrorCode) -> Response {
    let mut told: Vec<RequestError> = Vec::new();
    for diagnostic in errors.iter().take(ERRORS_READ_MAX) {
        let message =
            diagnostic.error.unstable_compat_message().unwrap_or_else(|| diagnostic.error.to_string());
        let message = our_words(message);
        let location = diagnostic.line_column_range().map(|range| at(range.start));
        // The same mistake made often is one error with several places: a refusal shall not grow with what it refuses.
        match told.iter().position(|error| error.message == message) {
            Some(known) if told[known].locations.len() < LOCATIONS_MAX => {
                told[known].locations.extend(location);
            }
            Some(_) => {}
            None if told.len() == Response::REFUSAL_ERRORS_MAX => break,
            None => told.push(RequestError { message, locations: location.into_iter().collect(), code }),
        }
    }
    Response::refused(outcome, &told)
}

/// Places of one error of a refusal.
const LOCATIONS_MAX: usize = 10;
/// Errors of a refusal that are looked at, most of which may say the same.
const ERRORS_READ_MAX: usize = 200;

/// Who may not see the schema shall not be led through it by what it misspells, nor learn by the wording of the library which
/// server this is.
fn our_words(mut message: String) -> String {
    if let Some(end) = message.find(" Did you mean ") {
        message.truncate(end);
    }
    message
        .replace(" may not be used on ", " does not belong on ")
        .replace(", but it was not provided", ", and is missing")
}

/// Where a place of the document begins.
pub(crate) fn location(span: Option<SourceSpan>, sources: &SourceMap) -> Option<Location> {
    span?.line_column(sources).map(at)
}

fn at(place: LineColumn) -> Location {
    Location { line: place.line, column: place.column }
}

fn normalise(
    generation: &Generation,
    settings: &EngineSettings,
    document: &Valid<ExecutableDocument>,
    name: Option<&str>,
    booleans: Option<&incremental::Booleans>,
) -> Result<NormalisedOperation, Response> {
    let limits = kopitiam_operation::Limits { deferred: settings.limits.deferred_max, ..Default::default() };
    let supergraph = &generation.supergraph;
    let normalised = match booleans {
        Some(booleans) => {
            let is_true = |variable: &str| booleans.is_true(variable);
            kopitiam_operation::normalise_incremental(supergraph, document, name, &limits, &is_true)
        }
        None => kopitiam_operation::normalise(supergraph, document, name, &limits),
    };
    normalised
        .map_err(|error| Response::refused_with(Outcome::ValidationError, (&error).into(), error.to_string()))
}

/// Whether the operation asks `__schema` or `__type`; refuses it when it may not, or asks too much.
fn check_introspection(
    settings: &EngineSettings,
    document: &Valid<ExecutableDocument>,
    name: Option<&str>,
    normalised: &NormalisedOperation,
) -> Result<bool, Response> {
    if !normalised.selection.fields.iter().any(kopitiam_operation::FieldNode::is_introspection) {
        return Ok(false);
    }
    let refuse = |code, message: &str| Err(Response::refused_with(Outcome::ValidationError, code, message));
    if !settings.introspection {
        return refuse(
            ErrorCode::IntrospectionDisabled,
            "Introspection is switched off: __schema and __type are not answered.",
        );
    }
    let too_deep =
        document.operations.get(name).is_ok_and(|operation| check_max_depth(document, operation).is_err());
    if too_deep {
        return refuse(ErrorCode::OperationTooDeep, "The introspection nests too deeply.");
    }
    Ok(true)
}

/// The operation's kind as the plan says it.
pub(crate) fn kind(operation: &Operation) -> OperationKind {
    operation.planned.plan.kind
}
