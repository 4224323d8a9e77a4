//! The operations of clients on two supergraphs: whether they are valid, and what their plans are.

use std::fmt;
use std::path::{Path, PathBuf};

use apollo_compiler::parser::Parser;
use apollo_compiler::{Name, Schema};
use kopitiam_engine::{Engine, Prepared, Request, Variables};
use serde_json::{Value, json};

use super::super::output::{self, Failure};
use super::placeholders;
use crate::subgraph_client::Transport;

/// One of two supergraphs.
pub(super) struct Side {
    pub(super) engine: Engine<Transport>,
    /// The schema that clients see.
    pub(super) api: Schema,
}

/// One operation on both supergraphs.
#[derive(Debug)]
pub(super) struct Compared {
    file: PathBuf,
    name: Option<String>,
    pub(super) plans: Plans,
}

#[derive(Debug)]
pub(super) enum Plans {
    Same(Size),
    Changed {
        old: Size,
        new: Size,
    },
    /// The old supergraph refuses it, the new one does not.
    New(Size),
    /// Both refuse it.
    Invalid,
    /// The new supergraph refuses it, for these reasons.
    Broken(Vec<String>),
}

/// What a plan costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    fetches: usize,
    /// Requests that wait for one another.
    depth: usize,
    /// With placeholders for the variables that the operation requires; `None`: a custom scalar takes none of them.
    cost: Option<u64>,
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} requests in {} levels", self.fetches, self.depth)?;
        self.cost.map_or(Ok(()), |cost| write!(formatter, ", cost {cost}"))
    }
}

impl Size {
    fn to_json(self) -> Value {
        json!({ "requests": self.fetches, "levels": self.depth, "cost": self.cost })
    }
}

impl Compared {
    /// File and name, for people.
    pub(super) fn place(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", self.file.display()),
            None => self.file.display().to_string(),
        }
    }

    /// Why the new supergraph refuses what the old one did not, one line each.
    pub(super) fn errors(&self) -> Vec<String> {
        match &self.plans {
            Plans::Broken(errors) => errors.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let (outcome, old, new, errors) = match &self.plans {
            Plans::Same(size) => ("same", Some(size), Some(size), &[][..]),
            Plans::Changed { old, new } => ("changed", Some(old), Some(new), &[][..]),
            Plans::New(new) => ("new", None, Some(new), &[][..]),
            Plans::Invalid => ("invalid", None, None, &[][..]),
            Plans::Broken(errors) => ("broken", None, None, &errors[..]),
        };
        json!({
            "file": self.file,
            "operation": self.name,
            "outcome": outcome,
            "old": old.map(|size| size.to_json()),
            "new": new.map(|size| size.to_json()),
            "errors": errors,
        })
    }
}

/// Compares every operation of a folder.
pub(super) fn compare(folder: &Path, old: &Side, new: &Side) -> Result<Vec<Compared>, Failure> {
    let mut files = Vec::new();
    find(folder, &mut files)?;
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let query = output::read(&file)?;
        for name in names(&query) {
            let request =
                Request { query: query.clone(), operation_name: name.clone(), ..Request::default() };
            let plans = plans(&file, &request, old, new);
            all.push(Compared { file: file.clone(), name, plans });
        }
    }
    Ok(all)
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::input(format!("{}: {error}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
        if kind.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "graphql" || extension == "gql") {
            files.push(path);
        }
    }
    Ok(())
}

/// The names of a document's operations; one without a name when it does not parse, so that its errors are seen.
fn names(query: &str) -> Vec<Option<String>> {
    let Ok(document) = Parser::new().parse_ast(query, "operation.graphql") else { return vec![None] };
    let operations =
        document.definitions.iter().filter_map(|definition| definition.as_operation_definition());
    operations.map(|operation| operation.name.as_ref().map(ToString::to_string)).collect()
}

fn plans(file: &Path, request: &Request, old: &Side, new: &Side) -> Plans {
    let before = old.engine.prepare(request);
    match (before, new.engine.prepare(request)) {
        (Err(_), Err(_)) => Plans::Invalid,
        (Ok(_), Err(refused)) => {
            Plans::Broken(output::diagnostics(&refused.body, &file.display().to_string()))
        }
        (Err(_), Ok(after)) => Plans::New(size(new, &after, request)),
        (Ok(before), Ok(after)) => {
            let (old, new) = (size(old, &before, request), size(new, &after, request));
            if old == new && before.plan().to_string() == after.plan().to_string() {
                Plans::Same(new)
            } else {
                Plans::Changed { old, new }
            }
        }
    }
}

fn size(side: &Side, prepared: &Prepared, request: &Request) -> Size {
    let plan = prepared.plan();
    let cost = side.engine.cost(prepared, &with_placeholders(request, &side.api));
    Size { fetches: plan.fetches.len(), depth: plan.levels().len(), cost }
}

/// The request with a value for every variable that its operation requires.
fn with_placeholders(request: &Request, api: &Schema) -> Request {
    let document = Parser::new().parse_ast(&request.query, "operation.graphql").ok();
    let operation = document.as_ref().and_then(|document| {
        let mut operations =
            document.definitions.iter().filter_map(|definition| definition.as_operation_definition());
        operations
            .find(|operation| operation.name.as_ref().map(Name::as_str) == request.operation_name.as_deref())
    });
    let values = operation.map(|operation| placeholders::of(operation, api)).unwrap_or_default();
    let variables = Variables::from_json(&Value::Object(values).to_string()).unwrap_or_default();
    Request { variables, ..request.clone() }
}
