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
use kopitiam_plan::{Key, PartId};

use crate::AnswerLimits;
use crate::contexts::{self, ContextProgram, Instance, Template};
use crate::errors::{Cause, Causes};
use crate::failure::{self, Blame, Reading, SubgraphError};
use crate::json::write_string;
use crate::merge::{self, Entity};
use crate::parse::{AnswerError, parse_answer};
use crate::program::{FetchProgram, FetchProgramKind, GroupProgram, Holding, Program};
use crate::project::{Material, project};
use crate::representations::{Among, GroupPositions, Reader, collect, objects_at};
use crate::selection::SelectionId;
use crate::starved::{self, Starved};
use crate::transport::{SubgraphTransport, TransportError};
use crate::tree::{CauseId, NodeId, Tree};
use crate::variables::Variables;
use crate::waves::Waves;

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

/// Where the answer of one request goes: for each key of it that stands for a group's entities, the group and the places.
type Part = Vec<(u32, usize, GroupPositions)>;

/// What is known while a request runs.
pub(crate) struct State<'a> {
    pub(crate) execution: Execution<'a>,
    holding: Holding,
    pub(crate) tree: Tree,
    pub(crate) causes: Causes,
    hasher: ahash::RandomState,
    /// For each sending, how many others that it waits for are not done.
    waiting_for: Vec<u32>,
    /// For each sending, where the answers of its requests in flight go.
    positions: Vec<Vec<Part>>,
    /// For each sending, how many of its requests are not answered.
    pub(crate) unanswered: Vec<usize>,
    /// What failed, to be marked once more: objects that other fetches gave meanwhile miss fields too.
    failures: Vec<(NodeId, SelectionId, Blame)>,
    /// Whether anything came that the failures have yet to be marked in.
    is_behind: bool,
    /// Where failures were in the way of fetches.
    starved: Vec<Starved<'a>>,
    /// Which fetches are sent twice, if any; without, a sending is a fetch.
    pub(crate) waves: Option<Waves>,
}

impl<'a> State<'a> {
    pub(crate) fn new(execution: Execution<'a>) -> Self {
        let fetches = &execution.program.fetches;
        Self {
            execution,
            holding: execution.program.conditions.evaluate(execution.variables, PartId::FIRST),
            tree: Tree::new(),
            causes: Causes::default(),
            hasher: ahash::RandomState::new(),
            waiting_for: fetches.iter().map(|fetch| fetch.dependency_count).collect(),
            positions: fetches.iter().map(|_| Vec::new()).collect(),
            unanswered: vec![0; fetches.len()],
            failures: Vec::new(),
            is_behind: false,
            starved: Vec::new(),
            waves: None,
        }
    }

    /// For a response in several payloads.
    pub(crate) fn in_payloads(execution: Execution<'a>) -> Self {
        let mut state = Self::new(execution);
        state.waves = Waves::new(execution.program, execution.variables);
        if let Some(waves) = &state.waves {
            state.waiting_for = waves.dependency_counts();
            state.positions = state.waiting_for.iter().map(|_| Vec::new()).collect();
            state.unanswered = vec![0; state.waiting_for.len()];
        }
        state
    }

    /// The second sending of a fetch that was just sent for the first time, if nothing else is in its way.
    pub(crate) fn second(&mut self, index: u32) -> Option<u32> {
        let second = self.waves.as_ref()?.second(index)?;
        self.waiting_for[second as usize] -= 1;
        (self.waiting_for[second as usize] == 0).then_some(second)
    }

    pub(crate) fn without_dependencies(&self) -> Vec<u32> {
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
        let send = async |index: u32, part: usize, body: Bytes| {
            let request = program.fetch(index).request(body);
            (index, part, transport.send(request, context).await)
        };
        let mut in_flight = FuturesUnordered::new();
        loop {
            while let Some(index) = ready.pop() {
                let bodies = self.requests(index);
                if bodies.is_empty() {
                    self.release(index, &mut ready);
                }
                self.unanswered[index as usize] = bodies.len();
                let parts = bodies.into_iter().enumerate();
                in_flight.extend(parts.map(|(part, body)| send(index, part, body)));
            }
            let Some((index, part, answer)) = in_flight.next().await else { return };
            self.receive_part(index, part, answer);
            self.unanswered[index as usize] -= 1;
            if self.unanswered[index as usize] == 0 {
                self.release(index, &mut ready);
            }
        }
    }

    /// A fetch is done: those that waited only for it are ready.
    pub(crate) fn release(&mut self, index: u32, ready: &mut Vec<u32>) {
        let program = self.execution.program;
        let dependents = match &self.waves {
            None => &program.fetches[index as usize].dependents,
            Some(waves) => waves.dependents(index),
        };
        for &dependent in dependents {
            let waiting = &mut self.waiting_for[dependent as usize];
            *waiting -= 1;
            if *waiting == 0 {
                ready.push(dependent);
            }
        }
    }

    /// The request body of a fetch that is one request; `None` when there is nothing to ask.
    pub(crate) fn request(&mut self, index: u32) -> Option<Bytes> {
        self.requests(index).pop()
    }

    /// The request bodies of a fetch; none when there is nothing to ask, several only when it has contexts.
    pub(crate) fn requests(&mut self, index: u32) -> Vec<Bytes> {
        let fetch = self.execution.program.fetch(index);
        if !self.holding.holds(fetch.condition) {
            return Vec::new();
        }
        self.catch_up();
        self.note_starved(index, fetch);
        if let (Some(template), FetchProgramKind::Entities { groups, .. }) = (&fetch.template, &fetch.kind) {
            return self.contextual_requests(index, template, groups);
        }
        let mut body = Vec::with_capacity(fetch.body_start.len() + 256);
        body.extend_from_slice(&fetch.body_start);
        let mut has_variables = false;
        self.client_variables(fetch, &mut body, &mut has_variables);
        match &fetch.kind {
            FetchProgramKind::Root { at, .. } if at.is_empty() => {}
            FetchProgramKind::Root { at, .. } => {
                let positions = objects_at(&self.tree, at);
                if positions.count == 0 {
                    return Vec::new();
                }
                self.positions[index as usize] = vec![vec![(0, 0, positions)]];
            }
            FetchProgramKind::Entities { groups, .. } => {
                let mut all = Vec::with_capacity(groups.len());
                for (number, group) in groups.iter().enumerate() {
                    begin_variable(&mut body, &mut has_variables);
                    body.extend_from_slice(&group.variable_start);
                    all.push((group.key, number, self.collect((index, number), group, &mut body)));
                }
                if all.iter().all(|(_, _, positions)| positions.count == 0) {
                    return Vec::new();
                }
                self.positions[index as usize] = vec![all];
            }
        }
        body.extend_from_slice(if has_variables { b"}}" } else { b"}" });
        vec![body.into()]
    }

    /// Those of the client's variables that a fetch's document uses.
    fn client_variables(&self, fetch: &FetchProgram, body: &mut Vec<u8>, has_variables: &mut bool) {
        for (name, start) in &fetch.variables {
            if let Some(json) = self.execution.variables.get(name) {
                begin_variable(body, has_variables);
                body.extend_from_slice(start);
                body.extend_from_slice(json.as_bytes());
            }
        }
    }

    /// The requests of a fetch in which some groups depend on values from above their entities.
    fn contextual_requests(
        &mut self,
        index: u32,
        template: &Template,
        groups: &[GroupProgram],
    ) -> Vec<Bytes> {
        let mut pending: Vec<std::vec::IntoIter<Instance>> = Vec::with_capacity(groups.len());
        let mut plain: Vec<Option<(Vec<u8>, GroupPositions)>> = Vec::with_capacity(groups.len());
        for group in groups {
            let found = match &group.contexts {
                Some(contexts) => self.collect_contextual(index, group, contexts),
                None => Vec::new(),
            };
            pending.push(found.into_iter());
            plain.push(group.contexts.is_none().then(|| {
                let mut list = Vec::new();
                let positions = self.collect((index, plain.len()), group, &mut list);
                (list, positions)
            }));
        }
        let mut bodies = Vec::new();
        let mut parts = Vec::new();
        loop {
            let mut chunks: Vec<Vec<Instance>> =
                pending.iter_mut().map(|rest| rest.by_ref().take(contexts::COPIES_MAX).collect()).collect();
            let is_plain = bodies.is_empty() && plain.iter().flatten().any(|(_, found)| found.count > 0);
            if !is_plain && chunks.iter().all(Vec::is_empty) {
                break;
            }
            for (group, chunk) in groups.iter().zip(&mut chunks) {
                group.contexts.iter().for_each(|contexts| contexts.complete(chunk));
            }
            let document = template.document(|group| chunks[group].len());
            let (body, part) = self.contextual_request(index, groups, &document, chunks, &mut plain);
            bodies.push(body);
            parts.push(part);
        }
        self.positions[index as usize] = parts;
        bodies
    }

    fn contextual_request(
        &self,
        index: u32,
        groups: &[GroupProgram],
        document: &str,
        chunks: Vec<Vec<Instance>>,
        plain: &mut [Option<(Vec<u8>, GroupPositions)>],
    ) -> (Bytes, Part) {
        let mut body = br#"{"query":"#.to_vec();
        write_string(&mut body, document);
        let mut has_variables = false;
        self.client_variables(self.execution.program.fetch(index), &mut body, &mut has_variables);
        let mut part = Part::new();
        for (number, (group, chunk)) in groups.iter().zip(chunks).enumerate() {
            let Some(contexts) = &group.contexts else {
                // Groups without contexts are asked in the first request.
                let (list, positions) =
                    plain[number].take().unwrap_or_else(|| (b"[]".to_vec(), <_>::default()));
                begin_variable(&mut body, &mut has_variables);
                body.extend_from_slice(&group.variable_start);
                body.extend_from_slice(&list);
                part.push((group.key, number, positions));
                continue;
            };
            for ((copy, key), instance) in (0..).zip(group.key..).zip(chunk) {
                begin_variable(&mut body, &mut has_variables);
                write_string(&mut body, &format!("{}{}", contexts.representations, contexts::suffix(copy)));
                body.extend_from_slice(b":[");
                body.extend_from_slice(&instance.list);
                body.push(b']');
                for (variable, value) in contexts.variables.iter().zip(&instance.values) {
                    begin_variable(&mut body, &mut has_variables);
                    write_string(&mut body, &format!("{}{}", variable.name, contexts::suffix(copy)));
                    body.push(b':');
                    body.extend_from_slice(value);
                }
                part.push((key, number, instance.positions));
            }
        }
        body.extend_from_slice(if has_variables { b"}}" } else { b"}" });
        (body.into(), part)
    }

    fn collect_contextual(
        &mut self,
        index: u32,
        group: &GroupProgram,
        contexts: &ContextProgram,
    ) -> Vec<Instance> {
        if !self.holding.holds(group.condition) {
            return Vec::new();
        }
        let reader = Reader { tree: &self.tree, holding: &self.holding };
        let found = contexts::collect(reader, group, contexts, &self.hasher);
        self.fail_inputs(group, found.failed);
        if !found.beyond.is_empty() {
            let service = &self.execution.program.fetch(index).subgraph;
            let cause = self.causes.add(Cause::of_too_many_values(service));
            for node in found.beyond {
                self.fail(node, group.selection, Blame::all(cause));
            }
        }
        found.all
    }

    fn collect(
        &mut self,
        (index, number): (u32, usize),
        group: &GroupProgram,
        body: &mut Vec<u8>,
    ) -> GroupPositions {
        if !self.holding.holds(group.condition) {
            body.extend_from_slice(b"[]");
            return GroupPositions::default();
        }
        let mut asked = self.waves.as_mut().map(|waves| waves.asked(index, number)).unwrap_or_default();
        let items_max = self.waves.as_ref().and_then(|waves| waves.items_max(index, number));
        let among = Among { items_max, asked: &mut asked };
        let mut positions = collect(&mut self.tree, group, among, &self.holding, &self.hasher, body);
        if let Some(waves) = &mut self.waves {
            waves.has_asked(index, number, asked);
        }
        self.fail_inputs(group, std::mem::take(&mut positions.failed));
        positions
    }

    /// Objects for which a group cannot be asked since something it needs has failed.
    fn fail_inputs(&mut self, group: &GroupProgram, failed: Vec<(NodeId, CauseId)>) {
        for (node, cause) in failed {
            let cause = self.elsewhere(cause);
            self.fail(node, group.selection, Blame::all(cause));
        }
    }

    /// Takes in the answer of a fetch that is one request, or the lack of one.
    pub(crate) fn receive(&mut self, index: u32, answer: Result<Bytes, TransportError>) {
        self.receive_part(index, 0, answer);
    }

    /// Takes in the answer of one of a fetch's requests, or the lack of one.
    pub(crate) fn receive_part(&mut self, index: u32, number: usize, answer: Result<Bytes, TransportError>) {
        let part = self.positions[index as usize].get_mut(number).map(std::mem::take).unwrap_or_default();
        let Execution { program, limits, .. } = self.execution;
        let fetch = program.fetch(index);
        let root = match fetch.kind {
            FetchProgramKind::Root { selection, .. } | FetchProgramKind::Entities { selection, .. } => {
                selection
            }
        };
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(error) => return self.fail_fetch(index, part, Cause::of_transport(&error, &fetch.subgraph)),
        };
        let parsed = parse_answer(&mut self.tree, &bytes, &program.selections, root, &program.types, limits);
        let answer = match parsed {
            Ok(answer) => answer,
            Err(error) => return self.fail_fetch(index, part, Cause::of_answer(error, &fetch.subgraph)),
        };
        let errors = answer.errors.map_or_else(Vec::new, |range| {
            failure::read_errors(&bytes[range], &fetch.subgraph, limits.errors_max, &mut self.causes)
        });
        if matches!(&fetch.kind, FetchProgramKind::Root { at, .. } if at.is_empty()) {
            for error in errors.iter().filter(|error| !error.path.is_empty()) {
                let path = failure::root_path(&program.selections, root, &program.key_names, &error.path);
                self.causes.get_mut(error.id).fallback_path = Some(path);
            }
        }
        let Some(data) = answer.data else {
            return self.fail_with(index, part, root, &errors);
        };
        self.is_behind = !self.causes.is_empty();
        let reading = self.reading(index, root);
        for error in &errors {
            failure::mark(&mut self.tree, reading, data, error, &mut self.causes);
        }
        match &fetch.kind {
            FetchProgramKind::Root { at, .. } if at.is_empty() => {
                merge::merge_objects(&mut self.tree, Tree::ROOT, data);
            }
            FetchProgramKind::Root { selection, .. } => self.merge_below(part, fetch, *selection, data),
            FetchProgramKind::Entities { groups, .. } => self.merge_groups(index, &part, groups, data),
        }
    }

    /// Root fields of the query, for each object that asks for them below the root.
    fn merge_below(&mut self, part: Part, fetch: &FetchProgram, selection: SelectionId, data: NodeId) {
        let objects_max = self.execution.limits.objects_max;
        for (_, _, positions) in part {
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
            is_entities: matches!(program.fetch(index).kind, FetchProgramKind::Entities { .. }),
        }
    }

    fn merge_groups(&mut self, index: u32, part: &Part, groups: &[GroupProgram], data: NodeId) {
        let fetch = self.execution.program.fetch(index);
        for (key, number, positions) in part {
            let group = &groups[*number];
            if positions.count == 0 {
                continue;
            }
            let value = self.tree.get(data, Key(*key));
            let entities = merge::read_entities(&self.tree, value, positions.count).unwrap_or_else(|| {
                let cause = self.causes.add(Cause::of_answer(AnswerError::Malformed, &fetch.subgraph));
                vec![Entity::Failed(cause); positions.count as usize]
            });
            // Objects that differ by what stands above them are not one.
            let shareable =
                |target: u32| group.contexts.is_none() && group.targets[target as usize].is_shareable;
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
    fn fail_with(&mut self, index: u32, part: Part, root: SelectionId, errors: &[SubgraphError]) {
        let program = self.execution.program;
        let fetch = program.fetch(index);
        let Some(first) = errors.first() else {
            return self.fail_fetch(index, part, Cause::of_answer(AnswerError::Malformed, &fetch.subgraph));
        };
        if matches!(fetch.kind, FetchProgramKind::Entities { .. }) {
            return self.fail_positions(index, part, first.id);
        }
        let mut shared = None;
        let mut causes = Vec::new();
        for field in program.selections.fields(root) {
            let own = errors.iter().find(|error| failure::is_of_field(error, &field.name));
            let cause = match own {
                Some(error) => {
                    self.causes.get_mut(error.id).tail = error.path[1..].to_vec();
                    error.id
                }
                None if first.path.is_empty() => first.id,
                None => *shared.get_or_insert_with(|| failure::without_tail(&mut self.causes, first.id)),
            };
            causes.push((field.name.clone(), cause));
        }
        let blame = Blame::each(causes, first.id);
        for node in self.root_nodes(index, part) {
            self.fail(node, root, blame.clone());
        }
    }

    /// The objects that the answer of a root fetch is for.
    fn root_nodes(&self, index: u32, part: Part) -> Vec<NodeId> {
        match &self.execution.program.fetch(index).kind {
            FetchProgramKind::Root { at, .. } if !at.is_empty() => part
                .into_iter()
                .flat_map(|(_, _, found)| found.positions)
                .map(|position| position.node)
                .collect(),
            _ => vec![Tree::ROOT],
        }
    }

    /// No usable answer at all.
    fn fail_fetch(&mut self, index: u32, part: Part, cause: Cause) {
        let program = self.execution.program;
        let cause = self.causes.add(cause);
        match program.fetch(index).kind {
            FetchProgramKind::Root { selection, .. } => {
                for node in self.root_nodes(index, part) {
                    self.fail(node, selection, Blame::all(cause));
                }
            }
            FetchProgramKind::Entities { .. } => self.fail_positions(index, part, cause),
        }
    }

    fn fail_positions(&mut self, index: u32, part: Part, cause: CauseId) {
        let program = self.execution.program;
        let FetchProgramKind::Entities { groups, .. } = &program.fetch(index).kind else { return };
        for (_, number, positions) in part {
            for position in positions.positions {
                self.fail(position.node, groups[number].selection, Blame::all(cause));
            }
        }
    }

    fn fail(&mut self, node: NodeId, selection: SelectionId, blame: Blame) {
        failure::fail(&mut self.tree, &self.execution.program.selections, node, selection, &blame);
        self.failures.push((node, selection, blame));
    }

    /// Marks what failed fetches should have given in objects that came only after they had failed.
    pub(crate) fn catch_up(&mut self) {
        if std::mem::take(&mut self.is_behind) {
            let selections = &self.execution.program.selections;
            for (node, selection, blame) in &self.failures {
                failure::fail(&mut self.tree, selections, *node, *selection, blame);
            }
            for starved in &self.starved {
                starved.settle(&mut self.tree, selections);
            }
        }
    }

    /// A cause for another place than the error's own: what follows there is no path from here.
    fn elsewhere(&mut self, cause: CauseId) -> CauseId {
        if self.causes.get(cause).tail.is_empty() {
            cause
        } else {
            failure::without_tail(&mut self.causes, cause)
        }
    }

    /// Notes where a fetch about to be sent finds failures instead of objects.
    fn note_starved(&mut self, index: u32, fetch: &'a FetchProgram) {
        if self.causes.is_empty() {
            return;
        }
        let items_max = |group| self.waves.as_ref().and_then(|waves| waves.items_max(index, group));
        let found = starved::of_fetch(&self.tree, fetch, &self.holding, items_max);
        for starved in found {
            let cause = self.elsewhere(starved.cause);
            self.starved.push(Starved { cause, ..starved });
        }
    }

    /// Writes the response from what has arrived.
    pub(crate) fn respond(mut self) -> Bytes {
        self.catch_up();
        let Execution { program, introspection, limits, .. } = self.execution;
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
