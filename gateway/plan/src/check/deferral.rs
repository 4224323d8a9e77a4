//! The proof for a response that is delivered in parts: what each part waits for, and what was delivered before it, brings
//! all of its fields.

use std::collections::BTreeSet;

use kopitiam_operation::{Conditions, FieldNode, NormalisedOperation};
use kopitiam_supergraph::Supergraph;

use super::{Checker, Gap, Tree};
use crate::{PartId, Plan};

/// Adds the gaps of the parts of a plan.
pub(super) fn check(
    supergraph: &Supergraph,
    operation: &NormalisedOperation,
    plan: &Plan,
    gaps: &mut Vec<Gap>,
) {
    let count = plan.deferral.parts.len();
    if operation.incremental.parts.len() != count {
        gaps.push(Gap {
            place: "deferral".to_owned(),
            problem: "has other parts than the operation".to_owned(),
        });
        return;
    }
    if count == 0 {
        return;
    }
    let mut above = vec![BTreeSet::new(); count];
    collect_above(&operation.selection.fields, &mut BTreeSet::new(), &mut above);
    for (number, above) in (0..).zip(&above) {
        let parts = above.iter().chain([&number]);
        let fetches: BTreeSet<usize> = parts
            .flat_map(|&part: &u32| &plan.deferral.parts[part as usize].fetches)
            .map(|fetch| fetch.0 as usize)
            .collect();
        let mut checker = Checker::new(supergraph, operation, plan, Some(PartId(number)));
        for &index in &fetches {
            if checker.before(index).iter().any(|before| !fetches.contains(before)) {
                checker.gap(format!("fetch {index}"), "waits for a fetch that its part does not wait for");
            }
            checker.fetch(index, operation.root);
        }
        checker.compare((Tree::ROOT, operation.root), &operation.selection.fields, &Conditions::ALWAYS, "");
        gaps.extend(checker.gaps.into_iter().map(|gap| {
            let place = format!("part {number}: {}", gap.place);
            Gap { place, ..gap }
        }));
    }
}

/// For each part, those that are delivered before it: the parts of the fields above its own.
fn collect_above(fields: &[FieldNode], here: &mut BTreeSet<u32>, above: &mut [BTreeSet<u32>]) {
    for field in fields {
        let part = field.part.0;
        above[part as usize].extend(here.iter().filter(|&&other| other != part));
        let is_new = here.insert(part);
        collect_above(&field.selection.fields, here, above);
        if is_new {
            here.remove(&part);
        }
    }
}
