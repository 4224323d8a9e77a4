//! Authorization requirements as data: what `@authenticated`, `@requiresScopes` and `@policy` ask together.
//!
//! A requirement is a list of alternatives, each a set of names that must all be held. Elsewhere: reading them from
//! subgraphs (`merge/directives.rs`), the rules over the merged schema (`post/auth.rs`).

use apollo_compiler::Node;
use apollo_compiler::ast::Value;

/// Alternatives; each one is sufficient. Never empty when present.
pub(crate) type Alternatives = Vec<Vec<String>>;

/// Reads a literal such as `[["a", "b"], ["c"]]`.
pub(crate) fn alternatives(value: &Value) -> Alternatives {
    let Value::List(items) = value else { return Vec::new() };
    items
        .iter()
        .map(|all| match all.as_ref() {
            Value::List(names) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            Value::String(name) => vec![name.clone()],
            _ => Vec::new(),
        })
        .collect()
}

pub(crate) fn literal(alternatives: Alternatives) -> Value {
    let list = |items: Vec<Value>| Value::List(items.into_iter().map(Node::new).collect());
    list(alternatives.into_iter().map(|all| list(all.into_iter().map(Value::String).collect())).collect())
}

/// Both requirements at once: every way to pick one alternative of each.
pub(crate) fn both(left: &[Vec<String>], right: &[Vec<String>]) -> Alternatives {
    let mut combined: Alternatives = Vec::new();
    for one in left {
        for other in right {
            let mut all = one.clone();
            all.extend(other.iter().filter(|name| !one.contains(name)).cloned());
            all.sort_unstable();
            combined.push(all);
        }
    }
    simplify(combined)
}

/// Drops alternatives that ask for more than another one.
fn simplify(mut alternatives: Alternatives) -> Alternatives {
    alternatives.sort_by_key(Vec::len);
    let mut kept: Alternatives = Vec::new();
    for all in alternatives {
        if !kept.iter().any(|fewer| fewer.iter().all(|name| all.contains(name))) {
            kept.push(all);
        }
    }
    kept
}

/// Whoever meets `strict` also meets `lax`.
pub(crate) fn implies(strict: Option<&Alternatives>, lax: Option<&Alternatives>) -> bool {
    let Some(lax) = lax else { return true };
    if lax.iter().any(Vec::is_empty) {
        return true;
    }
    strict.is_some_and(|strict| {
        strict.iter().all(|held| lax.iter().any(|needed| needed.iter().all(|name| held.contains(name))))
    })
}
