//! Under what something stands in the shared store.
//!
//! Always: an entry's name is the same for all gateways with the same secret and the same settings, different for all others,
//! and tells nothing of the credential behind it to whoever has not got the secret (HMAC-SHA256).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::key::Key;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Names {
    prefix: Box<str>,
    keyed: Hmac<Sha256>,
}

impl Names {
    pub(super) fn new(prefix: &str, secret: &[u8], answers_depend_on: &[u8]) -> Self {
        let keyed = Hmac::new_from_slice(secret).expect("any length is a key");
        Self { prefix: prefix.into(), keyed: with_length(keyed, answers_depend_on) }
    }

    pub(super) fn epoch(&self) -> String {
        format!("{}epoch", self.prefix)
    }

    pub(super) fn label(&self, label: &str) -> String {
        format!("{}label:{label}", self.prefix)
    }

    /// The names of entries. What they have in common is read once.
    pub(super) fn entries(&self, keys: &[&Key]) -> Vec<String> {
        let mut scopes: Vec<(&Arc<[u8]>, Hmac<Sha256>)> = Vec::new();
        let mut names = Vec::with_capacity(keys.len());
        for &key in keys {
            let (scope, part) = key.scope_and_part();
            let known = scopes.iter().rposition(|(known, _)| Arc::ptr_eq(known, scope));
            let at = known.unwrap_or_else(|| {
                scopes.push((scope, with_length(self.keyed.clone(), scope)));
                scopes.len() - 1
            });
            let digest = scopes[at].1.clone().chain_update(part).finalize().into_bytes();
            names.push(format!("{}entry:{}", self.prefix, URL_SAFE_NO_PAD.encode(digest)));
        }
        names
    }
}

/// Takes an item in, with its length before it: no two lists of items are taken in alike.
fn with_length(keyed: Hmac<Sha256>, item: &[u8]) -> Hmac<Sha256> {
    keyed.chain_update((item.len() as u64).to_le_bytes()).chain_update(item)
}

#[cfg(test)]
mod tests {
    use super::super::super::key::ScopeWriter;
    use super::*;

    fn name(names: &Names, items: &[&str], credential: Option<&str>, part: &str) -> String {
        // As in another process: other seeds, other places in memory.
        let hasher = ahash::RandomState::new();
        let mut scope = ScopeWriter::default();
        for item in items {
            scope.item(item.as_bytes());
        }
        let (shared, own) = scope.finish(credential.map(str::as_bytes), &hasher);
        let key = Key::new(&own.unwrap_or(shared), &part.as_bytes().into());
        names.entries(&[&key]).remove(0)
    }

    #[test]
    fn an_entry_has_one_name_in_every_process_and_no_other_entry_has_it() {
        let names = Names::new("p:", b"secret", b"settings");
        let is = name(&names, &["a", "b"], Some("token"), "part");
        assert_eq!(is, name(&Names::new("p:", b"secret", b"settings"), &["a", "b"], Some("token"), "part"));
        assert!(is.starts_with("p:entry:") && is.len() == "p:entry:".len() + 43, "{is}");
        for other in [
            name(&names, &["ab"], Some("token"), "part"),
            name(&names, &["a", "b"], Some("token2"), "part"),
            name(&names, &["a", "b"], None, "part"),
            name(&names, &["a", "b"], Some("token"), "par"),
            name(&Names::new("p:", b"Secret", b"settings"), &["a", "b"], Some("token"), "part"),
            name(&Names::new("p:", b"secret", b"other"), &["a", "b"], Some("token"), "part"),
        ] {
            assert_ne!(is, other);
        }
    }

    #[test]
    fn names_of_several_entries_are_those_of_each_alone() {
        let hasher = ahash::RandomState::new();
        let (shared, own) = ScopeWriter::default().finish(Some(b"token"), &hasher);
        let own = own.unwrap();
        let keys = [(&own, "1"), (&shared, "1"), (&own, "2"), (&shared, "2")];
        let keys = keys.map(|(scope, part)| Key::new(scope, &part.as_bytes().into()));
        let names = Names::new("", b"secret", b"");
        let all = names.entries(&keys.iter().collect::<Vec<_>>());
        let alone: Vec<String> = keys.iter().map(|key| names.entries(&[key]).remove(0)).collect();
        assert_eq!(all, alone);
        assert_eq!(std::collections::BTreeSet::from_iter(all).len(), 4);
    }
}
