//! Hand-built plans in a short notation, and a transport that answers from a script.
//!
//! Selections: `id name reviews{body}`; `alias=key` takes the answer's `alias` as the tree's `key`.
//! Shapes: `name:String! reviews:[Review!]{body:String}`; `alias=key:Type` reads `key`; `@A|B` admits only those runtime
//! types, `?v` needs the variable `$v` to be true; `Color(RED|GREEN)` is an enum; other unknown names are custom scalars.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses its part, and only in tests"
)]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use kopitiam_executor::transport::{SubgraphRequest, SubgraphTransport, TransportError};
use kopitiam_executor::{AnswerLimits, Execution, Program, Subscription, Variables, run};
use kopitiam_plan::{
    ConditionLiteral, Conditions, EntityGroup, EntityVariant, Fetch, FetchField, FetchId, FetchKind,
    FetchSelection, LeafKind, OperationKind, Path, PathStep, Plan, RepresentationField, ResponseShape,
    ShapeField, ShapeSource, ShapeType, ShapeValue,
};
use serde_json::Value as Json;

/// Builds a plan step by step.
pub struct PlanBuilder(pub Plan);

impl PlanBuilder {
    pub fn query(shape: &str) -> Self {
        Self::new(OperationKind::Query, shape)
    }

    pub fn new(kind: OperationKind, shape: &str) -> Self {
        let mut plan = Plan {
            kind,
            fetches: Vec::new(),
            keys: kopitiam_plan::KeyTable::default(),
            types: kopitiam_plan::TypeTable::default(),
            shape: ResponseShape::default(),
            deferral: kopitiam_plan::Deferral::default(),
        };
        plan.shape =
            ResponseShape { root_type: "Query".into(), fields: Reader::new(shape).shape(&mut plan, "Query") };
        Self(plan)
    }

    pub fn root(mut self, subgraph: &str, selection: &str) -> Self {
        let selection = Reader::new(selection).selection(&mut self.0);
        self.push(subgraph, FetchKind::Root { at: Vec::new(), selection }, &[]);
        self
    }

    /// Root fields of the query for the objects at a path, or at several with spaces between them.
    pub fn root_at(mut self, subgraph: &str, at: &str, selection: &str, after: &[u32]) -> Self {
        let at = at.split(' ').map(|path| self.path(path)).collect();
        let selection = Reader::new(selection).selection(&mut self.0);
        self.push(subgraph, FetchKind::Root { at, selection }, after);
        self
    }

    /// An entity fetch of one group. `targets` are `products.reviews` or `items@Book.author`; `on` the types with
    /// their key, `Product(id)` or `Product(id !weight?v)`, where `!` is a required field that may be null, and `?v`
    /// one that is sent only when `$v` is true.
    pub fn entities(
        mut self,
        subgraph: &str,
        targets: &[&str],
        on: &str,
        selection: &str,
        after: &[u32],
    ) -> Self {
        let group = self.group("_entities", "representations", targets, on, selection);
        self.push(subgraph, FetchKind::Entities { groups: vec![group] }, after);
        self
    }

    /// Two groups in one request.
    pub fn two_groups(mut self, subgraph: &str, groups: [(&[&str], &str, &str); 2], after: &[u32]) -> Self {
        let [first, second] = groups;
        let groups = vec![
            self.group("_e0", "r0", first.0, first.1, first.2),
            self.group("_e1", "r1", second.0, second.1, second.2),
        ];
        self.push(subgraph, FetchKind::Entities { groups }, after);
        self
    }

    /// The latest fetch needs this variable to be true.
    pub fn only_if(mut self, variable: &str) -> Self {
        self.0.fetches.last_mut().unwrap().conditions = is_true(variable);
        self
    }

    /// The latest fetch comes after another one, and passes on these variables.
    pub fn with(mut self, after: &[u32], variables: &[&str]) -> Self {
        let fetch = self.0.fetches.last_mut().unwrap();
        fetch.depends_on = after.iter().copied().map(FetchId).collect();
        fetch.variables = variables.iter().map(|&name| name.into()).collect();
        fetch.operation = self.0.kind;
        self
    }

    fn push(&mut self, subgraph: &str, kind: FetchKind, after: &[u32]) {
        let id = FetchId(u32::try_from(self.0.fetches.len()).unwrap());
        self.0.fetches.push(Fetch {
            id,
            subgraph: subgraph.into(),
            document: format!("{{{subgraph}\"{}}}", id.0).into(),
            operation: OperationKind::Query,
            variables: Vec::new(),
            kind,
            depends_on: after.iter().copied().map(FetchId).collect(),
            conditions: Conditions::ALWAYS,
        });
    }

    fn group(
        &mut self,
        key: &str,
        variable: &str,
        targets: &[&str],
        on: &str,
        selection: &str,
    ) -> EntityGroup {
        EntityGroup {
            response_key: key.into(),
            variable: variable.into(),
            targets: targets.iter().map(|target| self.path(target)).collect(),
            variants: on.split(';').map(|variant| self.variant(variant)).collect(),
            selection: Reader::new(selection).selection(&mut self.0),
            conditions: Conditions::ALWAYS,
            contexts: None,
        }
    }

    fn path(&mut self, text: &str) -> Path {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let mut names = part.split('@');
            steps.push(PathStep::Field(self.0.keys.intern(names.next().unwrap())));
            for types in names {
                steps.push(PathStep::On(types.split('|').map(|name| self.0.types.intern(name)).collect()));
            }
        }
        Path(steps)
    }

    fn variant(&mut self, text: &str) -> EntityVariant {
        let (name, fields) = text.trim().strip_suffix(')').unwrap().split_once('(').unwrap();
        let id = self.0.types.intern(name);
        EntityVariant { on: vec![id], typename: id, fields: Reader::new(fields).representation(&mut self.0) }
    }
}

fn is_true(variable: &str) -> Conditions {
    Conditions(vec![vec![ConditionLiteral { variable: variable.into(), expected: true }]])
}

struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text: text.trim() }
    }

    fn eat(&mut self, token: char) -> bool {
        self.text = self.text.trim_start();
        if let Some(rest) = self.text.strip_prefix(token) {
            self.text = rest;
            return true;
        }
        false
    }

    fn at_end(&mut self) -> bool {
        self.text = self.text.trim_start();
        self.text.is_empty() || self.text.starts_with('}')
    }

    fn word(&mut self) -> &'a str {
        self.text = self.text.trim_start();
        let end = self.text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.text.len());
        assert!(end > 0, "a name is expected at {:?}", self.text);
        let (word, rest) = self.text.split_at(end);
        self.text = rest;
        word
    }

    fn selection(&mut self, plan: &mut Plan) -> FetchSelection {
        let mut fields = Vec::new();
        while !self.at_end() {
            let response_key = self.word();
            let key = plan.keys.intern(if self.eat('=') { self.word() } else { response_key });
            let selection = self.eat('{').then(|| self.selection(plan));
            assert!(selection.is_none() || self.eat('}'));
            fields.push(FetchField { response_key: response_key.into(), key, selection });
        }
        FetchSelection { fields }
    }

    fn representation(&mut self, plan: &mut Plan) -> Vec<RepresentationField> {
        let mut fields = Vec::new();
        while !self.at_end() {
            let is_key = !self.eat('!');
            let name = self.word();
            let source = plan.keys.intern(name);
            let conditions = if self.eat('?') { is_true(self.word()) } else { Conditions::ALWAYS };
            let selection = if self.eat('{') { self.representation(plan) } else { Vec::new() };
            assert!(selection.is_empty() || self.eat('}'));
            fields.push(RepresentationField {
                name: name.into(),
                source,
                on: Vec::new(),
                is_key,
                conditions,
                selection,
            });
        }
        fields
    }

    fn shape(&mut self, plan: &mut Plan, parent: &str) -> Vec<ShapeField> {
        let mut fields = Vec::new();
        while !self.at_end() {
            fields.push(self.shape_field(plan, parent));
        }
        fields
    }

    fn shape_field(&mut self, plan: &mut Plan, parent: &str) -> ShapeField {
        let response_key = self.word();
        let name = if self.eat('=') { self.word() } else { response_key };
        assert!(self.eat(':'));
        let (value_type, base, values) = self.shape_type();
        let mut on = Vec::new();
        if self.eat('@') {
            on.push(plan.types.intern(self.word()));
            while self.eat('|') {
                on.push(plan.types.intern(self.word()));
            }
        }
        let conditions = if self.eat('?') { is_true(self.word()) } else { Conditions::ALWAYS };
        let value = if self.eat('{') {
            let fields = self.shape(plan, base);
            assert!(self.eat('}'));
            ShapeValue::Object { fields, possible_types: Vec::new() }
        } else {
            ShapeValue::Leaf(leaf(base, values))
        };
        let source = match name {
            "__typename" => ShapeSource::Typename(None),
            "__schema" => ShapeSource::Introspection,
            name => ShapeSource::Key(plan.keys.intern(name)),
        };
        ShapeField {
            response_key: response_key.into(),
            field_name: name.into(),
            parent_type: parent.into(),
            source,
            on,
            conditions,
            value_type,
            value,
            part: kopitiam_plan::PartId::FIRST,
            stream: None,
        }
    }

    fn shape_type(&mut self) -> (ShapeType, &'a str, Vec<Box<str>>) {
        if self.eat('[') {
            let (item, base, values) = self.shape_type();
            assert!(self.eat(']'));
            return (ShapeType::List { nullable: !self.eat('!'), item: Box::new(item) }, base, values);
        }
        let base = self.word();
        let mut values = Vec::new();
        if self.eat('(') {
            while !self.eat(')') {
                values.push(self.word().into());
                self.eat('|');
            }
        }
        (ShapeType::Named { nullable: !self.eat('!') }, base, values)
    }
}

fn leaf(base: &str, values: Vec<Box<str>>) -> LeafKind {
    match base {
        "Int" => LeafKind::Int,
        "Float" => LeafKind::Float,
        "String" => LeafKind::String,
        "Boolean" => LeafKind::Boolean,
        "ID" => LeafKind::Id,
        _ if !values.is_empty() => LeafKind::Enum(values),
        _ => LeafKind::Custom,
    }
}

type Answer = Result<String, TransportError>;
type Answering = Box<dyn Fn(&str, &Json) -> Answer + Send + Sync>;

/// Answers by a script and remembers what it was asked.
pub struct Script {
    answer: Answering,
    events: Vec<Answer>,
    pub requests: Mutex<Vec<String>>,
}

impl Script {
    /// `answers` are pairs of subgraph and answer; each is used once, in order for each subgraph.
    pub fn new(answers: &[(&str, &str)]) -> Self {
        let answers: Vec<_> =
            answers.iter().map(|(name, json)| ((*name).to_owned(), (*json).to_owned())).collect();
        let used = Mutex::new(vec![false; answers.len()]);
        Self::with(move |subgraph, _| {
            let mut used = used.lock().unwrap();
            let next =
                answers.iter().enumerate().position(|(index, (name, _))| name == subgraph && !used[index]);
            let index = next.ok_or(TransportError::Unreachable)?;
            used[index] = true;
            Ok(answers[index].1.clone())
        })
    }

    pub fn with(answer: impl Fn(&str, &Json) -> Answer + Send + Sync + 'static) -> Self {
        Self { answer: Box::new(answer), events: Vec::new(), requests: Mutex::new(Vec::new()) }
    }

    pub fn events(mut self, events: Vec<Answer>) -> Self {
        self.events = events;
        self
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn note(&self, request: &SubgraphRequest<'_>) -> Json {
        let body = std::str::from_utf8(&request.body).unwrap();
        self.requests.lock().unwrap().push(format!("{} {body}", request.subgraph));
        serde_json::from_str(body).expect("a request body is JSON")
    }
}

impl SubgraphTransport for Script {
    type Context = ();

    async fn send(&self, request: SubgraphRequest<'_>, (): &()) -> Result<Bytes, TransportError> {
        let body = self.note(&request);
        tokio::task::yield_now().await;
        (self.answer)(request.subgraph, &body).map(Bytes::from)
    }

    async fn subscribe(
        &self,
        request: SubgraphRequest<'_>,
        (): &(),
    ) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
        self.note(&request);
        if self.events.is_empty() {
            return Err(TransportError::Unreachable);
        }
        Ok(stream::iter(self.events.clone()).map(|event| event.map(Bytes::from)).boxed())
    }
}

pub fn variables(entries: &[(&str, &str)]) -> Variables {
    Variables::new(entries.iter().map(|&(name, json)| (name.into(), json.into())))
}

/// Runs a plan; gives the response's text.
pub async fn respond(plan: &PlanBuilder, script: &Script, entries: &[(&str, &str)]) -> String {
    respond_within(plan, script, entries, &AnswerLimits::default()).await
}

pub async fn respond_within(
    plan: &PlanBuilder,
    script: &Script,
    entries: &[(&str, &str)],
    limits: &AnswerLimits,
) -> String {
    let program = Program::new(&plan.0);
    let introspection = [("__schema".into(), r#"{"queryType":{"name":"Query"}}"#.into())];
    let execution = Execution {
        program: &program,
        variables: &variables(entries),
        introspection: &introspection,
        limits,
    };
    let body = run(execution, script, &()).await;
    let text = String::from_utf8(body.to_vec()).expect("a response is UTF-8");
    serde_json::from_str::<serde::de::IgnoredAny>(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    text
}

/// Subscribes; gives all responses, or the refusal.
pub async fn stream(plan: &PlanBuilder, script: Script) -> Result<Vec<String>, String> {
    let subscription = Subscription {
        program: Arc::new(Program::new(&plan.0)),
        variables: Variables::default(),
        limits: AnswerLimits::default(),
        transport: Arc::new(script),
        context: (),
    };
    let text = |body: Bytes| String::from_utf8(body.to_vec()).unwrap();
    let mut source = subscription.open(subscription.source().as_ref()).await.map_err(text)?;
    let mut responses = Vec::new();
    while let Some(event) = source.next().await {
        responses.push(text(subscription.respond(event).await));
    }
    Ok(responses)
}
