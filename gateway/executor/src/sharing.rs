//! Decides at which paths equal entities may be one object of the response tree.
//!
//! One product at a hundred places is fetched once and should be merged and written once. Sharing an object is right
//! when everything that is ever merged into it, or into what hangs below it, is the same for all its places. That
//! fails when
//! - another fetch reaches some of the places only, because its path asks for other types on the way there, or
//! - several fetches build the object itself, so that places may differ in content (shared root fields, merged by
//!   position), or
//! - another fetch gives an object under the same key at this path, which is then merged into the shared one.
//!
//! In: a plan. Out: one Boolean for each target of each entity group. Where it is false every place gets a copy of
//! its own. The answer is conservative: a copy is always right.

use kopitiam_plan::{FetchKind, FetchSelection, Key, Path, PathStep, Plan};

/// A place that some fetch writes to.
struct Writer<'a> {
    base: &'a [PathStep],
    selection: &'a FetchSelection,
}

/// For each fetch, for each of its groups, for each target: may equal entities be shared?
pub(crate) fn analyse(plan: &Plan) -> Vec<Vec<Vec<bool>>> {
    let writers = writers(plan);
    let may_share = |selection: &FetchSelection, target: &Path| {
        writers
            .iter()
            .filter(|writer| {
                !(std::ptr::eq(writer.base, &raw const *target.0) && is_same(writer.selection, selection))
            })
            .all(|writer| !conflicts(writer, target, selection))
            && writers.iter().filter(|writer| creates(writer, target).is_some()).count() <= 1
    };
    plan.fetches
        .iter()
        .map(|fetch| match &fetch.kind {
            FetchKind::Root { .. } => Vec::new(),
            FetchKind::Entities { groups } => groups
                .iter()
                .map(|group| group.targets.iter().map(|target| may_share(&group.selection, target)).collect())
                .collect(),
        })
        .collect()
}

fn is_same(left: &FetchSelection, right: &FetchSelection) -> bool {
    std::ptr::eq(left, right)
}

fn writers(plan: &Plan) -> Vec<Writer<'_>> {
    let mut writers = Vec::new();
    for fetch in &plan.fetches {
        match &fetch.kind {
            FetchKind::Root { selection } => writers.push(Writer { base: &[], selection }),
            FetchKind::Entities { groups } => {
                for group in groups {
                    let targets = group.targets.iter();
                    writers.extend(
                        targets.map(|target| Writer { base: &target.0, selection: &group.selection }),
                    );
                }
            }
        }
    }
    writers
}

fn fields(path: &[PathStep]) -> impl Iterator<Item = Key> {
    path.iter().filter_map(|step| match step {
        PathStep::Field(key) => Some(*key),
        PathStep::On(_) => None,
    })
}

/// The steps up to and with the path's `count`-th field; type conditions after it concern the object itself.
fn up_to_field(path: &[PathStep], count: usize) -> &[PathStep] {
    let mut seen = 0;
    let end = path.iter().position(|step| {
        seen += usize::from(matches!(step, PathStep::Field(_)));
        seen == count
    });
    if count == 0 { &[] } else { &path[..end.map_or(path.len(), |end| end + 1)] }
}

/// The selection with which `writer` builds the objects at `target`, when it does so from above.
fn creates<'a>(writer: &Writer<'a>, target: &Path) -> Option<&'a FetchSelection> {
    let mut below = fields(&target.0);
    for base in fields(writer.base) {
        if below.next() != Some(base) {
            return None;
        }
    }
    let mut selection = writer.selection;
    let mut steps = 0;
    for key in below {
        let field = selection.fields.iter().find(|field| field.key == key && field.selection.is_some())?;
        selection = field.selection.as_ref()?;
        steps += 1;
    }
    (steps > 0).then_some(selection)
}

fn conflicts(writer: &Writer<'_>, target: &Path, selection: &FetchSelection) -> bool {
    if let Some(created) = creates(writer, target) {
        return share_an_object_key(created, selection);
    }
    let depth = fields(&target.0).count();
    let reaches =
        fields(writer.base).count() >= depth && fields(writer.base).take(depth).eq(fields(&target.0));
    if !reaches {
        return false;
    }
    let is_at_target = fields(writer.base).count() == depth;
    up_to_field(writer.base, depth) != up_to_field(&target.0, depth)
        || (is_at_target && share_an_object_key(writer.selection, selection))
}

fn share_an_object_key(left: &FetchSelection, right: &FetchSelection) -> bool {
    let objects = |selection: &FetchSelection| {
        selection.fields.iter().filter(|f| f.selection.is_some()).map(|f| f.key).collect::<Vec<_>>()
    };
    let right = objects(right);
    objects(left).iter().any(|key| right.contains(key))
}
