//! The made-up data that all subgraphs of a simulation and its oracle share.
//!
//! In: a supergraph and its subgraphs. Out: for an object, a field and arguments, a value; always the same one.
//! A value is one that every subgraph which may be asked could give: nullable only if it is so everywhere, of a runtime
//! type that all of them know. Keys are never null and tell entities apart; what is required never fails.
//! What may not be null fails only where that reaches equally far in the gateway and in one server.
//!
//! Elsewhere: arguments (`arguments.rs`), who may be asked what (`strict.rs`), the whole as one server (`monolith.rs`).

use std::collections::{HashMap, HashSet};

use apollo_compiler::Schema;
use apollo_compiler::ast::{self, OperationType, Type};
use apollo_compiler::schema::{ExtendedType, FieldDefinition, ObjectType};
use apollo_compiler::validation::Valid;
use serde_json::{Map, Value as Json, json};

use super::contexts::Contexts;
use super::federation::{FieldSet, SetItem, Subgraph};
use super::missing;
use super::nature::Nature;

/// Entities of each type.
const ENTITIES: usize = 4;
/// Events of a stream.
const EVENTS: usize = 3;

/// An object of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thing {
    /// Its object type.
    pub(crate) ty: String,
    /// What tells it from all others.
    pub(crate) id: String,
    /// Which entity of its type it is.
    pub(crate) index: Option<usize>,
}

/// A field's value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Leaf(Json),
    Object(Thing),
    List(Vec<Value>),
    /// The field, or the item of a list, fails.
    Failed(String),
}

#[derive(Debug)]
struct FieldFacts {
    /// As strict as the strictest definition.
    ty: Type,
    /// Runtime types that all who resolve it know.
    possible: Vec<String>,
    /// Enum values that all who resolve it know.
    values: Vec<String>,
    /// Part of a key: never null.
    is_key: bool,
    /// Part of a key or required: never fails.
    is_needed: bool,
    /// A field of an interface object that no key leads to: it is asked for objects of all types, also where the client
    /// wants those of one.
    is_asked_blindly: bool,
    /// The subgraph without which there is no value, where that may not know the entity.
    only_in: Option<String>,
}

/// All data of one simulation.
#[derive(Debug)]
pub(crate) struct Universe {
    pub(crate) supergraph: Schema,
    pub(crate) api: Valid<Schema>,
    facts: HashMap<(String, String), FieldFacts>,
    entities: HashSet<String>,
    /// Types whose keys are keys of an interface too, so that they must differ between its types.
    by_interface: HashSet<String>,
    nature: Nature,
    /// Whether what may not be null may fail.
    bubbles: bool,
    /// Types and subgraphs that may not know an entity of theirs: see `missing.rs`.
    forgetful: HashSet<(String, String)>,
    /// Whether some field must have an object and no type fits all who resolve it: no data are right then.
    pub(crate) is_contradictory: bool,
    pub(crate) contexts: Contexts,
}

impl Universe {
    pub(crate) fn new(
        supergraph_sdl: &str,
        api: Valid<Schema>,
        subgraphs: &[Subgraph],
        nature: Nature,
    ) -> Self {
        let builder = Schema::builder().adopt_orphan_extensions().parse(supergraph_sdl, "supergraph.graphql");
        let supergraph = builder.build().unwrap_or_else(|refused| refused.partial);
        let mut universe = Self {
            supergraph,
            api,
            facts: HashMap::new(),
            entities: HashSet::new(),
            by_interface: HashSet::new(),
            nature,
            bubbles: true,
            forgetful: HashSet::new(),
            is_contradictory: false,
            contexts: Contexts::of(subgraphs),
        };
        universe.collect_facts(subgraphs);
        universe.collect_keys(subgraphs);
        for (setter, set) in universe.contexts.selected() {
            universe.mark(&setter, &set, false);
        }
        universe.collect_forgetful(subgraphs);
        universe
    }

    /// The object that root fields belong to.
    pub(crate) fn root(&self, kind: OperationType) -> Thing {
        let name = self.supergraph.root_operation(kind).cloned().unwrap_or_else(|| kind.default_type_name());
        Thing { ty: name.to_string(), id: name.to_string(), index: None }
    }

    /// The objects that root fields belong to: one, or one for each event of a stream.
    pub(crate) fn roots(&self, kind: OperationType) -> Vec<Thing> {
        let root = self.root(kind);
        if kind != OperationType::Subscription {
            return vec![root];
        }
        (0..EVENTS).map(|event| Thing { id: format!("{}@{event}", root.id), ..root.clone() }).collect()
    }

    /// Whether a subgraph does not know an entity.
    pub(crate) fn is_missing(&self, thing: &Thing, subgraph: &str) -> bool {
        thing.index.is_some()
            && self.forgetful.contains(&(thing.ty.clone(), subgraph.to_owned()))
            && self.hash(&format!("{}/{subgraph}", thing.id), "missing") % 1000 < self.nature.missing
    }

    /// The supergraph's object types behind a type.
    pub(crate) fn possible(&self, ty: &str) -> Vec<String> {
        match self.supergraph.types.get(ty) {
            Some(ExtendedType::Object(_)) => vec![ty.to_owned()],
            Some(ExtendedType::Union(union)) => union.members.iter().map(ToString::to_string).collect(),
            Some(ExtendedType::Interface(_)) => self
                .objects()
                .filter(|object| object.implements_interfaces.contains(ty))
                .map(|object| object.name.to_string())
                .collect(),
            _ => Vec::new(),
        }
    }

    fn objects(&self) -> impl Iterator<Item = &ObjectType> {
        self.supergraph.types.values().filter_map(|found| found.as_object())
    }

    pub(crate) fn is_a(&self, object: &str, ty: &str) -> bool {
        object == ty || self.possible(ty).iter().any(|found| found == object)
    }

    fn collect_facts(&mut self, subgraphs: &[Subgraph]) {
        let mut facts = HashMap::new();
        for object in self.objects() {
            for field in object.fields.values() {
                facts.insert(
                    (object.name.to_string(), field.name.to_string()),
                    self.facts_of(object.name.as_str(), field, subgraphs),
                );
            }
        }
        // Where subgraphs differ in what may be null, a failure reaches further in one than in the other.
        let differs = |(place, facts): (&(String, String), &FieldFacts)| {
            self.supergraph.type_field(&place.0, &place.1).is_ok_and(|field| field.ty != facts.ty)
                || (facts.ty.is_list() && self.differs_from_interface(place))
                || (facts.is_asked_blindly && facts.ty.is_non_null())
        };
        self.bubbles = !facts.iter().any(differs);
        if !self.bubbles {
            for facts in facts.values_mut() {
                self.hide_nothing(facts);
            }
        }
        self.is_contradictory = facts.values().any(|facts| {
            facts.possible.is_empty()
                && is_strict(&facts.ty)
                && self
                    .supergraph
                    .types
                    .get(facts.ty.inner_named_type())
                    .is_some_and(|base| base.is_interface() || base.is_union())
        });
        self.facts = facts;
    }

    /// What clients may not see is null for them, which is one more way to fail: it is left out where something may not be
    /// null, if that leaves anything.
    fn hide_nothing(&self, facts: &mut FieldFacts) {
        let base = facts.ty.inner_named_type();
        let is_visible = |value: &String| {
            self.api.get_enum(base).is_some_and(|found| found.values.contains_key(value.as_str()))
        };
        if is_strict(&facts.ty) && facts.values.iter().any(is_visible) {
            facts.values.retain(is_visible);
        }
        let is_visible = |ty: &String| self.api.get_object(ty).is_some();
        if is_strict(&facts.ty) && facts.possible.iter().any(is_visible) {
            facts.possible.retain(is_visible);
        }
    }

    /// Whether an interface has the field with another type. The server that stands for subgraphs and oracle takes that one
    /// when it completes lists.
    fn differs_from_interface(&self, (ty, field): &(String, String)) -> bool {
        let type_in = |ty: &str| self.supergraph.type_field(ty, field).ok().map(|field| field.ty.clone());
        let interfaces = self.supergraph.get_object(ty).map(|object| object.implements_interfaces.iter());
        interfaces
            .into_iter()
            .flatten()
            .filter_map(|name| type_in(name))
            .any(|other| type_in(ty) != Some(other))
    }

    fn facts_of(&self, ty: &str, field: &FieldDefinition, subgraphs: &[Subgraph]) -> FieldFacts {
        let base = field.ty.inner_named_type().as_str();
        let mut facts = FieldFacts {
            ty: field.ty.clone(),
            possible: self.possible(base),
            values: match self.supergraph.types.get(base) {
                Some(ExtendedType::Enum(found)) => found.values.keys().map(ToString::to_string).collect(),
                _ => Vec::new(),
            },
            is_key: false,
            is_needed: false,
            is_asked_blindly: false,
            only_in: None,
        };
        for subgraph in subgraphs {
            for carrier in self.carriers(ty, subgraph) {
                let Some(found) = subgraph.field(&carrier, &field.name) else { continue };
                facts.is_asked_blindly |= subgraph.is_interface_object(&carrier)
                    && !subgraph.keys(&carrier).iter().any(|(_, is_resolvable)| *is_resolvable);
                facts.ty = strictest(&facts.ty, &found.ty);
                let base = found.ty.inner_named_type().as_str();
                let is_asked = !subgraph.is_external(&carrier, found) || is_in_a_set(subgraph, &field.name);
                if !is_asked {
                    continue;
                }
                if subgraph.is_interface_object(base) {
                    let all = self.possible(base);
                    facts.possible.retain(|name| all.contains(name));
                } else {
                    let known = subgraph.possible(base);
                    // Root types have a name of their own in each subgraph.
                    let known: Vec<_> = known.iter().map(|name| subgraph.canonical(name)).collect();
                    facts.possible.retain(|name| known.contains(&name.as_str()));
                }
                if let Some(ExtendedType::Enum(known)) = subgraph.schema.types.get(base) {
                    facts.values.retain(|value| known.values.contains_key(value.as_str()));
                }
            }
        }
        facts
    }

    /// The types by which a subgraph has fields of an object type: itself, or interface objects.
    fn carriers(&self, ty: &str, subgraph: &Subgraph) -> Vec<String> {
        let mut found = Vec::new();
        let own = subgraph.schema.types.keys().find(|name| subgraph.canonical(name) == ty);
        found.extend(own.map(ToString::to_string));
        if let Some(object) = self.supergraph.get_object(ty) {
            let interfaces = object.implements_interfaces.iter().map(ToString::to_string);
            found.extend(interfaces.filter(|name| subgraph.is_interface_object(name)));
        }
        found
    }

    fn collect_keys(&mut self, subgraphs: &[Subgraph]) {
        for subgraph in subgraphs {
            let composites: Vec<_> = subgraph.composites().collect();
            for (ty, fields) in composites {
                let canonical = subgraph.canonical(ty);
                for (set, _) in subgraph.keys(ty) {
                    let is_abstract =
                        subgraph.is_interface_object(ty) || subgraph.schema.get_interface(ty).is_some();
                    for object in self.possible(canonical) {
                        if is_abstract {
                            self.by_interface.insert(object.clone());
                        }
                        self.entities.insert(object);
                    }
                    self.mark(canonical, &set, true);
                }
                for field in fields {
                    if let Some(set) = subgraph.requires(field) {
                        self.mark(canonical, &set, false);
                    }
                }
            }
        }
    }

    fn collect_forgetful(&mut self, subgraphs: &[Subgraph]) {
        for (index, subgraph) in subgraphs.iter().enumerate() {
            let others = || subgraphs.iter().enumerate().filter(move |(other, _)| *other != index);
            for object in self.entities.iter().filter(|object| !self.by_interface.contains(*object)) {
                let others: Vec<&Subgraph> = others().map(|(_, other)| other).collect();
                let Some(fields) = missing::fields_only_in(subgraph, &others, object) else { continue };
                let place = |field: &String| (object.clone(), field.clone());
                let is_free =
                    |field: &String| self.facts.get(&place(field)).is_some_and(|facts| !facts.is_needed);
                if fields.is_empty() || !fields.iter().all(is_free) {
                    continue;
                }
                self.forgetful.insert((object.clone(), subgraph.name.clone()));
                for field in &fields {
                    let facts = self.facts.get_mut(&place(field)).expect("just seen");
                    facts.only_in = Some(subgraph.name.clone());
                }
            }
        }
    }

    fn mark(&mut self, ty: &str, set: &FieldSet, is_key: bool) {
        for item in &set.0 {
            match item {
                SetItem::On { condition, below } => {
                    self.mark(if condition.is_empty() { ty } else { condition }, below, is_key);
                }
                SetItem::Field { name, below, .. } => {
                    let mut bases = HashSet::new();
                    for object in self.possible(ty) {
                        if let Some(facts) = self.facts.get_mut(&(object, name.clone())) {
                            facts.is_key |= is_key;
                            facts.is_needed = true;
                            bases.insert(facts.ty.inner_named_type().to_string());
                        }
                    }
                    for base in bases {
                        self.mark(&base, below, is_key);
                    }
                }
            }
        }
    }

    /// The value of a field; `arguments` as [`Universe::arguments`] writes them.
    pub(crate) fn value(&self, thing: &Thing, field: &str, arguments: &str) -> Value {
        let Some(facts) = self.facts.get(&(thing.ty.clone(), field.to_owned())) else {
            return Value::Failed(format!("{} has no {field}", thing.ty));
        };
        if facts.only_in.as_ref().is_some_and(|subgraph| self.is_missing(thing, subgraph)) {
            return Value::Null;
        }
        let place = format!("{}/{field}{arguments}", thing.id);
        self.at(facts, &facts.ty, &place, field, thing, 0)
    }

    fn at(
        &self,
        facts: &FieldFacts,
        ty: &Type,
        place: &str,
        field: &str,
        thing: &Thing,
        shift: usize,
    ) -> Value {
        let roll = self.hash(place, "null") % 1000;
        let may_fail = !facts.is_needed && (self.bubbles || !ty.is_non_null());
        if may_fail && roll < self.nature.errors {
            return Value::Failed(format!("no {field}"));
        }
        if !facts.is_key && !ty.is_non_null() && roll > 870 {
            return Value::Null;
        }
        match ty {
            Type::List(item) | Type::NonNullList(item) => {
                let random = self.pick(place, "length", 5);
                let length = if facts.is_key { 1 + random % 2 } else { random.saturating_sub(1) };
                let item = |index| self.at(facts, item, &format!("{place}[{index}]"), field, thing, index);
                Value::List((0..length).map(item).collect())
            }
            Type::Named(base) | Type::NonNullNamed(base) => {
                if facts.possible.is_empty() {
                    if self
                        .supergraph
                        .types
                        .get(base)
                        .is_some_and(|found| found.is_interface() || found.is_union())
                    {
                        return Value::Null;
                    }
                    return self.leaf(facts, base, place, field, thing, shift);
                }
                let ty = &facts.possible[self.pick(place, "type", facts.possible.len())];
                Value::Object(self.thing(facts, ty, place, thing, shift))
            }
        }
    }

    fn thing(&self, facts: &FieldFacts, ty: &str, place: &str, parent: &Thing, shift: usize) -> Thing {
        let is_root = [OperationType::Query, OperationType::Mutation, OperationType::Subscription]
            .into_iter()
            .any(|kind| self.supergraph.root_operation(kind).is_some_and(|name| name == ty));
        if is_root {
            return Thing { ty: ty.to_owned(), id: ty.to_owned(), index: None };
        }
        if !self.entities.contains(ty) {
            return Thing { ty: ty.to_owned(), id: place.to_owned(), index: None };
        }
        // The entities in the keys of different entities differ.
        let index = match parent.index {
            Some(index) if facts.is_key => (index + shift) % ENTITIES,
            _ => self.pick(place, "entity", ENTITIES),
        };
        Self::entity(ty, index)
    }

    fn entity(ty: &str, index: usize) -> Thing {
        Thing { ty: ty.to_owned(), id: format!("{ty}#{index}"), index: Some(index) }
    }

    /// All entities behind a type.
    pub(crate) fn entities(&self, ty: &str) -> Vec<Thing> {
        let objects = self.possible(ty);
        objects.iter().flat_map(|object| (0..ENTITIES).map(|index| Self::entity(object, index))).collect()
    }

    fn leaf(
        &self,
        facts: &FieldFacts,
        base: &str,
        place: &str,
        field: &str,
        thing: &Thing,
        shift: usize,
    ) -> Value {
        let random = self.hash(place, "leaf");
        let small = i32::try_from(random % 2000).expect("it is small") - 1000;
        let number = i64::from(small);
        let key = thing.index.filter(|_| facts.is_key);
        let ordinal = key.map(|index| {
            let types = self.supergraph.types.get_index_of(thing.ty.as_str()).unwrap_or_default();
            let apart = if self.by_interface.contains(&thing.ty) { types * 100 } else { 0 };
            apart + 10 + index + shift * 1000
        });
        let of_key = |ordinal: usize| {
            let apart = if field == "id" { String::new() } else { format!("{field}-") };
            format!("{apart}{ordinal}")
        };
        let json = match base {
            "Int" => json!(ordinal.map_or(number, |ordinal| i64::try_from(ordinal).expect("it is small"))),
            "Float" => json!(
                f64::from(ordinal.map_or(small, |ordinal| i32::try_from(ordinal).expect("it is small")))
                    + 0.25
            ),
            "Boolean" => json!(ordinal.map_or(random.is_multiple_of(2), |ordinal| ordinal.is_multiple_of(2))),
            "ID" | "String" => match ordinal {
                Some(ordinal) => json!(of_key(ordinal)),
                None if random.is_multiple_of(7) => json!(format!("\u{e9} \"{number}\" \\ \u{1f600}\n")),
                None => json!(format!("{base}{random:x}")),
            },
            _ if !facts.values.is_empty() => {
                let chosen = ordinal.unwrap_or(usize::try_from(random >> 8).expect("64 bits"));
                json!(facts.values[chosen % facts.values.len()])
            }
            _ if self.supergraph.get_enum(base).is_some() => return Value::Null,
            _ => match (ordinal, random % 5) {
                (Some(ordinal), _) => json!(of_key(ordinal)),
                (None, 0) => json!({"b": [number, null, "x"], "a": {"c": true}}),
                (None, 1) => json!([number, {"z": 1, "y": null}]),
                (None, 2) => json!(9_007_199_254_740_993_i64 + number),
                (None, _) => json!(format!("{base}{random:x}")),
            },
        };
        Value::Leaf(json)
    }

    fn hash(&self, place: &str, purpose: &str) -> u64 {
        let mut state = self.nature.seed ^ 0xcbf2_9ce4_8422_2325;
        for byte in place.bytes().chain([0]).chain(purpose.bytes()) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    }

    fn pick(&self, place: &str, purpose: &str, bound: usize) -> usize {
        usize::try_from(self.hash(place, purpose) >> 8).expect("64 bits") % bound
    }

    /// What a field set selects of an object, as it stands in a representation but for `__typename`s.
    pub(crate) fn project(&self, thing: &Thing, set: &FieldSet) -> Map<String, Json> {
        let mut out = Map::new();
        self.project_into(thing, set, &mut out);
        out
    }

    fn project_into(&self, thing: &Thing, set: &FieldSet, out: &mut Map<String, Json>) {
        for item in &set.0 {
            match item {
                SetItem::On { condition, below } => {
                    if condition.is_empty() || self.is_a(&thing.ty, condition) {
                        self.project_into(thing, below, out);
                    }
                }
                SetItem::Field { name, arguments, below } => {
                    let arguments = self.arguments(&thing.ty, name, arguments);
                    let value = self.projected(&self.value(thing, name, &arguments), below);
                    match out.get_mut(name) {
                        Some(known) => merge(known, value),
                        None => drop(out.insert(name.clone(), value)),
                    }
                }
            }
        }
    }

    fn projected(&self, value: &Value, below: &FieldSet) -> Json {
        match value {
            Value::Null | Value::Failed(_) => Json::Null,
            Value::Leaf(json) => json.clone(),
            Value::Object(thing) => Json::Object(self.project(thing, below)),
            Value::List(items) => items.iter().map(|item| self.projected(item, below)).collect(),
        }
    }
}

fn merge(known: &mut Json, more: Json) {
    match (known, more) {
        (Json::Object(known), Json::Object(more)) => {
            for (name, value) in more {
                match known.get_mut(&name) {
                    Some(known) => merge(known, value),
                    None => drop(known.insert(name, value)),
                }
            }
        }
        (Json::Array(known), Json::Array(more)) => {
            known.iter_mut().zip(more).for_each(|(known, more)| merge(known, more));
        }
        _ => {}
    }
}

/// Whether some key or `@provides` of a subgraph speaks of a field of this name.
fn is_in_a_set(subgraph: &Subgraph, field: &str) -> bool {
    let mut names = Vec::new();
    for (ty, fields) in subgraph.composites() {
        subgraph.keys(ty).iter().for_each(|(set, _)| set.names(&mut names));
        fields.iter().filter_map(|field| subgraph.provides(field)).for_each(|set| set.names(&mut names));
    }
    names.iter().any(|name| name == field)
}

/// Non-null wherever one of the two is.
fn strictest(one: &Type, other: &Type) -> Type {
    let required = one.is_non_null() || other.is_non_null();
    let merged = match (one, other) {
        (Type::List(one) | Type::NonNullList(one), Type::List(other) | Type::NonNullList(other)) => {
            Type::List(Box::new(strictest(one, other)))
        }
        _ => ast::Type::Named(one.inner_named_type().clone()),
    };
    if required { merged.non_null() } else { merged }
}

/// Whether an object must be there, in a list too.
fn is_strict(ty: &Type) -> bool {
    match ty {
        Type::NonNullNamed(_) => true,
        Type::NonNullList(item) | Type::List(item) => is_strict(item),
        Type::Named(_) => false,
    }
}
