//! Runs the fetches of a plan: each as soon as those it depends on are done.
//!
//! In: a compiled plan, variables, a transport. Out: the response's bytes.
//! Always: a failed fetch never stops another; dropping the future cancels everything in flight; mutations keep the
//! client's order, since the planner chains them by dependencies.
//! Elsewhere: subscriptions (`stream.rs`), the steps themselves (`representations.rs`, `parse.rs`, `merge.rs`,
//! `project.rs`).

use std::collections::HashMap;

use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use kopitiam_plan::{Key, OperationKind};

use crate::AnswerLimits;
use crate::errors::{Cause, Causes};
use crate::failure::{self, Blame, Reading, SubgraphError};
use crate::merge::{self, Entity};
use crate::parse::{AnswerError, parse_answer};
use crate::program::{FetchProgram, FetchProgramKind, GroupProgram, Holding, Program};
use crate::project::{Material, project};
use crate::representations::{GroupPositions, collect, objects_at};
use crate::selection::SelectionId;
use crate::transport::{SubgraphRequest, SubgraphTransport, TransportError};
use crate::tree::{CauseId, NodeId, Tree};
use crate::variables::Variables;

/// What one execution needs besides the transport.
#[derive(Debug, Clone, Copy)]
pub struct Execution<'a> {
    /// The compiled plan.
    pub program: &'a Program,
    /// The coerced variables.
    pub variables: &'a Variables,
    /// Root fields answered without any fetch: response key and JSON.
    pub introspection: &'a [(Box<str>, Box<str>)],
    /// Bounds on the answers.
    pub limits: &'a AnswerLimits,
}

/// Runs a query or a mutation; gives the complete response.
pub async fn run<T: SubgraphTransport>(
    execution: Execution<'_>,
    transport: &T,
    context: &T::Context,
) -> Bytes {
    let mut state = State::new(execution);
    let ready = state.without_dependencies();
    state.fetch(ready, transport, context).await;
    state.respond()
}

/// What is known while a request runs.
pub(crate) struct State<'a> {
    execution: Execution<'a>,
    holding: Holding,
    tree: Tree,
    causes: Causes,
    hasher: ahash::RandomState,
    /// For each fetch, how many of its dependencies are not done.
    waiting_for: Vec<u32>,
    /// For each entity fetch in flight, where its entities go.
    positions: Vec<Vec<GroupPositions>>,
    /// What failed, to be marked once more at the end: objects that other fetches gave meanwhile miss fields too.
    failures: Vec<(NodeId, SelectionId, Blame)>,
}

impl<'a> State<'a> {
    pub(crate) fn new(execution: Execution<'a>) -> Self {
        let fetches = &execution.program.fetches;
        Self {
            execution,
            holding: execution.program.conditions.evaluate(execution.variables),
            tree: Tree::new(),
            causes: Causes::default(),
            hasher: ahash::RandomState::new(),
            waiting_for: fetches.iter().map(|fetch| fetch.dependency_count).collect(),
            positions: fetches.iter().map(|_| Vec::new()).collect(),
            failures: Vec::new(),
        }
    }

    fn without_dependencies(&self) -> Vec<u32> {
        let waiting = (0..).zip(&self.waiting_for);
        waiting.filter(|(_, count)| **count == 0).map(|(index, _)| index).collect()
    }

    /// Sends the fetches in `ready`, and every other one when its turn comes.
    pub(crate) async fn fetch<T: SubgraphTransport>(
        &mut self,
        mut ready: Vec<u32>,
        transport: &T,
        context: &T::Context,
    ) {
        let program = self.execution.program;
        let send = async |index: u32, body: Bytes| {
            let fetch = &program.fetches[index as usize];
            let is_mutation = fetch.operation == OperationKind::Mutation;
            let request = SubgraphRequest { subgraph: &fetch.subgraph, body, is_mutation };
            (index, transport.send(request, context).await)
        };
        let mut in_flight = FuturesUnordered::new();
        loop {
            while let Some(index) = ready.pop() {
                match self.request(index) {
                    Some(body) => in_flight.push(send(index, body)),
                    None => self.release(index, &mut ready),
                }
            }
            let Some((index, answer)) = in_flight.next().await else { return };
            self.receive(index, answer);
            self.release(index, &mut ready);
        }
    }

    /// A fetch is done: those that waited only for it are ready.
    pub(crate) fn release(&mut self, index: u32, ready: &mut Vec<u32>) {
        for &dependent in &self.execution.program.fetches[index as usize].dependents {
            let waiting = &mut self.waiting_for[dependent as usize];
            *waiting -= 1;
            if *waiting == 0 {
                ready.push(dependent);
            }
        }
    }

    /// The request body of a fetch; `None` when there is nothing to ask.
    pub(crate) fn request(&mut self, index: u32) -> Option<Bytes> {
        let fetch = &self.execution.program.fetches[index as usize];
        if !self.holding.holds(fetch.condition) {
            return None;
        }
        let mut body = Vec::with_capacity(fetch.body_start.len() + 256);
        body.extend_from_slice(&fetch.body_start);
        let mut has_variables = false;
        for (name, start) in &fetch.variables {
            if let Some(json) = self.execution.variables.get(name) {
                begin_variable(&mut body, &mut has_variables);
                body.extend_from_slice(start);
                body.extend_from_slice(json.as_bytes());
            }
        }
        if let FetchProgramKind::Root { at, .. } = &fetch.kind
            && !at.0.is_empty()
        {
            let positions = objects_at(&self.tree, &at.0);
            if positions.count == 0 {
                return None;
            }
            self.positions[index as usize] = vec![positions];
        }
        if let FetchProgramKind::Entities { groups, .. } = &fetch.kind {
            let mut all = Vec::with_capacity(groups.len());
            for group in groups {
                begin_variable(&mut body, &mut has_variables);
                body.extend_from_slice(&group.variable_start);
                all.push(self.collect(group, &mut body));
            }
            if all.iter().all(|positions| positions.count == 0) {
                return None;
            }
            self.positions[index as usize] = all;
        }
        body.extend_from_slice(if has_variables { b"}}" } else { b"}" });
        Some(body.into())
    }

    fn collect(&mut self, group: &GroupProgram, body: &mut Vec<u8>) -> GroupPositions {
        if !self.holding.holds(group.condition) {
            body.extend_from_slice(b"[]");
            return GroupPositions::default();
        }
        let mut positions = collect(&mut self.tree, group, &self.holding, &self.hasher, body);
        for (node, cause) in std::mem::take(&mut positions.failed) {
            // The error's own place is elsewhere: what follows there is no path from here.
            let cause = if self.causes.get(cause).tail.is_empty() {
                cause
            } else {
                failure::without_tail(&mut self.causes, cause)
            };
            self.fail(node, group.selection, Blame::all(cause));
        }
        positions
    }

    /// Takes in a fetch's answer, or the lack of one.
    pub(crate) fn receive(&mut self, index: u32, answer: Result<Bytes, TransportError>) {
        let Execution { program, limits, .. } = self.execution;
        let fetch = &program.fetches[index as usize];
        let root = match fetch.kind {
            FetchProgramKind::Root { selection, .. } | FetchProgramKind::Entities { selection, .. } => {
                selection
            }
        };
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(error) => return self.fail_fetch(index, Cause::of_transport(&error, &fetch.subgraph)),
        };
        let parsed = parse_answer(&mut self.tree, &bytes, &program.selections, root, &program.types, limits);
        let answer = match parsed {
            Ok(answer) => answer,
            Err(error) => return self.fail_fetch(index, Cause::of_answer(error, &fetch.subgraph)),
        };
        let errors = answer.errors.map_or_else(Vec::new, |range| {
            failure::read_errors(&bytes[range], &fetch.subgraph, limits.errors_max, &mut self.causes)
        });
        let Some(data) = answer.data else {
            return self.fail_with(index, root, &errors);
        };
        let reading = self.reading(index, root);
        for error in &errors {
            let is_root = matches!(&fetch.kind, FetchProgramKind::Root { at, .. } if at.0.is_empty());
            if is_root && !error.path.is_empty() {
                let path = failure::root_path(&program.selections, root, &program.key_names, &error.path);
                self.causes.get_mut(error.id).fallback_path = Some(path);
            }
            failure::mark(&mut self.tree, reading, data, error, &mut self.causes);
        }
        match &fetch.kind {
            FetchProgramKind::Root { at, .. } if at.0.is_empty() => {
                merge::merge_objects(&mut self.tree, Tree::ROOT, data);
            }
            FetchProgramKind::Root { selection, .. } => self.merge_below(index, fetch, *selection, data),
            FetchProgramKind::Entities { groups, .. } => self.merge_groups(index, fetch, groups, data),
        }
    }

    /// Root fields of the query, for each object that asks for them below the root.
    fn merge_below(&mut self, index: u32, fetch: &FetchProgram, selection: SelectionId, data: NodeId) {
        let objects_max = self.execution.limits.objects_max;
        for positions in std::mem::take(&mut self.positions[index as usize]) {
            let causes = &mut self.causes;
            let too_many = || causes.add(Cause::of_answer(AnswerError::TooLarge, &fetch.subgraph));
            let answer = [Entity::Found(data)];
            let failed =
                merge::merge_entities(&mut self.tree, &positions, &answer, |_| false, objects_max, too_many);
            for (node, cause) in failed {
                self.fail(node, selection, Blame::all(cause));
            }
        }
    }

    fn reading(&self, index: u32, root: SelectionId) -> Reading<'a> {
        let program = self.execution.program;
        Reading {
            selections: &program.selections,
            key_names: &program.key_names,
            root,
            is_entities: matches!(program.fetches[index as usize].kind, FetchProgramKind::Entities { .. }),
        }
    }

    fn merge_groups(&mut self, index: u32, fetch: &FetchProgram, groups: &[GroupProgram], data: NodeId) {
        let all = std::mem::take(&mut self.positions[index as usize]);
        for ((key, group), positions) in (0..).zip(groups).zip(&all) {
            if positions.count == 0 {
                continue;
            }
            let value = self.tree.get(data, Key(key));
            let entities = merge::read_entities(&self.tree, value, positions.count).unwrap_or_else(|| {
                let cause = self.causes.add(Cause::of_answer(AnswerError::Malformed, &fetch.subgraph));
                vec![Entity::Failed(cause); positions.count as usize]
            });
            let shareable = |target: u32| group.targets[target as usize].is_shareable;
            let causes = &mut self.causes;
            let too_many = || causes.add(Cause::of_answer(AnswerError::TooLarge, &fetch.subgraph));
            let objects_max = self.execution.limits.objects_max;
            let failed =
                merge::merge_entities(&mut self.tree, positions, &entities, shareable, objects_max, too_many);
            let reading = self.reading(index, group.selection);
            let mut blames: HashMap<CauseId, Blame, ahash::RandomState> = HashMap::default();
            for (node, cause) in failed {
                let blame = blames
                    .entry(cause)
                    .or_insert_with(|| Blame::of_entity(reading, group.selection, cause, &mut self.causes));
                let blame = blame.clone();
                self.fail(node, group.selection, blame);
            }
        }
    }

    /// `data` is null or missing: each field shows its own error, or else the first one.
    fn fail_with(&mut self, index: u32, root: SelectionId, errors: &[SubgraphError]) {
        let program = self.execution.program;
        let fetch = &program.fetches[index as usize];
        let Some(first) = errors.first() else {
            return self.fail_fetch(index, Cause::of_answer(AnswerError::Malformed, &fetch.subgraph));
        };
        if matches!(fetch.kind, FetchProgramKind::Entities { .. }) {
            return self.fail_positions(index, first.id);
        }
        let mut shared = None;
        let mut causes = Vec::new();
        for field in program.selections.fields(root) {
            let own = errors.iter().find(|error| failure::is_of_field(error, &field.name));
            causes.push((
                &*field.name,
                match own {
                    Some(error) => {
                        self.causes.get_mut(error.id).tail = error.path[1..].to_vec();
                        error.id
                    }
                    None if first.path.is_empty() => first.id,
                    None => *shared.get_or_insert_with(|| failure::without_tail(&mut self.causes, first.id)),
                },
            ));
        }
        let cause_of =
            |name: &str| causes.iter().find(|(known, _)| *known == name).map_or(first.id, |(_, id)| *id);
        for node in self.root_nodes(index) {
            failure::fail_by(&mut self.tree, &program.selections, node, root, &cause_of);
        }
    }

    /// The objects that the answer of a root fetch is for.
    fn root_nodes(&mut self, index: u32) -> Vec<NodeId> {
        match &self.execution.program.fetches[index as usize].kind {
            FetchProgramKind::Root { at, .. } if !at.0.is_empty() => {
                let all = std::mem::take(&mut self.positions[index as usize]);
                all.into_iter().flat_map(|found| found.positions).map(|position| position.node).collect()
            }
            _ => vec![Tree::ROOT],
        }
    }

    /// No usable answer at all.
    fn fail_fetch(&mut self, index: u32, cause: Cause) {
        let program = self.execution.program;
        let cause = self.causes.add(cause);
        match program.fetches[index as usize].kind {
            FetchProgramKind::Root { selection, .. } => {
                for node in self.root_nodes(index) {
                    self.fail(node, selection, Blame::all(cause));
                }
            }
            FetchProgramKind::Entities { .. } => self.fail_positions(index, cause),
        }
    }

    fn fail_positions(&mut self, index: u32, cause: CauseId) {
        let program = self.execution.program;
        let FetchProgramKind::Entities { groups, .. } = &program.fetches[index as usize].kind else { return };
        let all = std::mem::take(&mut self.positions[index as usize]);
        for (group, positions) in groups.iter().zip(all) {
            for position in positions.positions {
                self.fail(position.node, group.selection, Blame::all(cause));
            }
        }
    }

    fn fail(&mut self, node: NodeId, selection: SelectionId, blame: Blame) {
        failure::fail(&mut self.tree, &self.execution.program.selections, node, selection, &blame);
        self.failures.push((node, selection, blame));
    }

    /// Writes the response from what has arrived.
    pub(crate) fn respond(mut self) -> Bytes {
        let Execution { program, introspection, limits, .. } = self.execution;
        for (node, selection, blame) in std::mem::take(&mut self.failures) {
            failure::fail(&mut self.tree, &program.selections, node, selection, &blame);
        }
        project(Material {
            tree: &self.tree,
            program,
            holding: &self.holding,
            introspection,
            causes: &mut self.causes,
            limits,
        })
    }
}

fn begin_variable(body: &mut Vec<u8>, has_variables: &mut bool) {
    body.extend_from_slice(if *has_variables { b"," } else { b",\"variables\":{" });
    *has_variables = true;
}
