//! What a schema has, read from its SDL: so that a test fails over a field that nobody decided about.

use std::collections::{BTreeMap, BTreeSet};

const ROOTS: [&str; 3] = ["Query", "Mutation", "Subscription"];

/// Fails over a type, a field or a root field that a matrix of authorization says nothing about: the default is to deny.
/// `decided` has the fields of each type, apart by blanks; `roots` has the root fields.
///
/// # Panics
/// When nobody decided about one.
pub fn assert_decided<'a>(sdl: &str, decided: &[(&str, &str)], roots: impl IntoIterator<Item = &'a str>) {
    let decided: BTreeMap<&str, BTreeSet<String>> = decided
        .iter()
        .map(|(name, fields)| (*name, fields.split(' ').map(str::to_owned).collect()))
        .collect();
    for name in types(sdl) {
        // Roots are decided about one by one, and pages and payloads hold what is decided about by itself.
        let is_wrapping = ["Connection", "Edge", "Payload"].iter().any(|end| name.ends_with(end));
        if !is_wrapping && !ROOTS.contains(&name.as_str()) {
            assert_eq!(Some(&fields(sdl, &name)), decided.get(name.as_str()), "decide who reads {name}");
        }
    }
    assert_roots_decided(sdl, roots);
}

/// As [`assert_decided`], over the root fields alone.
///
/// # Panics
/// When nobody decided about one.
pub fn assert_roots_decided<'a>(sdl: &str, decided: impl IntoIterator<Item = &'a str>) {
    let decided: BTreeSet<String> = decided.into_iter().map(str::to_owned).collect();
    let roots: BTreeSet<String> = ROOTS.into_iter().flat_map(|root| fields(sdl, root)).collect();
    assert_eq!(roots, decided, "decide who may use a new root field");
}

/// The fields of an object type or interface; none when there is no such type.
pub fn fields(sdl: &str, type_name: &str) -> BTreeSet<String> {
    let starts = [format!("\ntype {type_name} "), format!("\ninterface {type_name} ")];
    let Some(start) = starts.iter().find_map(|start| sdl.find(start)) else { return BTreeSet::new() };
    let body = &sdl[start + 1..];
    let body = &body[..body.find("\n}").unwrap_or(body.len())];
    let mut is_described = false;
    let declared = body.lines().skip(1).filter_map(|line| {
        is_described ^= line.trim() == "\"\"\"";
        if is_described { None } else { field(line) }
    });
    declared.collect()
}

/// The names of all object types and interfaces.
fn types(sdl: &str) -> BTreeSet<String> {
    let names = sdl.lines().filter_map(|line| {
        let rest = line.strip_prefix("type ").or_else(|| line.strip_prefix("interface "))?;
        rest.split_whitespace().next().map(str::to_owned)
    });
    names.collect()
}

/// The field that a line of a type's body declares.
fn field(line: &str) -> Option<String> {
    let line = line.strip_prefix('\t').or_else(|| line.strip_prefix("  "))?;
    let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
    let rest = &line[name.len()..];
    (!name.is_empty() && (rest.starts_with(':') || rest.starts_with('('))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_types_are_read_and_descriptions_are_not() {
        let sdl = "extend schema @link\n\ntype A implements I @key(fields: \"id\") {\n  \"\"\"\n  Note: none (of this).\n  \"\"\"\n  \
                   id: ID!\n  rows(first: Int!): [Int!]\n}\n\ninterface I {\n\tid: ID!\n}\n\ninput B {\n  x: Int\n}\n";
        assert_eq!(fields(sdl, "A"), BTreeSet::from(["id".to_owned(), "rows".to_owned()]));
        assert_eq!(fields(sdl, "I"), BTreeSet::from(["id".to_owned()]));
        assert_eq!(fields(sdl, "C"), BTreeSet::new());
        assert_eq!(types(sdl), BTreeSet::from(["A".to_owned(), "I".to_owned()]));
    }
}
