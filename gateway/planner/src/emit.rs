//! The finished build as a plan: requests with documents, paths, representations.

use ahash::HashMap;
use apollo_compiler::{Node, ast};
use kopitiam_operation::{Conditions, NormalisedOperation, OperationKind};
use kopitiam_plan::{
    ContextSource, ContextVariable, Deferral, EntityGroup, EntityVariant, Fetch, FetchId, FetchKind,
    GroupContexts, Path, PathStep, Plan, RepresentationField, TypeTable,
};
use kopitiam_supergraph::{Supergraph, TypeSet};

use crate::{
    apart,
    conditions::{Cond, CondTable},
    contexts::ContextDraft,
    document::{Writer, relative},
    draft::{Build, DraftId, NodeId, PosId, RepField, VariantDraft},
    minify::{Body, SetId, Sets},
    pack::{Request, request_of},
    shape,
};

pub(crate) struct Emitter<'b, 'a> {
    supergraph: &'a Supergraph,
    operation: &'a NormalisedOperation,
    build: &'b Build<'a>,
    table: &'b CondTable,
    /// When anything of a fetch's selection set is wanted.
    wanted: HashMap<NodeId, Cond>,
    types: TypeTable,
}

/// Makes the plan.
pub(crate) fn plan<'a>(
    supergraph: &'a Supergraph,
    operation: &'a NormalisedOperation,
    build: &Build<'a>,
    requests: &[Request],
    table: &mut CondTable,
) -> Plan {
    let wanted = build.drafts.iter().map(|draft| (draft.node, any(build, table, draft.node))).collect();
    let any_of: Vec<Cond> = requests.iter().map(|request| any_part(build, table, &wanted, request)).collect();
    let mut emitter = Emitter { supergraph, operation, build, table, wanted, types: TypeTable::default() };
    let request_of = request_of(requests);
    let mut fetches = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let deps = request.drafts.iter().flat_map(|&draft| &build.draft(draft).deps);
        let mut depends_on: Vec<FetchId> =
            deps.map(|dep| FetchId(u32::try_from(request_of[dep]).expect("fetches fit in u32"))).collect();
        depends_on.sort();
        depends_on.dedup();
        let id = FetchId(u32::try_from(index).expect("fetches fit in u32"));
        fetches.push(emitter.fetch(id, request, depends_on, any_of[index]));
    }
    let mut keys = build.keys.clone();
    let shape = shape::shape(supergraph, operation, &mut keys, &mut emitter.types);
    let needs = apart::fetches(build, requests, operation.incremental.parts.len());
    let deferral = Deferral::new(&operation.incremental, needs);
    Plan { kind: operation.kind, fetches, keys, types: emitter.types, shape, deferral }
}

/// A group before it has a name.
struct Part {
    targets: Vec<Path>,
    variants: Vec<EntityVariant>,
    selection: kopitiam_plan::FetchSelection,
    conditions: Conditions,
    asked: SetId,
    contexts: Vec<ContextVariable>,
}

impl Emitter<'_, '_> {
    fn fetch(&mut self, id: FetchId, request: &Request, depends_on: Vec<FetchId>, conditions: Cond) -> Fetch {
        let build = self.build;
        let mut writer = Writer::new(build, self.supergraph, self.table);
        let first = build.draft(request.drafts[0]);
        let (kind, mut extra, mut contextual) = (first.operation, Vec::new(), Vec::new());
        let (root, mut kind_of_fetch) = if first.entities.is_none() {
            writer.assign_aliases(first.node);
            let root = writer.write(first.node, Cond::ALWAYS, 1);
            let selection = writer.selection(first.node);
            let nested = request.drafts.iter().map(|&draft| build.draft(draft));
            let nested = nested.filter(|draft| build.position(draft.position).parent.is_some());
            let at =
                nested.map(|draft| self.path_to(draft.position, &build.node(draft.node).possible)).collect();
            (root, FetchKind::Root { at, selection })
        } else {
            let mut parts: Vec<Part> = Vec::new();
            for &draft in &request.drafts {
                let part = self.part(id, draft, &mut writer);
                join(&mut parts, part);
            }
            contextual = contextual_sets(&parts);
            let (root, groups) = self.groups(parts, &mut writer, &mut extra);
            (root, FetchKind::Entities { groups })
        };
        let (document, variables) = self.document(kind, root, &extra, &mut writer);
        if let FetchKind::Entities { groups } = &mut kind_of_fetch {
            find_texts(groups, &contextual, &document, &writer.sets);
        }
        Fetch {
            id,
            subgraph: self.supergraph.subgraph(request.subgraph).name.clone(),
            document,
            operation: kind,
            variables,
            kind: kind_of_fetch,
            depends_on,
            conditions: self.table.get(conditions).clone(),
        }
    }

    fn part(&mut self, id: FetchId, draft: DraftId, writer: &mut Writer<'_, '_>) -> Part {
        let build = self.build;
        let found = build.draft(draft);
        let entities = found.entities.as_ref().expect("only entity fetches have parts");
        let outer = self.table.get(conditions_at(build, found.position));
        let absolute = self.wanted[&found.node];
        let contexts = self.contexts(id, &entities.contexts, writer);
        let names = contexts.iter().map(|variable| variable.name.to_string()).collect();
        writer.contextual.insert(found.node, names);
        writer.assign_aliases(found.node);
        let mut asked = writer.write(found.node, absolute, 1);
        if build.node(found.node).static_type.is_some() {
            let mut body = Body::new(None);
            body.inline(asked);
            asked = writer.sets.add(body);
        }
        let types = &build.position(found.position).types;
        Part {
            targets: vec![self.path(found.position)],
            variants: entities.variants.iter().map(|variant| self.variant(variant, types, outer)).collect(),
            selection: writer.selection(found.node),
            conditions: relative(self.table.get(absolute), outer),
            asked,
            contexts,
        }
    }

    /// The path to those objects of a position that have one of these types.
    fn path_to(&mut self, at: PosId, types: &TypeSet) -> Path {
        let mut path = self.path(at);
        if !self.build.position(at).types.is_subset(types) {
            path.0.push(PathStep::On(self.type_ids(types)));
        }
        path
    }

    fn path(&mut self, at: PosId) -> Path {
        let mut steps = Vec::new();
        let mut here = at;
        while let Some((parent, slot)) = self.build.position(here).parent {
            let position = self.build.position(parent);
            let slot = &position.slots[slot];
            steps.push(PathStep::Field(slot.key));
            if !position.types.is_subset(&slot.on) {
                steps.push(PathStep::On(self.type_ids(&slot.on.and(&position.types))));
            }
            here = parent;
        }
        steps.reverse();
        Path(steps)
    }

    fn type_ids(&mut self, types: &TypeSet) -> Vec<kopitiam_plan::TypeId> {
        types.iter().map(|ty| self.types.intern(&self.supergraph.ty(ty).name)).collect()
    }

    fn variant(&mut self, variant: &VariantDraft, types: &TypeSet, outer: &Conditions) -> EntityVariant {
        let on =
            if types.is_subset(&variant.on) { Vec::new() } else { self.type_ids(&variant.on.and(types)) };
        let typename = self.types.intern(&self.supergraph.ty(variant.typename).name);
        let fields = variant.fields.iter().map(|field| self.representation(field, outer)).collect();
        EntityVariant { on, typename, fields }
    }

    /// The variables of an entity fetch's contexts; no other fetch of the request has these names.
    fn contexts(
        &mut self,
        id: FetchId,
        contexts: &[ContextDraft<'_>],
        writer: &Writer<'_, '_>,
    ) -> Vec<ContextVariable> {
        let before: usize = writer.contextual.values().map(Vec::len).sum();
        let mut variables = Vec::with_capacity(contexts.len());
        for (index, context) in contexts.iter().enumerate() {
            let sources = context.sources.iter().map(|source| ContextSource {
                up: source.up,
                on: if source.conditional { self.type_ids(&source.on) } else { Vec::new() },
                value: source
                    .value
                    .iter()
                    .map(|field| self.representation(field, &Conditions::ALWAYS))
                    .collect(),
            });
            let sources = sources.collect();
            let name = self.free_prefix(format!("contextualArgument_{}_{}", id.0, before + index));
            variables.push(ContextVariable { name: name.into(), ty: context.ty.to_string().into(), sources });
        }
        variables
    }

    fn representation(&mut self, field: &RepField, outer: &Conditions) -> RepresentationField {
        let on = if field.conditional { self.type_ids(&field.on) } else { Vec::new() };
        RepresentationField {
            name: field.name.as_str().into(),
            source: field.source,
            on,
            is_key: field.is_key,
            conditions: relative(self.table.get(field.conditions), outer),
            selection: field.selection.iter().map(|inner| self.representation(inner, outer)).collect(),
        }
    }

    /// Writes the `_entities` fields.
    fn groups(
        &self,
        parts: Vec<Part>,
        writer: &mut Writer<'_, '_>,
        extra: &mut Vec<String>,
    ) -> (SetId, Vec<EntityGroup>) {
        let single = parts.len() == 1 && parts[0].contexts.is_empty();
        let mut body = Body::new(None);
        let mut groups = Vec::with_capacity(parts.len());
        for (index, part) in parts.into_iter().enumerate() {
            let (key, base) = if single {
                ("_entities".to_owned(), "representations".to_owned())
            } else {
                (format!("_e{index}"), format!("r{index}"))
            };
            let has_contexts = !part.contexts.is_empty();
            let variable = if has_contexts { self.free_prefix(base) } else { self.free_variable(base) };
            let alias = if single { String::new() } else { format!("{key}:") };
            body.text(&format!("{alias}_entities(representations:${variable})"));
            body.set(part.asked);
            extra.push(declarations(&variable, &part.contexts));
            groups.push(EntityGroup {
                response_key: key.into(),
                variable: variable.into(),
                targets: part.targets,
                variants: part.variants,
                selection: part.selection,
                conditions: if single { Conditions::ALWAYS } else { part.conditions },
                contexts: has_contexts.then_some(GroupContexts {
                    variables: part.contexts,
                    declarations: 0..0,
                    field: 0..0,
                }),
            });
        }
        (writer.sets.add(body), groups)
    }

    /// A name that no variable of the client has.
    fn free_variable(&self, mut name: String) -> String {
        while self.operation.variables.iter().any(|variable| variable.name == name.as_str()) {
            name.push('_');
        }
        name
    }

    /// A name that no variable of the client begins with.
    fn free_prefix(&self, mut name: String) -> String {
        while self.operation.variables.iter().any(|variable| variable.name.starts_with(&name)) {
            name.push('_');
        }
        name
    }

    fn document(
        &self,
        kind: OperationKind,
        root: SetId,
        extra: &[String],
        writer: &mut Writer<'_, '_>,
    ) -> (Box<str>, Vec<Box<str>>) {
        let mut declared: Vec<String> = extra.to_vec();
        let mut variables = Vec::new();
        for variable in &self.operation.variables {
            if writer.variables.contains(variable.name.as_str()) {
                declared.push(declaration(variable));
                variables.push(variable.name.as_str().into());
            }
        }
        let word = match kind {
            OperationKind::Query if declared.is_empty() => "",
            OperationKind::Query => "query",
            OperationKind::Mutation => "mutation",
            OperationKind::Subscription => "subscription",
        };
        let header = if declared.is_empty() { String::new() } else { format!("({})", declared.join(",")) };
        (writer.sets.document(&format!("{word}{header}"), root).into(), variables)
    }
}

/// A default makes a nullable variable usable where a value is required, so it is declared along.
fn declaration(variable: &Node<ast::VariableDefinition>) -> String {
    let default = variable.default_value.as_ref();
    let default = default.map(|value| format!("={}", value.serialize().no_indent())).unwrap_or_default();
    format!("${}:{}{default}", variable.name, variable.ty)
}

/// When any field of a selection set is wanted.
fn any(build: &Build<'_>, table: &mut CondTable, node: NodeId) -> Cond {
    let all = build.node(node).fields.iter().map(|field| field.conditions);
    all.reduce(|a, b| table.or(a, b)).unwrap_or(Cond::ALWAYS)
}

/// When any part of a request is wanted. What of it is said by the conditions of a place need not be said again.
fn any_part(
    build: &Build<'_>,
    table: &mut CondTable,
    wanted: &HashMap<NodeId, Cond>,
    request: &Request,
) -> Cond {
    let mut all: Option<Cond> = None;
    for &draft in &request.drafts {
        let draft = build.draft(draft);
        let absolute = wanted[&draft.node];
        let one = if draft.entities.is_some() {
            let outer = conditions_at(build, draft.position);
            let rest = relative(table.get(absolute), table.get(outer));
            table.intern(&rest)
        } else {
            absolute
        };
        all = Some(all.map_or(one, |all| table.or(all, one)));
    }
    all.unwrap_or(Cond::ALWAYS)
}

/// The conditions under which objects are at a position.
fn conditions_at(build: &Build<'_>, at: PosId) -> Cond {
    build
        .position(at)
        .parent
        .map_or(Cond::ALWAYS, |(parent, slot)| build.position(parent).slots[slot].conditions)
}

/// The selection sets of the parts with contexts, by their place among all parts.
fn contextual_sets(parts: &[Part]) -> Vec<(usize, SetId)> {
    let all = parts.iter().enumerate().filter(|(_, part)| !part.contexts.is_empty());
    all.map(|(index, part)| (index, part.asked)).collect()
}

/// Finds the groups with contexts in the finished document: each has a variable that no other has.
fn find_texts(groups: &mut [EntityGroup], contextual: &[(usize, SetId)], document: &str, sets: &Sets) {
    for &(index, asked) in contextual {
        let EntityGroup { response_key, variable, contexts, .. } = &mut groups[index];
        let contexts = contexts.as_mut().expect("only these are looked for");
        let range = |head: &str, rest: usize| {
            let start = document.find(head).expect("the document declares and asks every group");
            start..start + head.len() + rest
        };
        contexts.declarations = range(&declarations(variable, &contexts.variables), 0);
        let head = format!("{response_key}:_entities(representations:${variable})");
        contexts.field = range(&head, sets.text(asked).len());
    }
}

/// The declarations of a group's variables.
fn declarations(variable: &str, contexts: &[ContextVariable]) -> String {
    let mut text = format!("${variable}:[_Any!]!");
    for context in contexts {
        text.extend([",$", &*context.name, ":", &*context.ty]);
    }
    text
}

/// Entities of several paths that are asked the same are one group, de-duplicated across all of them.
fn join(parts: &mut Vec<Part>, part: Part) {
    let same = parts.iter_mut().find(|found| {
        found.asked == part.asked
            && found.contexts == part.contexts
            && found.variants == part.variants
            && found.selection == part.selection
            && found.conditions == part.conditions
    });
    match same {
        Some(found) => found.targets.extend(part.targets),
        None => parts.push(part),
    }
}
