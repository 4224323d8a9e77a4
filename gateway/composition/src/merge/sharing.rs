//! Who may resolve a field that another subgraph resolves too.

use super::Merger;
use super::fields::Source;
use super::model::MergedType;
use super::overrides::Fate;
use crate::federation::Fed;
use crate::model::{Place, has};

impl Merger<'_> {
    /// A field that several subgraphs resolve must be shareable in each of them.
    pub(super) fn check_sharing(&mut self, parent: &MergedType, coordinate: &str, sources: &[Source<'_>]) {
        // During a progressive override the two sides resolve the field in turn, which is no sharing.
        let resolving: Vec<&Source<'_>> = sources
            .iter()
            .filter(|source| source.fate == Fate::Kept && !source.field.facts.fully_external())
            .collect();
        let selfish: Vec<&Source<'_>> =
            resolving.iter().copied().filter(|source| !source.field.facts.shareable()).collect();
        if parent.name == "Subscription"
            && sources.iter().any(|source| has(&source.field.directives, Fed::Shareable))
        {
            let message = format!(
                "field \"{coordinate}\" of the root subscription object cannot be marked as shareable"
            );
            self.error("INVALID_FIELD_SHARING", message, sources.iter().map(Source::at).collect::<Vec<_>>());
            return;
        }
        if resolving.len() < 2 || selfish.is_empty() {
            return;
        }
        let which = if selfish.len() == resolving.len() {
            "all of them".to_owned()
        } else {
            self.named(selfish.iter().map(|source| source.subgraph))
        };
        let message = format!(
            "non-shareable field \"{coordinate}\" is resolved from multiple subgraphs: it is resolved from {} and \
             defined as non-shareable in {which}",
            self.named(resolving.iter().map(|source| source.subgraph)),
        );
        let places: Vec<(usize, Place)> = resolving.iter().map(|source| source.at()).collect();
        self.error("INVALID_FIELD_SHARING", message, places);
    }
}
