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
            && writers.iter().filter(|writer| !created(writer, target).is_empty()).count() <= 1
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
            FetchKind::Root { at, selection } => writers.push(Writer { base: &at.0, selection }),
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

/// The selections with which `writer` builds the objects at `target` from above; several when response keys share a
/// place on the way.
fn created<'a>(writer: &Writer<'a>, target: &Path) -> Vec<&'a FetchSelection> {
    let mut below = fields(&target.0);
    for base in fields(writer.base) {
        if below.next() != Some(base) {
            return Vec::new();
        }
    }
    let mut below = below.peekable();
    if below.peek().is_none() {
        return Vec::new();
    }
    below.fold(vec![writer.selection], |selections, key| {
        let fields = selections.iter().flat_map(|selection| &selection.fields);
        fields.filter(|field| field.key == key).filter_map(|field| field.selection.as_ref()).collect()
    })
}

fn conflicts(writer: &Writer<'_>, target: &Path, selection: &FetchSelection) -> bool {
    let created = created(writer, target);
    if !created.is_empty() {
        return created.iter().any(|created| share_an_object_key(created, selection));
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

#[cfg(test)]
mod tests {
    use kopitiam_plan::{Conditions, EntityGroup, Fetch, FetchField, FetchId, OperationKind, TypeId};

    use super::*;

    /// `1{2}`: key 1 holds an object with the leaf 2.
    fn selection(text: &str) -> FetchSelection {
        let mut stack = vec![FetchSelection::default()];
        for token in text.chars() {
            match token {
                '{' => stack.push(FetchSelection::default()),
                '}' => {
                    let below = stack.pop();
                    stack.last_mut().unwrap().fields.last_mut().unwrap().selection = below;
                }
                key => stack.last_mut().unwrap().fields.push(FetchField {
                    response_key: key.to_string().into(),
                    key: Key(key.to_digit(10).unwrap()),
                    selection: None,
                }),
            }
        }
        stack.pop().unwrap()
    }

    /// `1@7.2`: through key 1 of objects of type 7 to key 2.
    fn path(text: &str) -> Path {
        let step = |part: char| {
            part.to_digit(10).map_or(PathStep::On(vec![TypeId(9)]), |key| PathStep::Field(Key(key)))
        };
        Path(text.chars().map(step).collect())
    }

    /// Whether entities at `target` may be shared, given root fetches and other entity fetches.
    fn is_shareable(roots: &[&str], target: (&str, &str), others: &[(&str, &str)]) -> bool {
        let roots = roots.iter().map(|text| FetchKind::Root { at: path(""), selection: selection(text) });
        let entities = std::iter::once(&target).chain(others).map(|(at, text)| FetchKind::Entities {
            groups: vec![EntityGroup {
                response_key: "_entities".into(),
                variable: "representations".into(),
                targets: vec![path(at)],
                variants: Vec::new(),
                selection: selection(text),
                conditions: Conditions::ALWAYS,
            }],
        });
        let kinds: Vec<_> = roots.chain(entities).collect();
        let index = kinds.iter().position(|kind| matches!(kind, FetchKind::Entities { .. })).unwrap();
        let fetch = |kind| Fetch {
            id: FetchId(0),
            subgraph: "a".into(),
            document: "".into(),
            operation: OperationKind::Query,
            variables: Vec::new(),
            kind,
            depends_on: Vec::new(),
            conditions: Conditions::ALWAYS,
        };
        let plan = Plan {
            kind: OperationKind::Query,
            fetches: kinds.into_iter().map(fetch).collect(),
            keys: kopitiam_plan::KeyTable::default(),
            types: kopitiam_plan::TypeTable::default(),
            shape: kopitiam_plan::ResponseShape::default(),
        };
        analyse(&plan)[index][0][0]
    }

    #[test]
    fn one_root_and_unlike_fields_may_share() {
        assert!(is_shareable(&["1{2}"], ("1", "3"), &[]));
        assert!(is_shareable(&["1{2}"], ("1", "3"), &[("1", "4"), ("13", "5")]));
    }

    #[test]
    fn two_builders_of_the_place_may_not() {
        assert!(!is_shareable(&["1{2}", "1{4}"], ("1", "3"), &[]));
        assert!(is_shareable(&["1{2}", "5{4}"], ("1", "3"), &[]), "a builder of another place does no harm");
    }

    #[test]
    fn a_path_that_tells_places_apart_may_not() {
        assert!(!is_shareable(&["1{2{3}}"], ("12", "4"), &[("1@2", "5")]));
        assert!(!is_shareable(&["1{2{3}}"], ("1@2", "4"), &[("12", "5")]));
        assert!(is_shareable(&["1{2{3}}"], ("1@2", "4"), &[("1@2", "5")]));
        assert!(
            is_shareable(&["1{2{3}}"], ("12", "4"), &[("12@", "5")]),
            "a type of the object itself is one for all"
        );
    }

    #[test]
    fn objects_under_one_key_from_two_fetches_may_not() {
        assert!(!is_shareable(&["1{26{7}}"], ("1", "6{8}"), &[]));
        assert!(!is_shareable(&["1{2}"], ("1", "6{8}"), &[("1", "6{7}")]));
    }
}
