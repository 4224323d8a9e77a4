//! The fields of a random API, and the federation directives on them.
//!
//! Elsewhere: the types (`model.rs`).

use std::collections::BTreeSet;

use super::super::rng::Rng;
use super::model::{Field, Model, Ty};

const LEAVES: [&str; 7] = ["Int", "Float", "String", "Boolean", "ID", "Shade", "Blob"];

pub(super) fn add(model: &mut Model, rng: &mut Rng) {
    value_fields(model, rng);
    interface_fields(model, rng);
    entity_fields(model, rng);
    entity_interface_fields(model, rng);
    requires(model, rng);
    overrides(model, rng);
    hide(model, rng);
    roots(model, rng);
    provides(model, rng);
}

fn ty(rng: &mut Rng, base: &str) -> Ty {
    let lists = *rng.pick(&[0, 0, 0, 0, 1, 1, 2]);
    let nullable = (0..=lists).map(|_| rng.chance(65)).collect();
    Ty::new(base, lists, nullable)
}

fn leaf(rng: &mut Rng) -> Ty {
    let base = *rng.pick(&LEAVES);
    let lists = usize::from(rng.chance(12));
    let nullable = (0..=lists).map(|_| rng.chance(65)).collect();
    Ty::new(base, lists, nullable)
}

/// Gives a field arguments, and what a field set asks it with.
fn arguments(rng: &mut Rng, field: &mut Field) {
    if !rng.chance(25) {
        return;
    }
    let (arguments, asked) = *rng.pick(&[
        ("(x: Int)", "(x: 2)"),
        ("(x: Int = 5)", ""),
        ("(currency: String!)", "(currency: \\\"EUR\\\")"),
        ("(filter: Filter)", "(filter: {a: 1, b: [\\\"x\\\"]})"),
        ("(tint: Tint = LIGHT, on: Boolean)", "(tint: DARK)"),
    ]);
    arguments.clone_into(&mut field.arguments);
    asked.clone_into(&mut field.asked_with);
}

fn shareable(field: &mut Field) {
    if field.owners.len() > 1 {
        for &owner in &field.owners {
            field.directives.entry(owner).or_default().push("@shareable".to_owned());
        }
    }
}

/// In some subgraph a field's type may be stricter.
fn vary(rng: &mut Rng, field: &mut Field) {
    if field.owners.len() < 2 || !rng.chance(25) {
        return;
    }
    let owners: Vec<usize> = field.owners.iter().copied().collect();
    let mut own = field.ty.clone();
    own.nullable[0] = false;
    field.own_types.insert(*rng.pick(&owners), own);
}

fn value_fields(model: &mut Model, rng: &mut Rng) {
    let entities: Vec<String> =
        model.entities.iter().filter(|one| one.interface.is_none()).map(|one| one.name.clone()).collect();
    let all: BTreeSet<usize> = (0..model.count).collect();
    for index in 0..model.values.len() {
        let mut fields = Vec::new();
        for number in 0..=rng.below(3) {
            let mut field = Field::new(&format!("v{number}"), leaf(rng), all.clone());
            arguments(rng, &mut field);
            fields.push(field);
        }
        if index > 0 && rng.chance(40) {
            let nested = format!("V{}", rng.below(index));
            fields.push(Field::new("inner", ty(rng, &nested), all.clone()));
        }
        if rng.chance(35) {
            let base = rng.pick(&entities).clone();
            fields.push(Field::new("ref", ty(rng, &base), all.clone()));
        }
        model.values[index].fields = fields;
    }
}

/// Interfaces declare fields that their members then have in each subgraph where the interface declares them.
fn interface_fields(model: &mut Model, rng: &mut Rng) {
    for index in 0..model.abstracts.len() {
        let found = model.abstracts[index].clone();
        if found.is_union {
            continue;
        }
        let subgraphs: BTreeSet<usize> = found.members.keys().copied().collect();
        let name = found.name.to_lowercase();
        let everywhere = Field::new(&format!("{name}all"), leaf(rng), subgraphs.clone());
        let mut fields = vec![everywhere];
        let members: BTreeSet<&String> = found.members.values().flatten().collect();
        // Elsewhere declared by one subgraph alone, if that has all members.
        let whole = subgraphs.iter().copied().find(|one| found.members[one].len() == members.len());
        if let Some(whole) = whole {
            let composites = model.composites(whole);
            let base =
                if rng.chance(50) { rng.pick(&composites).clone() } else { (*rng.pick(&LEAVES)).to_owned() };
            let mut field = Field::new(&format!("{name}one"), ty(rng, &base), BTreeSet::from([whole]));
            arguments(rng, &mut field);
            fields.push(field);
        }
        for member in members {
            let here: BTreeSet<usize> = found
                .members
                .iter()
                .filter(|(_, names)| names.contains(member))
                .map(|(&one, _)| one)
                .collect();
            for field in &fields {
                let owners: BTreeSet<usize> = field.owners.intersection(&here).copied().collect();
                let mut own = Field { owners, ..field.clone() };
                shareable(&mut own);
                own.ty.nullable[0] &= rng.chance(80);
                if let Some(entity) = model.entities.iter_mut().find(|one| one.name == *member) {
                    entity.fields.push(own);
                    for &subgraph in &here {
                        entity.implements.entry(subgraph).or_default().insert(found.name.clone());
                    }
                } else if let Some(value) = model.values.iter_mut().find(|one| one.name == *member) {
                    // A value type is the same everywhere.
                    own.directives.clear();
                    value.fields.push(own);
                    for &subgraph in &here {
                        value.implements.entry(subgraph).or_default().insert(found.name.clone());
                    }
                }
            }
        }
        model.abstracts[index].fields = fields;
    }
    // A value type whose interface fields not all subgraphs can have (their types may be missing there) keeps leaves.
    for value in &mut model.values {
        value.fields.retain(|field| {
            LEAVES.contains(&field.ty.base.as_str()) || !field.name.starts_with('i') || field.name == "inner"
        });
    }
    let kept: Vec<(String, Vec<String>)> = model
        .values
        .iter()
        .map(|value| (value.name.clone(), value.fields.iter().map(|field| field.name.clone()).collect()))
        .collect();
    for found in &mut model.abstracts {
        let members: BTreeSet<String> = found.members.values().flatten().cloned().collect();
        let lacking = |field: &Field| {
            kept.iter().any(|(name, fields)| members.contains(name) && !fields.contains(&field.name))
        };
        found.fields.retain(|field| !lacking(field));
    }
}

fn entity_fields(model: &mut Model, rng: &mut Rng) {
    for index in 0..model.entities.len() {
        let homes: Vec<usize> = model.entities[index].subgraphs.iter().copied().collect();
        for number in 0..2 + rng.below(5) {
            let first = *rng.pick(&homes);
            let is_shared = rng.chance(25);
            let mut owners = BTreeSet::from([first]);
            if is_shared {
                owners.extend(homes.iter().copied().filter(|_| rng.chance(50)));
            }
            let base = if rng.chance(50) {
                let mut composites = model.composites(first);
                composites.retain(|name| owners.iter().all(|&owner| model.composites(owner).contains(name)));
                if composites.is_empty() { "Int".to_owned() } else { rng.pick(&composites).clone() }
            } else {
                (*rng.pick(&LEAVES)).to_owned()
            };
            let mut field = Field::new(&format!("f{number}"), ty(rng, &base), owners);
            arguments(rng, &mut field);
            shareable(&mut field);
            vary(rng, &mut field);
            model.entities[index].fields.push(field);
        }
    }
}

/// Fields of an entity interface: real ones stand on all members, those of its objects come from there.
fn entity_interface_fields(model: &mut Model, rng: &mut Rng) {
    for index in 0..model.interfaces.len() {
        let found = model.interfaces[index].clone();
        let real: Vec<usize> = found.real.iter().copied().collect();
        if rng.chance(60) {
            let mut field = Field::new("name", leaf(rng), found.real.clone());
            arguments(rng, &mut field);
            for &member in &found.members {
                let mut own = field.clone();
                shareable(&mut own);
                model.entities[member].fields.push(own);
            }
            model.interfaces[index].fields.push(field);
        }
        if rng.chance(40) {
            let owner = *rng.pick(&real);
            let base = rng.pick(&model.composites(owner)).clone();
            let field = Field::new("link", ty(rng, &base), BTreeSet::from([owner]));
            for &member in &found.members {
                model.entities[member].fields.push(field.clone());
            }
            model.interfaces[index].fields.push(field);
        }
        for (number, &owner) in found.objects.iter().enumerate() {
            for field in 0..=rng.below(2) {
                let base = if rng.chance(50) {
                    rng.pick(&model.composites(owner)).clone()
                } else {
                    (*rng.pick(&LEAVES)).to_owned()
                };
                let mut field =
                    Field::new(&format!("o{number}{field}"), ty(rng, &base), BTreeSet::from([owner]));
                arguments(rng, &mut field);
                model.interfaces[index].fields.push(field);
            }
            let named = model.interfaces[index].fields.iter().position(|field| field.name == "name");
            if let Some(named) = named
                && rng.chance(50)
            {
                let interface = &mut model.interfaces[index];
                let asked = interface.fields[named].asked_with.clone();
                interface.fields[named].external.insert(owner);
                let mut field = Field::new(&format!("x{number}"), leaf(rng), BTreeSet::from([owner]));
                field.directives.insert(owner, vec![format!("@requires(fields: \"name{asked}\")")]);
                interface.fields.push(field);
            }
        }
    }
}

/// What a field set may select below a type in a subgraph; nothing when that is not simple.
fn below(
    model: &Model,
    rng: &mut Rng,
    subgraph: usize,
    base: &str,
    depth: usize,
    plain: bool,
) -> Option<String> {
    if LEAVES.contains(&base) {
        return Some(String::new());
    }
    if depth == 0 || model.is_interface_object(subgraph, base) {
        return None;
    }
    if let Some(entity) = model.entity(base) {
        if model.is_hidden_from(subgraph, entity) {
            return None;
        }
        let key = match entity.keys.get(&subgraph) {
            Some(keys) => rng.pick(keys).clone(),
            None => entity.reference().to_owned(),
        };
        return Some(format!(" {{ {key} }}"));
    }
    if let Some(value) = model.values.iter().find(|value| value.name == base) {
        let mut parts = Vec::new();
        for field in value.fields.iter().filter(|field| !plain || field.arguments.is_empty()) {
            if (parts.is_empty() || rng.chance(50))
                && let Some(inner) = below(model, rng, subgraph, &field.ty.base, depth - 1, plain)
            {
                parts.push(format!("{}{}{inner}", field.name, field.asked_with));
            }
        }
        return (!parts.is_empty()).then(|| format!(" {{ {} }}", parts.join(" ")));
    }
    let found = model.abstracts.iter().find(|one| one.name == base)?;
    let members = found.members.get(&subgraph)?;
    let mut parts = Vec::new();
    for field in &found.fields {
        if field.owners.contains(&subgraph)
            && (!plain || field.arguments.is_empty())
            && LEAVES.contains(&field.ty.base.as_str())
            && rng.chance(40)
        {
            parts.push(format!("{}{}", field.name, field.asked_with));
        }
    }
    for member in members {
        if (parts.is_empty() || rng.chance(60))
            && let Some(inner) = below(model, rng, subgraph, member, depth - 1, plain)
        {
            parts.push(format!("... on {member}{inner}"));
        }
    }
    (!parts.is_empty()).then(|| format!(" {{ {} }}", parts.join(" ")))
}

/// Fields that need others, which may need others again: only earlier ones, so that there is no circle.
fn requires(model: &mut Model, rng: &mut Rng) {
    for index in 0..model.entities.len() {
        for number in 0..rng.below(4) {
            let entity = &model.entities[index];
            let homes: Vec<usize> = entity.subgraphs.iter().copied().collect();
            let subgraph = *rng.pick(&homes);
            let mut sets = Vec::new();
            let mut externals = Vec::new();
            for (position, field) in entity.fields.iter().enumerate() {
                // No use of a field whose type varies: it would have to be repeated as it is there.
                let is_own = field.owners.contains(&subgraph) || !field.own_types.is_empty();
                if is_own || sets.len() > 2 || !rng.chance(40) {
                    continue;
                }
                let known = LEAVES.contains(&field.ty.base.as_str())
                    || model.composites(subgraph).contains(&field.ty.base);
                if let (true, Some(inner)) = (known, below(model, rng, subgraph, &field.ty.base, 3, false)) {
                    sets.push(format!("{}{}{inner}", field.name, field.asked_with));
                    externals.push(position);
                }
            }
            if sets.is_empty() {
                continue;
            }
            let base = if rng.chance(30) {
                rng.pick(&model.composites(subgraph)).clone()
            } else {
                (*rng.pick(&LEAVES)).to_owned()
            };
            let mut field = Field::new(&format!("r{number}"), ty(rng, &base), BTreeSet::from([subgraph]));
            arguments(rng, &mut field);
            field.requires = true;
            field.directives.insert(subgraph, vec![format!("@requires(fields: \"{}\")", sets.join(" "))]);
            let entity = &mut model.entities[index];
            for position in externals {
                entity.fields[position].external.insert(subgraph);
            }
            entity.fields.push(field);
        }
    }
}

/// One subgraph takes a field over from another, for some requests or for all.
fn overrides(model: &mut Model, rng: &mut Rng) {
    for index in 0..model.entities.len() {
        let homes: Vec<usize> = model.entities[index].subgraphs.iter().copied().collect();
        for field in 0..model.entities[index].fields.len() {
            let found = &model.entities[index].fields[field];
            let plain = found.owners.len() == 1
                && !found.requires
                && found.external.is_empty()
                && found.name.starts_with('f');
            let to = *rng.pick(&homes);
            if !plain || found.owners.contains(&to) || !rng.chance(12) {
                continue;
            }
            let known =
                LEAVES.contains(&found.ty.base.as_str()) || model.composites(to).contains(&found.ty.base);
            if known {
                let from = *found.owners.first().expect("it has one owner");
                let found = &mut model.entities[index].fields[field];
                found.owners.insert(to);
                let label = if rng.chance(50) {
                    let labels = ["l0", "l1", "l2", "percent(0)", "percent(100)"];
                    format!(", label: \"{}\"", rng.pick(&labels))
                } else {
                    String::new()
                };
                let directive = format!("@override(from: \"s{from}\"{label})");
                found.directives.entry(to).or_default().push(directive);
            }
        }
    }
}

/// What clients must not see.
fn hide(model: &mut Model, rng: &mut Rng) {
    for entity in &mut model.entities {
        for field in &mut entity.fields {
            if field.name.starts_with('f') && rng.chance(5) {
                let owner = *field.owners.first().expect("it has an owner");
                field.directives.entry(owner).or_default().push("@inaccessible".to_owned());
            }
        }
    }
}

fn roots(model: &mut Model, rng: &mut Rng) {
    let mut number = 0;
    for subgraph in 0..model.count {
        let least = usize::from(subgraph == 0);
        for _ in 0..least + rng.below(3) {
            let composites = model.composites(subgraph);
            let base =
                if rng.chance(90) { rng.pick(&composites).clone() } else { (*rng.pick(&LEAVES)).to_owned() };
            let mut owners = BTreeSet::from([subgraph]);
            if rng.chance(25) {
                owners.extend(
                    (0..model.count).filter(|&one| rng.chance(50) && model.composites(one).contains(&base)),
                );
            }
            let mut field = Field::new(&format!("q{number}"), ty(rng, &base), owners);
            number += 1;
            arguments(rng, &mut field);
            shareable(&mut field);
            vary(rng, &mut field);
            model.roots[0].push(field);
        }
    }
    for (kind, letter) in [(1, 'm'), (2, 'e')] {
        if !rng.chance(30) {
            continue;
        }
        for number in 0..=rng.below(3) {
            let subgraph = rng.below(model.count);
            let base = rng.pick(&model.composites(subgraph)).clone();
            let mut field =
                Field::new(&format!("{letter}{number}"), ty(rng, &base), BTreeSet::from([subgraph]));
            arguments(rng, &mut field);
            model.roots[kind].push(field);
        }
    }
}

/// Fields that promise fields of the entity they lead to, which their subgraph does not have otherwise.
fn provides(model: &mut Model, rng: &mut Rng) {
    let mut wanted = Vec::new();
    for (kind, fields) in model.roots.iter().enumerate() {
        wanted.extend(fields.iter().enumerate().map(|(field, found)| (None, kind, field, found.clone())));
    }
    for (index, entity) in model.entities.iter().enumerate() {
        let fields = entity.fields.iter().enumerate().filter(|(_, field)| field.name.starts_with('f'));
        wanted.extend(fields.map(|(field, found)| (Some(index), 0, field, found.clone())));
    }
    for (holder, kind, position, field) in wanted {
        if field.owners.len() != 1 || !rng.chance(35) {
            continue;
        }
        let subgraph = *field.owners.first().expect("it has one owner");
        let targets: Vec<(String, bool)> = match model.abstracts.iter().find(|one| one.name == field.ty.base)
        {
            Some(found) => found.members[&subgraph].iter().map(|name| (name.clone(), true)).collect(),
            None => vec![(field.ty.base.clone(), false)],
        };
        let mut parts = Vec::new();
        for (target, is_member) in targets {
            if let Some(part) = provided(model, rng, subgraph, &target, 2) {
                parts.push(if is_member { format!("... on {target} {{ {part} }}") } else { part });
            }
        }
        if parts.is_empty() {
            continue;
        }
        let directive = format!("@provides(fields: \"{}\")", parts.join(" "));
        let found = match holder {
            None => &mut model.roots[kind][position],
            Some(index) => &mut model.entities[index].fields[position],
        };
        found.directives.entry(subgraph).or_default().push(directive);
    }
}

/// A provided field of an entity, made external in the subgraph and shareable where it is answered.
fn provided(model: &mut Model, rng: &mut Rng, subgraph: usize, target: &str, depth: usize) -> Option<String> {
    let index = model.entities.iter().position(|one| one.name == target)?;
    let entity = &model.entities[index];
    if model.is_hidden_from(subgraph, entity) || !entity.subgraphs.contains(&subgraph) {
        return None;
    }
    let composites = model.composites(subgraph);
    let overridden = |field: &Field| field.directives.values().flatten().any(|one| one.contains("@override"));
    let suits: Vec<usize> = (0..entity.fields.len())
        .filter(|&at| {
            let field = &entity.fields[at];
            let known = LEAVES.contains(&field.ty.base.as_str()) || composites.contains(&field.ty.base);
            field.name.starts_with('f')
                && !field.owners.contains(&subgraph)
                && field.own_types.is_empty()
                && field.arguments.is_empty()
                && !overridden(field)
                && known
        })
        .collect();
    if suits.is_empty() {
        return None;
    }
    let at = *rng.pick(&suits);
    let base = entity.fields[at].ty.base.clone();
    let inner = if depth > 0 && rng.chance(50) && model.entity(&base).is_some() {
        provided(model, rng, subgraph, &base, depth - 1).map(|part| format!(" {{ {part} }}"))
    } else {
        None
    };
    let inner = match inner {
        Some(inner) => inner,
        None => below(model, rng, subgraph, &base, 2, true)?,
    };
    let field = &mut model.entities[index].fields[at];
    field.external.insert(subgraph);
    for owner in field.owners.clone() {
        let directives = field.directives.entry(owner).or_default();
        if !directives.iter().any(|one| one == "@shareable") {
            directives.push("@shareable".to_owned());
        }
    }
    Some(format!("{}{inner}", field.name))
}
