//! The federation SDL that async-graphql prints, corrected for composition.
//!
//! Corrections: the `@link` comes first and imports only what is used; the definitions of built-in directives are left
//! out; spaces instead of tabs. Descriptions stay.

use std::fmt::Write as _;
use std::path::Path;

use async_graphql::SDLExportOptions;

/// Set it to write schema files anew instead of only comparing them.
const UPDATE_VARIABLE: &str = "UPDATE_SCHEMA";
const FEDERATION: &str = "https://specs.apollo.dev/federation/v2.5";
/// Importable federation directives, in the order they are imported.
const DIRECTIVES: [&str; 11] = [
    "@key",
    "@requires",
    "@provides",
    "@external",
    "@shareable",
    "@override",
    "@interfaceObject",
    "@requiresScopes",
    "@inaccessible",
    "@tag",
    "@composeDirective",
];

pub(super) fn export_options() -> SDLExportOptions {
    SDLExportOptions::new().federation().compose_directive()
}

/// The corrected form of an exported federation SDL.
pub fn corrected(exported: &str) -> String {
    let mut body = String::with_capacity(exported.len());
    let mut in_link = false;
    for line in exported.lines() {
        if line.starts_with("extend schema @link(") {
            in_link = true;
        }
        if in_link {
            in_link = line != ")";
            continue;
        }
        if line.starts_with("directive @") {
            drop_description(&mut body);
            continue;
        }
        let unindented = line.trim_start_matches('\t');
        let tabs = line.len() - unindented.len();
        let _ = writeln!(body, "{}{}", "  ".repeat(tabs), unindented.trim_end());
    }
    let used: Vec<String> = DIRECTIVES
        .iter()
        .filter(|directive| uses(&body, directive))
        .map(|directive| format!("\"{directive}\""))
        .collect();
    let types =
        body.split("\n\n").map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
    format!("extend schema @link(url: \"{FEDERATION}\", import: [{}])\n\n{types}\n", used.join(", "))
}

/// Cuts a description that stands at the end: that of a definition which is left out.
fn drop_description(body: &mut String) {
    const QUOTES: &str = "\"\"\"\n";
    if let Some(start) = body.strip_suffix(QUOTES).and_then(|text| text.rfind(QUOTES)) {
        body.truncate(start);
    }
}

/// Whether the directive occurs as a whole word: `@key`, not `@keyring`.
fn uses(body: &str, directive: &str) -> bool {
    body.match_indices(directive).any(|(at, _)| {
        body[at + directive.len()..].chars().next().is_none_or(|next| !next.is_ascii_alphanumeric())
    })
}

/// Compares a schema file with the code's SDL; with `UPDATE_SCHEMA=1` writes it instead.
///
/// # Errors
/// A sentence that says what to do, when the file is missing or stale.
pub fn check_schema_file(path: &Path, sdl: &str) -> Result<(), String> {
    if std::env::var_os(UPDATE_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return std::fs::write(path, sdl)
            .map_err(|error| format!("cannot write {}: {error}", path.display()));
    }
    match std::fs::read_to_string(path) {
        Ok(found) if found == sdl => Ok(()),
        Ok(_) => Err(format!("{} is stale: run the test with {UPDATE_VARIABLE}=1", path.display())),
        Err(error) => Err(format!("{}: {error}; run the test with {UPDATE_VARIABLE}=1", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_used_directives_are_imported_and_no_built_in_is_defined() {
        let exported = "type A @key(fields: \"id\") {\n\tid: ID! @tag(name: \"x\")\n}\n\n\
                        \"\"\"\nSkips.\n\"\"\"\ndirective @skip(if: Boolean!) on FIELD\n\
                        extend schema @link(\n\turl: \"…\",\n\timport: [\"@key\"]\n)\n";
        assert_eq!(
            corrected(exported),
            "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.5\", import: [\"@key\", \"@tag\"])\n\n\
             type A @key(fields: \"id\") {\n  id: ID! @tag(name: \"x\")\n}\n"
        );
    }
}
