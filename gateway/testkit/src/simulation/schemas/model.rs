//! The types of a random API, and which subgraphs have them.
//!
//! Elsewhere: their fields (`fields.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::super::rng::Rng;

/// Whether a field's value may be null, may be a list, and of what.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ty {
    pub(super) base: String,
    pub(super) lists: usize,
    /// For each level from outside: may it be null?
    pub(super) nullable: Vec<bool>,
}

impl Ty {
    pub(super) fn new(base: &str, lists: usize, nullable: Vec<bool>) -> Self {
        Self { base: base.to_owned(), lists, nullable }
    }

    pub(super) fn text(&self) -> String {
        let bang = |level: usize| if self.nullable[level] { "" } else { "!" };
        let mut text = format!("{}{}", self.base, bang(self.lists));
        for level in (0..self.lists).rev() {
            text = format!("[{text}]{}", bang(level));
        }
        text
    }
}

/// A field of the whole.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ty: Ty,
    /// With parentheses, as it stands in SDL.
    pub(super) arguments: String,
    /// Arguments for a field set that asks it, with parentheses.
    pub(super) asked_with: String,
    /// Who answers it.
    pub(super) owners: BTreeSet<usize>,
    /// For some owner its type there, when it differs from `ty`.
    pub(super) own_types: BTreeMap<usize, Ty>,
    /// Directives by subgraph.
    pub(super) directives: BTreeMap<usize, Vec<String>>,
    /// Where it is `@external`.
    pub(super) external: BTreeSet<usize>,
    /// Answered only by `_entities`, from what is required.
    pub(super) requires: bool,
}

impl Field {
    pub(super) fn new(name: &str, ty: Ty, owners: BTreeSet<usize>) -> Self {
        Self {
            name: name.to_owned(),
            ty,
            arguments: String::new(),
            asked_with: String::new(),
            owners,
            own_types: BTreeMap::new(),
            directives: BTreeMap::new(),
            external: BTreeSet::new(),
            requires: false,
        }
    }
}

impl Entity {
    /// The key by which subgraphs refer to it that have no more of it.
    pub(super) fn reference(&self) -> &str {
        let keys = &self.keys[&self.hub];
        keys.iter().find(|key| *key == "id").unwrap_or(&keys[0])
    }
}

#[derive(Debug, Clone)]
pub(super) struct Entity {
    pub(super) name: String,
    pub(super) hub: usize,
    /// Who defines more of it than a reference.
    pub(super) subgraphs: BTreeSet<usize>,
    /// Keys by subgraph.
    pub(super) keys: BTreeMap<usize, Vec<String>>,
    /// Fields that keys are made of, in every subgraph that has such a key: with the key's text in which they stand.
    pub(super) key_fields: Vec<(String, String)>,
    pub(super) fields: Vec<Field>,
    pub(super) implements: BTreeMap<usize, BTreeSet<String>>,
    /// Of which entity interface it is one.
    pub(super) interface: Option<usize>,
}

/// An object type without a key, the same in all subgraphs that use it.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    pub(super) implements: BTreeMap<usize, BTreeSet<String>>,
}

/// An interface or a union.
#[derive(Debug, Clone)]
pub(super) struct Abstract {
    pub(super) name: String,
    pub(super) is_union: bool,
    /// Members by subgraph.
    pub(super) members: BTreeMap<usize, BTreeSet<String>>,
    /// An interface's fields, with the subgraphs in which it declares them.
    pub(super) fields: Vec<Field>,
}

/// An interface with a key, which some subgraphs know only as an `@interfaceObject`.
#[derive(Debug, Clone)]
pub(super) struct EntityInterface {
    pub(super) name: String,
    pub(super) real: BTreeSet<usize>,
    pub(super) objects: BTreeSet<usize>,
    pub(super) members: Vec<usize>,
    pub(super) fields: Vec<Field>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) count: usize,
    pub(super) entities: Vec<Entity>,
    pub(super) values: Vec<Value>,
    pub(super) abstracts: Vec<Abstract>,
    pub(super) interfaces: Vec<EntityInterface>,
    /// Root fields: `Query`, then `Mutation`, then `Subscription`.
    pub(super) roots: [Vec<Field>; 3],
    /// Values of the output enum by subgraph.
    pub(super) enum_values: BTreeMap<usize, Vec<String>>,
    pub(super) hidden_enum_value: bool,
    /// A type that clients must not see.
    pub(super) hidden_type: Option<String>,
}

impl Model {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let mut model = Self { count: 2 + rng.below(4), ..Self::default() };
        for index in 0..2 + rng.below(3) {
            model.add_entity(index, rng);
        }
        for index in 0..=rng.below(3) {
            model.values.push(Value {
                name: format!("V{index}"),
                fields: Vec::new(),
                implements: BTreeMap::new(),
            });
        }
        if model.count > 1 && rng.chance(40) {
            model.add_entity_interface(rng);
        }
        for subgraph in 0..model.count {
            let all = ["RED", "GREEN", "BLUE"];
            let known = all
                .iter()
                .filter(|&&value| value == "RED" || rng.chance(80))
                .map(ToString::to_string)
                .collect();
            model.enum_values.insert(subgraph, known);
        }
        model.hidden_enum_value = rng.chance(20);
        for index in 0..rng.below(3) {
            model.add_abstract(index, rng);
        }
        model
    }

    fn some(&self, rng: &mut Rng, percent: usize) -> BTreeSet<usize> {
        let mut found: BTreeSet<usize> = (0..self.count).filter(|_| rng.chance(percent)).collect();
        if found.is_empty() {
            found.insert(rng.below(self.count));
        }
        found
    }

    fn add_entity(&mut self, index: usize, rng: &mut Rng) {
        let subgraphs = self.some(rng, 65);
        let all: Vec<usize> = subgraphs.iter().copied().collect();
        let hub = *rng.pick(&all);
        // A key that goes through another entity goes by its `id`.
        let owners: Vec<usize> = (0..index)
            .filter(|&other| {
                self.entities[other].keys[&self.entities[other].hub].iter().any(|key| key == "id")
            })
            .collect();
        let owner = format!("E{}", owners.first().copied().unwrap_or_default());
        let mut candidates = vec!["id", "code", "id code", "meta { num tag }", "num"];
        if !owners.is_empty() {
            candidates.extend(["owner { id }", "owner { id } code"]);
        }
        let mut keys: Vec<String> = Vec::new();
        for _ in 0..=rng.below(3) {
            let key = if rng.chance(45) { "id" } else { *rng.pick(&candidates) };
            if !keys.iter().any(|known| known == key) {
                keys.push(key.to_owned());
            }
        }
        let mut by_subgraph = BTreeMap::new();
        for &subgraph in &subgraphs {
            let mut own: Vec<String> =
                keys.iter().filter(|_| subgraph == hub || rng.chance(60)).cloned().collect();
            if own.is_empty() {
                own.push(rng.pick(&keys).clone());
            }
            by_subgraph.insert(subgraph, own);
        }
        let key_fields = [
            ("id", "ID!"),
            ("code", "String!"),
            ("num", "Int!"),
            ("meta", "Meta!"),
            ("owner", &format!("{owner}!")),
        ];
        self.entities.push(Entity {
            name: format!("E{index}"),
            hub,
            subgraphs,
            keys: by_subgraph,
            key_fields: key_fields.iter().map(|(name, ty)| ((*name).to_owned(), (*ty).to_owned())).collect(),
            fields: Vec::new(),
            implements: BTreeMap::new(),
            interface: None,
        });
    }

    /// An interface with key `id`, real where all its members are, an object elsewhere.
    fn add_entity_interface(&mut self, rng: &mut Rng) {
        let objects = self.some(rng, 35);
        let real: BTreeSet<usize> = (0..self.count).filter(|one| !objects.contains(one)).collect();
        let real: BTreeSet<usize> =
            real.iter().copied().filter(|one| Some(one) == real.first() || rng.chance(40)).collect();
        if real.is_empty() {
            return;
        }
        let mut members = Vec::new();
        for _ in 0..=rng.below(3) {
            let index = self.entities.len();
            members.push(index);
            let hub = *real.first().expect("it is not empty");
            let mut subgraphs = real.clone();
            subgraphs.extend((0..self.count).filter(|one| !objects.contains(one) && rng.chance(30)));
            self.entities.push(Entity {
                name: format!("E{index}"),
                hub,
                keys: subgraphs.iter().map(|&one| (one, vec!["id".to_owned()])).collect(),
                implements: real.iter().map(|&one| (one, BTreeSet::from(["Node".to_owned()]))).collect(),
                subgraphs,
                key_fields: vec![("id".to_owned(), "ID!".to_owned())],
                fields: Vec::new(),
                interface: Some(0),
            });
        }
        self.interfaces.push(EntityInterface {
            name: "Node".to_owned(),
            real,
            objects,
            members,
            fields: Vec::new(),
        });
    }

    /// A plain interface or a union over what each of some subgraphs has.
    fn add_abstract(&mut self, index: usize, rng: &mut Rng) {
        let is_union = rng.chance(50);
        let subgraphs = self.some(rng, 60);
        let mut chosen: Vec<String> =
            self.entities.iter().filter(|_| rng.chance(55)).map(|entity| entity.name.clone()).collect();
        chosen.extend(self.values.iter().filter(|_| rng.chance(30)).map(|value| value.name.clone()));
        let mut members: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for &subgraph in &subgraphs {
            let known = chosen.iter().filter(|name| {
                let entity = self.entities.iter().find(|entity| entity.name == **name);
                entity.is_none_or(|entity| entity.subgraphs.contains(&subgraph))
            });
            let here: BTreeSet<String> = known.filter(|_| rng.chance(80)).cloned().collect();
            if !here.is_empty() {
                members.insert(subgraph, here);
            }
        }
        if members.is_empty() {
            return;
        }
        let name = format!("{}{index}", if is_union { "U" } else { "I" });
        self.abstracts.push(Abstract { name, is_union, members, fields: Vec::new() });
    }

    /// Whether an object may stand where a subgraph says `ty`.
    pub(super) fn is_interface_object(&self, subgraph: usize, ty: &str) -> bool {
        self.interfaces.iter().any(|found| found.name == ty && found.objects.contains(&subgraph))
    }

    /// A member of an entity interface cannot be named where the interface is an object.
    pub(super) fn is_hidden_from(&self, subgraph: usize, entity: &Entity) -> bool {
        entity.interface.is_some_and(|index| {
            self.interfaces.get(index).is_some_and(|found| found.objects.contains(&subgraph))
        })
    }

    pub(super) fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.name == name)
    }

    /// Composite types that a field in this subgraph may have.
    pub(super) fn composites(&self, subgraph: usize) -> Vec<String> {
        let entities = self.entities.iter().filter(|entity| !self.is_hidden_from(subgraph, entity));
        let mut found: Vec<String> = entities.map(|entity| entity.name.clone()).collect();
        found.extend(self.values.iter().map(|value| value.name.clone()));
        let known = self.abstracts.iter().filter(|one| one.members.contains_key(&subgraph));
        // Twice: abstract types are where it is hard.
        let known: Vec<String> = known.map(|one| one.name.clone()).collect();
        found.extend(known.iter().cloned());
        found.extend(known);
        let interfaces = self.interfaces.iter();
        found.extend(
            interfaces
                .filter(|one| one.real.contains(&subgraph) || one.objects.contains(&subgraph))
                .flat_map(|one| [one.name.clone(), one.name.clone()]),
        );
        found
    }
}
