//! A plan compiled for execution: made once with the plan, cached beside it, shared by all its requests.
//!
//! In: a [`Plan`]. Out: flat tables in which every name is already JSON and every condition a number.
//! Always: request-independent and immutable.
//! Elsewhere: the plan's meaning (`plan`), what to take from answers (`selection.rs`), which entities may be shared
//! (`sharing.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use kopitiam_plan::{
    Conditions, Deferral, EntityGroup, Fetch, FetchKind, Key, KeyTable, LeafKind, OperationKind, PartId,
    Path, Plan, RepresentationField, ResponseShape, ShapeField, ShapeSource, ShapeType, ShapeValue, StreamOf,
    TypeId, TypeTable,
};

use crate::contexts::{self, ContextProgram, Template};
use crate::json::write_string;
use crate::selection::{SelectionId, Selections};
use crate::sharing;
use crate::transport::{Cacheable, EntityField, SubgraphRequest};
use crate::tree::{RuntimeType, index_of};
use crate::variables::Variables;

/// A compiled plan. See the module's header.
#[derive(Debug)]
pub struct Program {
    pub(crate) kind: OperationKind,
    pub(crate) fetches: Vec<FetchProgram>,
    pub(crate) selections: Selections,
    pub(crate) shape: ShapeProgram,
    pub(crate) types: TypeNames,
    pub(crate) conditions: ConditionTable,
    pub(crate) deferral: Deferral,
    pub(crate) key_names: Vec<Box<str>>,
}

/// One subgraph request.
#[derive(Debug)]
pub(crate) struct FetchProgram {
    pub(crate) subgraph: Box<str>,
    pub(crate) operation: OperationKind,
    /// The request body up to the document's end: `{"query":"…"`.
    pub(crate) body_start: Box<[u8]>,
    /// Client variables to pass on, with the member's beginning: `"name":`.
    pub(crate) variables: Vec<(Box<str>, Box<[u8]>)>,
    pub(crate) kind: FetchProgramKind,
    /// The document to make for each request when there are contexts.
    pub(crate) template: Option<Template>,
    /// What a cache has to know of it; `None` for every one of a mutation or a subscription, whose client is told what has
    /// just changed, and for one with values from above its entities, whose document is made for each request.
    pub(crate) cacheable: Option<Cacheable>,
    pub(crate) dependents: Vec<u32>,
    pub(crate) dependency_count: u32,
    pub(crate) condition: ConditionId,
}

/// Where a fetch starts.
#[derive(Debug)]
pub(crate) enum FetchProgramKind {
    Root {
        /// Where the answer goes; nowhere else than to the root of the tree when there is no path.
        at: Vec<Path>,
        selection: SelectionId,
    },
    Entities {
        /// The answer's `data`: keys for each group.
        selection: SelectionId,
        groups: Vec<GroupProgram>,
    },
}

/// One `_entities` field.
#[derive(Debug)]
pub(crate) struct GroupProgram {
    /// `"representations":`.
    pub(crate) variable_start: Box<[u8]>,
    pub(crate) targets: Vec<TargetProgram>,
    pub(crate) variants: Vec<VariantProgram>,
    pub(crate) selection: SelectionId,
    pub(crate) condition: ConditionId,
    pub(crate) contexts: Option<ContextProgram>,
    /// The key of the group in the answer; those of its copies follow.
    pub(crate) key: u32,
}

/// A path to entities.
#[derive(Debug)]
pub(crate) struct TargetProgram {
    pub(crate) path: Path,
    /// Equal entities at this path may be one object of the tree.
    pub(crate) is_shareable: bool,
}

/// A representation's form.
#[derive(Debug)]
pub(crate) struct VariantProgram {
    pub(crate) on: Vec<TypeId>,
    /// `{"__typename":"Name"`.
    pub(crate) start: Box<[u8]>,
    pub(crate) fields: Vec<RepresentationProgram>,
}

/// A field of a representation.
#[derive(Debug)]
pub(crate) struct RepresentationProgram {
    /// `"name":`.
    pub(crate) start: Box<[u8]>,
    pub(crate) source: Key,
    pub(crate) on: Vec<TypeId>,
    pub(crate) is_key: bool,
    pub(crate) condition: ConditionId,
    pub(crate) fields: Vec<RepresentationProgram>,
}

/// A selection set of the client's response: an index into [`ShapeProgram`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ObjectShapeId(u32);

/// The client's response.
#[derive(Debug)]
pub(crate) struct ShapeProgram {
    pub(crate) root: ObjectShapeId,
    objects: Vec<ObjectShape>,
    fields: Vec<FieldShape>,
    /// Whether fields are told apart by the part of the response that they are in.
    has_parts: bool,
}

#[derive(Debug)]
struct ObjectShape {
    fields: std::ops::Range<u32>,
    possible_types: Box<[TypeId]>,
    needs_type: bool,
    /// The parts of its fields, when there are several parts of the response.
    parts: Box<[PartId]>,
}

/// A field of the client's response.
#[derive(Debug)]
pub(crate) struct FieldShape {
    /// `"key":`.
    pub(crate) start: Box<[u8]>,
    pub(crate) response_key: Box<str>,
    /// `Type.field`, for messages.
    pub(crate) coordinate: Box<str>,
    pub(crate) source: ShapeSource,
    pub(crate) on: Box<[TypeId]>,
    pub(crate) condition: ConditionId,
    pub(crate) value_type: ShapeType,
    pub(crate) value: ValueShape,
    pub(crate) part: PartId,
    pub(crate) stream: StreamOf,
    /// Its own index in the [`ShapeProgram`].
    pub(crate) id: FieldShapeId,
}

/// A field of the client's response: an index into [`ShapeProgram`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldShapeId(u32);

/// What stands in a field.
#[derive(Debug)]
pub(crate) enum ValueShape {
    Leaf(LeafCoercion),
    Object(ObjectShapeId),
}

/// How a leaf is checked. As the plan's `LeafKind`, but enum values are in quotes already.
#[derive(Debug)]
pub(crate) enum LeafCoercion {
    Int,
    Float,
    String,
    Boolean,
    Id,
    Custom,
    Enum(Vec<Box<[u8]>>),
}

/// A condition of the plan: an index into its [`ConditionTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConditionId(u32);

/// The distinct conditions of a plan; evaluated once for each request.
#[derive(Debug, Default)]
pub(crate) struct ConditionTable(Vec<(Conditions, Option<PartId>)>);

impl ConditionTable {
    fn intern(&mut self, conditions: &Conditions) -> ConditionId {
        self.intern_in(conditions, None)
    }

    /// A condition that holds only while this part of the response is written.
    fn intern_in(&mut self, conditions: &Conditions, part: Option<PartId>) -> ConditionId {
        let known = self.0.iter().position(|(known, of)| known == conditions && *of == part);
        let index = known.unwrap_or_else(|| {
            self.0.push((conditions.clone(), part));
            self.0.len() - 1
        });
        ConditionId(index_of(index))
    }

    pub(crate) fn evaluate(&self, variables: &Variables, part: PartId) -> Holding {
        let holds = |(conditions, of): &(Conditions, Option<PartId>)| {
            of.is_none_or(|of| of == part) && conditions.holds(|name| variables.is_true(name))
        };
        Holding(self.0.iter().map(holds).collect())
    }
}

/// Which conditions hold in one request.
#[derive(Debug)]
pub(crate) struct Holding(Vec<bool>);

impl Holding {
    #[inline]
    pub(crate) fn holds(&self, id: ConditionId) -> bool {
        self.0[id.0 as usize]
    }
}

/// From the name in an answer's `__typename` to the plan's id.
#[derive(Debug, Default)]
pub(crate) struct TypeNames(HashMap<Box<[u8]>, TypeId, ahash::RandomState>);

impl TypeNames {
    fn new(types: &TypeTable) -> Self {
        let ids = (0..index_of(types.len())).map(TypeId);
        Self(ids.map(|id| (types.name(id).as_bytes().into(), id)).collect())
    }

    #[inline]
    pub(crate) fn lookup(&self, name: &[u8]) -> RuntimeType {
        self.0.get(name).map_or(RuntimeType::Unmentioned, |&id| RuntimeType::Known(id))
    }
}

impl FetchProgram {
    /// One of its requests.
    pub(crate) fn request(&self, body: Bytes) -> SubgraphRequest<'_> {
        let is_mutation = self.operation == OperationKind::Mutation;
        SubgraphRequest { subgraph: &self.subgraph, body, is_mutation, cacheable: self.cacheable.as_ref() }
    }
}

impl ShapeProgram {
    pub(crate) fn fields(&self, id: ObjectShapeId) -> &[FieldShape] {
        let range = &self.objects[id.0 as usize].fields;
        &self.fields[range.start as usize..range.end as usize]
    }

    pub(crate) fn field(&self, id: FieldShapeId) -> &FieldShape {
        &self.fields[id.0 as usize]
    }

    /// The parts of an object's fields; none when the response has one part only.
    pub(crate) fn parts(&self, id: ObjectShapeId) -> &[PartId] {
        &self.objects[id.0 as usize].parts
    }

    /// Whether the runtime type decides what is written.
    pub(crate) fn needs_type(&self, id: ObjectShapeId) -> bool {
        self.objects[id.0 as usize].needs_type
    }

    /// The types that may stand there; empty when any may.
    pub(crate) fn possible_types(&self, id: ObjectShapeId) -> &[TypeId] {
        &self.objects[id.0 as usize].possible_types
    }
}

impl Program {
    /// Compiles a plan.
    pub fn new(plan: &Plan) -> Self {
        let mut selections = Selections::new(sharing::equal_objects(plan));
        let mut conditions = ConditionTable::default();
        let shareable = sharing::analyse(plan);
        let mut fetches: Vec<_> = plan
            .fetches
            .iter()
            .zip(shareable)
            .map(|(fetch, shareable)| {
                compile_fetch(fetch, &shareable, &plan.types, &mut selections, &mut conditions)
            })
            .collect();
        selections.seal();
        for (compiled, fetch) in fetches.iter_mut().zip(&plan.fetches) {
            let may_be_kept = plan.kind == OperationKind::Query && compiled.template.is_none();
            compiled.cacheable = may_be_kept
                .then(|| Cacheable { schema: Arc::default(), entities: entity_fields(&fetch.kind) });
        }
        for (index, fetch) in plan.fetches.iter().enumerate() {
            for dependency in &fetch.depends_on {
                fetches[dependency.0 as usize].dependents.push(index_of(index));
            }
        }
        Self {
            kind: plan.kind,
            fetches,
            selections,
            shape: compile_shape(&plan.shape, !plan.deferral.parts.is_empty(), &mut conditions),
            deferral: plan.deferral.clone(),
            types: TypeNames::new(&plan.types),
            conditions,
            key_names: key_names(&plan.keys),
        }
    }

    /// Names the schema that the plan was made for, to whoever keeps answers.
    #[must_use]
    pub fn of_schema(mut self, schema: &Arc<str>) -> Self {
        for cacheable in self.fetches.iter_mut().filter_map(|fetch| fetch.cacheable.as_mut()) {
            cacheable.schema = Arc::clone(schema);
        }
        self
    }

    /// The fetch of a sending: see [`crate::waves`].
    pub(crate) fn fetch(&self, sending: u32) -> &FetchProgram {
        &self.fetches[sending as usize % self.fetches.len()]
    }

    /// What kind of operation this answers.
    pub fn kind(&self) -> OperationKind {
        self.kind
    }

    /// Whether anything of the response may be delivered later than the rest.
    pub fn is_incremental(&self) -> bool {
        !self.deferral.is_empty()
    }
}

fn key_names(keys: &KeyTable) -> Vec<Box<str>> {
    (0..index_of(keys.len())).map(|index| keys.name(Key(index)).into()).collect()
}

pub(crate) fn member_start(name: &str) -> Box<[u8]> {
    let mut start = Vec::with_capacity(name.len() + 3);
    write_string(&mut start, name);
    start.push(b':');
    start.into()
}

fn compile_fetch(
    fetch: &Fetch,
    shareable: &[Vec<bool>],
    types: &TypeTable,
    selections: &mut Selections,
    conditions: &mut ConditionTable,
) -> FetchProgram {
    let mut body_start = br#"{"query":"#.to_vec();
    write_string(&mut body_start, &fetch.document);
    let kind = match &fetch.kind {
        FetchKind::Root { at, selection } => {
            FetchProgramKind::Root { at: at.clone(), selection: selections.compile(selection) }
        }
        FetchKind::Entities { groups } => {
            let names = groups.iter().map(|group| {
                let copies = if group.contexts.is_some() { contexts::COPIES_MAX } else { 1 };
                (&*group.response_key, &group.selection, copies)
            });
            let (selection, ids) = selections.compile_groups(names);
            let groups = groups.iter().zip(ids).zip(shareable);
            let compile =
                |((group, (key, id)), shareable): ((&EntityGroup, (u32, SelectionId)), &Vec<bool>)| {
                    GroupProgram {
                        variable_start: member_start(&group.variable),
                        targets: compile_targets(group, shareable),
                        variants: compile_variants(group, types, conditions),
                        selection: id,
                        condition: conditions.intern(&group.conditions),
                        contexts: contexts::compile(group, conditions),
                        key,
                    }
                };
            FetchProgramKind::Entities { selection, groups: groups.map(compile).collect() }
        }
    };
    FetchProgram {
        subgraph: fetch.subgraph.clone(),
        operation: fetch.operation,
        body_start: body_start.into(),
        variables: fetch.variables.iter().map(|name| (name.clone(), member_start(name))).collect(),
        kind,
        template: Template::of(fetch),
        cacheable: None,
        dependents: Vec::new(),
        dependency_count: index_of(fetch.depends_on.len()),
        condition: conditions.intern(&fetch.conditions),
    }
}

fn entity_fields(kind: &FetchKind) -> Vec<EntityField> {
    let FetchKind::Entities { groups } = kind else { return Vec::new() };
    let field = |group: &EntityGroup| EntityField {
        response_key: group.response_key.clone(),
        variable: group.variable.clone(),
    };
    groups.iter().map(field).collect()
}

fn compile_targets(group: &EntityGroup, shareable: &[bool]) -> Vec<TargetProgram> {
    let targets = group.targets.iter().zip(shareable);
    targets.map(|(path, &is_shareable)| TargetProgram { path: path.clone(), is_shareable }).collect()
}

fn compile_variants(
    group: &EntityGroup,
    types: &TypeTable,
    conditions: &mut ConditionTable,
) -> Vec<VariantProgram> {
    let compile = |variant: &kopitiam_plan::EntityVariant| {
        let mut start = br#"{"__typename":"#.to_vec();
        write_string(&mut start, types.name(variant.typename));
        VariantProgram {
            on: variant.on.clone(),
            start: start.into(),
            fields: compile_representation(&variant.fields, conditions),
        }
    };
    group.variants.iter().map(compile).collect()
}

pub(crate) fn compile_representation(
    fields: &[RepresentationField],
    conditions: &mut ConditionTable,
) -> Vec<RepresentationProgram> {
    let compile = |field: &RepresentationField| RepresentationProgram {
        start: member_start(&field.name),
        source: field.source,
        on: field.on.clone(),
        is_key: field.is_key,
        condition: conditions.intern(&field.conditions),
        fields: compile_representation(&field.selection, conditions),
    };
    fields.iter().map(compile).collect()
}

fn compile_shape(shape: &ResponseShape, has_parts: bool, conditions: &mut ConditionTable) -> ShapeProgram {
    let root = ObjectShapeId(0);
    let mut program = ShapeProgram { root, objects: Vec::new(), fields: Vec::new(), has_parts };
    program.add_object(&shape.fields, &[], conditions);
    program
}

impl ShapeProgram {
    fn add_object(
        &mut self,
        fields: &[ShapeField],
        possible_types: &[TypeId],
        conditions: &mut ConditionTable,
    ) -> ObjectShapeId {
        let id = ObjectShapeId(index_of(self.objects.len()));
        let needs_type = !possible_types.is_empty() || fields.iter().any(|field| !field.on.is_empty());
        let parts = if self.has_parts { parts_of(fields) } else { Box::default() };
        let possible_types = possible_types.into();
        self.objects.push(ObjectShape { fields: 0..0, possible_types, needs_type, parts });
        let mut compiled: Vec<_> = fields.iter().map(|field| self.compile_field(field, conditions)).collect();
        let start = index_of(self.fields.len());
        for (id, field) in (start..).zip(&mut compiled) {
            field.id = FieldShapeId(id);
        }
        self.fields.extend(compiled);
        self.objects[id.0 as usize].fields = start..index_of(self.fields.len());
        id
    }

    fn compile_field(&mut self, field: &ShapeField, conditions: &mut ConditionTable) -> FieldShape {
        let value = match &field.value {
            ShapeValue::Leaf(kind) => ValueShape::Leaf(compile_leaf(kind)),
            ShapeValue::Object { fields, possible_types } => {
                ValueShape::Object(self.add_object(fields, possible_types, conditions))
            }
        };
        FieldShape {
            start: member_start(&field.response_key),
            response_key: field.response_key.clone(),
            coordinate: format!("{}.{}", field.parent_type, field.field_name).into(),
            source: field.source.clone(),
            on: field.on.clone().into(),
            condition: conditions.intern_in(&field.conditions, self.has_parts.then_some(field.part)),
            value_type: field.value_type.clone(),
            value,
            part: field.part,
            stream: field.stream.clone(),
            id: FieldShapeId(0),
        }
    }
}

fn parts_of(fields: &[ShapeField]) -> Box<[PartId]> {
    let mut parts: Vec<PartId> = fields.iter().map(|field| field.part).collect();
    parts.sort_unstable();
    parts.dedup();
    parts.into()
}

fn compile_leaf(kind: &LeafKind) -> LeafCoercion {
    match kind {
        LeafKind::Int => LeafCoercion::Int,
        LeafKind::Float => LeafCoercion::Float,
        LeafKind::String => LeafCoercion::String,
        LeafKind::Boolean => LeafCoercion::Boolean,
        LeafKind::Id => LeafCoercion::Id,
        LeafKind::Custom => LeafCoercion::Custom,
        LeafKind::Enum(values) => {
            let quoted = values.iter().map(|value| format!("\"{value}\"").into_bytes().into_boxed_slice());
            LeafCoercion::Enum(quoted.collect())
        }
    }
}
