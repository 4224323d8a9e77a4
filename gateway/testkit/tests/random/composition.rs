//! What holds of composition for any subgraphs: those of the random worlds, and the same with a part changed.

use std::collections::BTreeSet;

use kopitiam_composition::{Composed, Diagnostic, Subgraph, compose};
use kopitiam_supergraph::Supergraph;
use kopitiam_testkit::simulation::{Rng, random_subgraphs};

use super::number;

fn subgraphs(seed: u64) -> Vec<Subgraph> {
    let named = |(name, sdl)| Subgraph { url: format!("http://{name}"), name, sdl };
    random_subgraphs(seed).into_iter().map(named).collect()
}

fn codes(diagnostics: &[Diagnostic]) -> BTreeSet<&'static str> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// The outcome in one form: the supergraph, or the codes.
fn outcome(subgraphs: &[Subgraph]) -> Result<String, BTreeSet<&'static str>> {
    compose(subgraphs).map(|composed| composed.supergraph_sdl).map_err(|errors| codes(&errors))
}

fn shuffled(subgraphs: &[Subgraph], rng: &mut Rng) -> Vec<Subgraph> {
    let mut rest = subgraphs.to_vec();
    let mut found = Vec::new();
    while !rest.is_empty() {
        found.push(rest.swap_remove(rng.below(rest.len())));
    }
    found
}

/// Everything that a subgraph defines is there when the supergraph is read.
fn reads_back(subgraphs: &[Subgraph], composed: &Composed, seed: u64) {
    let supergraph = Supergraph::parse(&composed.supergraph_sdl)
        .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", composed.supergraph_sdl));
    for (id, subgraph) in supergraph.subgraph_ids().zip(supergraph.subgraphs()) {
        let given = subgraphs.iter().find(|given| *given.name == *subgraph.name);
        let given = given.unwrap_or_else(|| panic!("seed {seed}: nobody gave {}", subgraph.name));
        assert_eq!(*given.url, *subgraph.url, "seed {seed}");
        let document = apollo_compiler::ast::Document::parse(given.sdl.as_str(), "subgraph.graphql")
            .expect("what composes is GraphQL");
        for definition in &document.definitions {
            let (name, fields) = match definition {
                apollo_compiler::ast::Definition::ObjectTypeDefinition(found) => (&found.name, &found.fields),
                apollo_compiler::ast::Definition::InterfaceTypeDefinition(found) => {
                    (&found.name, &found.fields)
                }
                _ => continue,
            };
            let ty = supergraph.type_id(name).unwrap_or_else(|| panic!("seed {seed}: {name} is lost"));
            assert!(supergraph.type_in(id, ty).is_some(), "seed {seed}: {}.{name} is lost", given.name);
            for field in fields {
                // Who lost a field to another subgraph, or has not got it yet, may have no view of it.
                if composed.supergraph_sdl.contains("override: ")
                    && supergraph.field_in(id, ty, &field.name).is_none()
                {
                    continue;
                }
                let is_unused = field.directives.has("external");
                let view = supergraph.field_in(id, ty, &field.name);
                let place = format!("seed {seed}: {}.{name}.{}", given.name, field.name);
                match view {
                    Some(view) => assert_eq!(view.ty, field.ty, "{place}"),
                    None => assert!(is_unused, "{place} is lost"),
                }
            }
        }
    }
}

#[test]
fn valid_subgraphs_compose_whatever_their_order_and_are_read_back() {
    let (first, count) = (number("KOPITIAM_SEED", 0), number("KOPITIAM_CASES", 40));
    let mut composed = 0;
    for seed in first..first + count {
        let subgraphs = subgraphs(seed);
        let mut rng = Rng::new(seed);
        match compose(&subgraphs) {
            Ok(found) => {
                composed += 1;
                reads_back(&subgraphs, &found, seed);
                for _ in 0..3 {
                    let again = outcome(&shuffled(&subgraphs, &mut rng));
                    assert_eq!(again.as_ref(), Ok(&found.supergraph_sdl), "seed {seed}: the order matters");
                }
            }
            Err(errors) => {
                let again = outcome(&shuffled(&subgraphs, &mut rng));
                assert_eq!(again, Err(codes(&errors)), "seed {seed}: the order matters");
            }
        }
    }
    assert!(composed * 10 > count * 9, "most of them compose, only {composed} did");
}

/// The words and signs of a text, with what stands between them.
fn tokens(sdl: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut was_word = false;
    for letter in sdl.chars() {
        let is_word = letter.is_alphanumeric() || letter == '_';
        match found.last_mut() {
            Some(last) if is_word && was_word => last.push(letter),
            _ => found.push(letter.to_string()),
        }
        was_word = is_word;
    }
    found
}

/// One subgraph with a word or a sign gone, doubled, or another in its place.
fn changed(subgraphs: &[Subgraph], rng: &mut Rng) -> Vec<Subgraph> {
    let mut found = subgraphs.to_vec();
    let at = rng.below(found.len());
    let other = tokens(&rng.pick(subgraphs).sdl);
    let mut own = tokens(&found[at].sdl);
    let is_word = |token: &String| token.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    // The line that makes it one of Federation 2 stays.
    let start = own.iter().position(|token| token == "\n").unwrap_or_default();
    for _ in 0..=rng.below(2) {
        let place = start + rng.below(own.len() - start);
        let words: Vec<String> = other.iter().filter(|token| is_word(token)).cloned().collect();
        match rng.below(6) {
            0 => drop(own.remove(place)),
            1 => own.insert(place, own[place].clone()),
            2 => own[place].clone_from(rng.pick(&other)),
            _ => {
                let word = (place..own.len()).find(|&index| is_word(&own[index]));
                if let Some(word) = word {
                    own[word].clone_from(rng.pick(&words));
                }
            }
        }
    }
    found[at].sdl = own.concat();
    found
}

#[test]
fn changed_subgraphs_compose_or_are_refused_with_a_code_and_a_place() {
    let (first, count) = (number("KOPITIAM_SEED", 0), number("KOPITIAM_CASES", 6));
    let (mut composed, mut refused) = (0, BTreeSet::new());
    for seed in first..first + count {
        let subgraphs = subgraphs(seed);
        let mut rng = Rng::new(seed);
        for _ in 0..30 {
            let changed = changed(&subgraphs, &mut rng);
            match compose(&changed) {
                Ok(found) => {
                    composed += 1;
                    reads_back(&changed, &found, seed);
                }
                Err(errors) => {
                    assert!(!errors.is_empty(), "seed {seed}: refused without a reason");
                    for error in &errors {
                        has_a_place(&changed, error, seed);
                    }
                    refused.extend(codes(&errors));
                }
            }
        }
    }
    println!("{composed} of {} composed; codes: {refused:?}", count * 30);
    assert!(composed > 0 && refused.len() > 5, "{composed} composed, {refused:?}");
}

fn has_a_place(subgraphs: &[Subgraph], error: &Diagnostic, seed: u64) {
    let code = error.code;
    assert!(
        !code.is_empty() && code.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'),
        "seed {seed}: {error}"
    );
    assert!(!error.message.is_empty(), "seed {seed}: {code} says nothing");
    assert!(!error.locations.is_empty(), "seed {seed}: {error} has no place");
    for place in &error.locations {
        let given = subgraphs.iter().find(|given| given.name == place.subgraph);
        let given = given.unwrap_or_else(|| panic!("seed {seed}: {error} is nowhere"));
        let line = given.sdl.split('\n').nth(place.line.wrapping_sub(1));
        let line = line.unwrap_or_else(|| panic!("seed {seed}: {error} is beyond the end"));
        // The end of the text stands behind the line's end.
        assert!(
            (1..=line.chars().count() + 2).contains(&place.column),
            "seed {seed}: {error} is beyond the end of {line:?}"
        );
    }
}
