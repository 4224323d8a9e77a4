//! Contexts over a random API: one of its subgraphs has an entity whose fields take values from above.
//!
//! That entity stands only below objects that set the context, directly or through objects of its own subgraph; or the
//! query sets it, so that it may stand anywhere. The values are fields of that subgraph, or of another one.
//!
//! Elsewhere: the API (`model.rs`), what the values are (`simulation/contexts.rs`).

use std::fmt::Write as _;

use super::super::rng::Rng;
use super::model::{Entity, Model};

/// How a context's value is selected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// One leaf of that name in all types.
    Leaf,
    /// Something else of each type.
    ByType,
    /// A leaf below a list.
    List,
    /// The runtime type.
    Typename,
}

pub(super) fn add(subgraphs: &mut [(String, String)], model: &Model, rng: &mut Rng) {
    let home = rng.below(subgraphs.len());
    let visible = |entity: &&Entity| {
        entity.subgraphs.contains(&home)
            && entity.interface.is_none()
            && model.hidden_type.as_deref() != Some(&*entity.name)
    };
    let entities: Vec<&Entity> = model.entities.iter().filter(visible).collect();
    let is_rooted = model.roots[1..].iter().all(Vec::is_empty) && rng.chance(40);
    let mut setters: Vec<&Entity> = entities.iter().copied().filter(|_| rng.chance(60)).collect();
    if setters.is_empty() && !is_rooted {
        setters.extend(entities.first());
    }
    if setters.is_empty() && !is_rooted {
        return;
    }
    let style = *rng.pick(&[Style::Leaf, Style::ByType, Style::List, Style::Typename]);
    let mut added = vec![String::new(); subgraphs.len()];
    let mut selections = Vec::new();
    let by_union = style == Style::ByType && setters.len() > 1 && rng.chance(40);
    for setter in &setters {
        let directive = if by_union { "" } else { " @context(name: \"c\")" };
        selections.push(value(&mut added, home, setter, directive, style, rng));
    }
    if by_union {
        let names: Vec<&str> = setters.iter().map(|setter| &*setter.name).collect();
        writeln!(
            added[home],
            "union CtxAny @context(name: \"c\") = {} extend type Query {{ ctxAny: [CtxAny] }}",
            names.join(" | ")
        )
        .expect("a string takes all");
    }
    if is_rooted {
        let field = if style == Style::List { "cxs: [CtxValue]" } else { "cx: String" };
        writeln!(added[home], "extend type Query @context(name: \"c\") {{ {field} ctxRoot: CtxMid }}")
            .expect("a string takes all");
        selections.push("... on Query { cx }".to_owned());
    }
    let selection = match style {
        Style::Leaf => "{ cx }".to_owned(),
        Style::List => "{ cxs { leaf } }".to_owned(),
        Style::Typename => "{ __typename }".to_owned(),
        Style::ByType => selections.join(" "),
    };
    let holders = entities
        .iter()
        .filter(|one| setters.iter().any(|setter| setter.name == one.name) || (is_rooted && rng.chance(50)));
    for holder in holders {
        writeln!(
            added[home],
            "extend type {0} {{ ctxChild: CtxChild ctxChildren: [CtxChild!] ctxMid: [CtxMid] }} \
             extend type Query {{ ctx{0}: [{0}] }}",
            holder.name
        )
        .expect("a string takes all");
    }
    let ty = if style == Style::List { "[String]" } else { "String" };
    let taken = format!("in: {ty} @fromContext(field: \"${{c}} {selection}\")").replace("${c}", "$c");
    child(&mut added, home, &taken, model, &entities, rng);
    for ((_, sdl), more) in subgraphs.iter_mut().zip(added) {
        if more.contains("@context") || more.contains("@fromContext") {
            *sdl = sdl.replacen("federation/v2.7", "federation/v2.8", 1);
            *sdl = sdl.replacen("import: [", "import: [\"@context\", \"@fromContext\", ", 1);
        }
        sdl.push_str(&more);
    }
}

/// Gives a type the field that the context selects; gives the fragment that selects it.
fn value(
    added: &mut [String],
    home: usize,
    setter: &Entity,
    directive: &str,
    style: Style,
    rng: &mut Rng,
) -> String {
    let name = &setter.name;
    let (field, selected) = match style {
        Style::List => ("cxs: [CtxValue]", "cxs { leaf }"),
        Style::ByType if rng.chance(50) => ("cv: CtxValue", "cv { more { leaf } }"),
        Style::Leaf | Style::ByType | Style::Typename => ("cx: String", "cx"),
    };
    let others: Vec<usize> = setter.subgraphs.iter().copied().filter(|&one| one != home).collect();
    let is_leaf = !field.contains("CtxValue") && style != Style::Typename;
    let (own, other) = match others.first().filter(|_| is_leaf) {
        Some(_) if rng.chance(50) => (" @external", Some("")),
        Some(_) if rng.chance(30) => (" @shareable", Some(" @shareable")),
        _ => ("", None),
    };
    writeln!(added[home], "extend type {name}{directive} {{ {field}{own} }}").expect("a string takes all");
    if let Some(other) = other {
        let owner = *rng.pick(&others);
        writeln!(added[owner], "extend type {name} {{ {field}{other} }}").expect("a string takes all");
    }
    format!("... on {name} {{ {selected} }}")
}

/// The entity that takes values from above, what leads to it, and what other subgraphs have of it.
fn child(added: &mut [String], home: usize, taken: &str, model: &Model, entities: &[&Entity], rng: &mut Rng) {
    let link = match entities {
        [] => String::new(),
        some => format!("link: {0} made({taken}): [{0}]", rng.pick(some).name),
    };
    let bang = if rng.chance(30) { "!" } else { "" };
    writeln!(
        added[home],
        "type CtxMid {{ name: String child: CtxChild mid: CtxMid children: [[CtxChild]] }} \
         type CtxValue {{ leaf: String more: CtxValue }} \
         type CtxChild @key(fields: \"id\") {{ id: ID! plain: Int sized(x: Int, {taken}): String \
         counted({taken}): Int{bang} wide({taken}): CtxMid {link} }}"
    )
    .expect("a string takes all");
    let elsewhere = (0..model.count).filter(|&one| one != home && rng.chance(40)).collect::<Vec<_>>();
    for subgraph in elsewhere {
        let known = model
            .entities
            .iter()
            .find(|entity| entity.subgraphs.contains(&subgraph) && !model.is_hidden_from(subgraph, entity));
        let back = known.map_or_else(String::new, |entity| format!("back{subgraph}: {}", entity.name));
        writeln!(
            added[subgraph],
            "type CtxChild @key(fields: \"id\") {{ id: ID! other{subgraph}: String {back} }}"
        )
        .expect("a string takes all");
    }
}
