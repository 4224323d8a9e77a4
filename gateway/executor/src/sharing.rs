//! Decides at which paths equal entities may be one object of the response tree.
//!
//! One product at a hundred places is fetched once and should be merged and written once. Sharing an object is right
//! when everything that is ever merged into it, or into what hangs below it, is the same for all its places. That
//! fails when
//! - another fetch reaches some of the places only, because its path asks for other types on the way there, or
//! - several fetches build the object itself, so that places may differ in content (shared root fields, merged by
//!   position), or
//! - another fetch gives an object under the same key at this path, which is then merged into the shared one, or
//! - another fetch takes something from objects further up (`@fromContext`), so that it differs by place.
//!
//! The same holds for objects inside one answer that are equal byte for byte: [`equal_objects`].
//!
//! In: a plan. Out: one Boolean for each target of each entity group, and for each object that an answer holds. Where it
//! is false every place gets an object of its own. The answer is conservative: an object of its own is always right.

use std::collections::HashSet;

use kopitiam_plan::{
    EntityGroup, FetchField, FetchKind, FetchSelection, GroupContexts, Key, Path, PathStep, Plan,
};

/// A place that some fetch writes to.
struct Writer<'a> {
    /// Which root fetch or entity group this is; its targets have the same.
    group: usize,
    base: &'a [PathStep],
    selection: &'a FetchSelection,
    /// How many fields above its base it depends on what stands there.
    up: usize,
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
    let mut group = 0;
    for fetch in &plan.fetches {
        match &fetch.kind {
            FetchKind::Root { at, selection } => {
                let paths = at.iter().map(|path| path.0.as_slice());
                let root: &[PathStep] = &[];
                let bases = paths.chain(at.is_empty().then_some(root));
                writers.extend(bases.map(|base| Writer { group, base, selection, up: 0 }));
                group += 1;
            }
            FetchKind::Entities { groups } => {
                for EntityGroup { targets, selection, contexts, .. } in groups {
                    let up = contexts.iter().flat_map(GroupContexts::sources).map(|source| source.up);
                    let up = up.max().map_or(0, |up| up as usize);
                    writers.extend(targets.iter().map(|target| Writer {
                        group,
                        base: &target.0,
                        selection,
                        up,
                    }));
                    group += 1;
                }
            }
        }
    }
    writers
}

/// The objects of answers that may be one object of the tree wherever they are equal byte for byte: the addresses of
/// their selections in the plan.
#[derive(Debug, Default)]
pub(crate) struct EqualObjects(HashSet<usize>);

impl EqualObjects {
    /// Whether objects of this selection may.
    pub(crate) fn contains(&self, selection: &FetchSelection) -> bool {
        self.0.contains(&std::ptr::from_ref(selection).addr())
    }
}

/// Comparisons that the analysis of one plan may take; beyond it nothing more is shared.
const COMPARISONS_MAX: usize = 200_000;

/// Which objects inside an answer, below its root, may be one where they are equal.
///
/// Whatever is merged into such an object, or into what hangs below it, must be merged at all its places alike. What
/// entity fetches give follows from the object's own content, so it is enough that
/// - no other fetch builds the object too: that is merged by position, and
/// - a fetch that reaches it, or something below it, reaches it at all places: its path asks for no types on the way
///   there but those of the place's own path, it reaches all the targets that the answer goes to, and takes nothing from
///   above the place.
///
/// An answer with errors is not parsed this way: they name single places.
pub(crate) fn equal_objects(plan: &Plan) -> EqualObjects {
    let writers = writers(plan);
    let mut found = EqualObjects::default();
    let mut comparisons = 0;
    let mut start = 0;
    while start < writers.len() {
        let own = writers[start..].iter().take_while(|writer| writer.group == writers[start].group).count();
        let group = &writers[start..start + own];
        start += own;
        let mut open: Vec<(Vec<Key>, &FetchField)> =
            group[0].selection.fields.iter().map(|field| (Vec::new(), field)).collect();
        while let Some((mut path, field)) = open.pop() {
            let Some(selection) = &field.selection else { continue };
            comparisons += writers.len() * own;
            if comparisons > COMPARISONS_MAX {
                return found;
            }
            path.push(field.key);
            if group.iter().all(|base| is_alike(&writers, group, base, &path)) {
                found.0.insert(std::ptr::from_ref(selection).addr());
            }
            open.extend(selection.fields.iter().map(|field| (path.clone(), field)));
        }
    }
    found
}

/// Whether all that is merged at `path` below `base`, or further down, is merged at all places alike.
fn is_alike(writers: &[Writer<'_>], group: &[Writer<'_>], base: &Writer<'_>, path: &[Key]) -> bool {
    let place = |base: &Writer<'_>| {
        let below = path.iter().map(|key| PathStep::Field(*key));
        Path(base.base.iter().cloned().chain(below).collect())
    };
    let here = place(base);
    let depth = fields(&here.0).count();
    writers.iter().all(|writer| {
        let is_base = writer.group == base.group && writer.base == base.base;
        if created(writer, &here).len() != usize::from(is_base) {
            return false;
        }
        let reaches =
            fields(writer.base).count() >= depth && fields(writer.base).take(depth).eq(fields(&here.0));
        if !reaches {
            return true;
        }
        if depends_on_above(writer, depth) {
            return false;
        }
        let Some(rest) = writer.base.strip_prefix(&*here.0) else { return false };
        let reaches_too = |other: &Writer<'_>| {
            let there = Path([&*place(other).0, rest].concat());
            writers.iter().any(|writer_too| writer_too.group == writer.group && writer_too.base == there.0)
        };
        group.iter().all(reaches_too)
    })
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

/// Whether what a writer below a place of this depth gives differs by what stands above the place.
fn depends_on_above(writer: &Writer<'_>, depth: usize) -> bool {
    fields(writer.base).count() < depth + writer.up && writer.up > 0
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
    depends_on_above(writer, depth)
        || up_to_field(writer.base, depth) != up_to_field(&target.0, depth)
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
    use kopitiam_plan::{Conditions, ContextSource, ContextVariable, Fetch, FetchId, OperationKind, TypeId};

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

    /// `1@7.2`: through key 1 of objects of type 7 to key 2; `^` behind it: takes a value from one field above.
    fn path(text: &str) -> Path {
        let step = |part: char| {
            part.to_digit(10).map_or(PathStep::On(vec![TypeId(9)]), |key| PathStep::Field(Key(key)))
        };
        Path(text.trim_end_matches('^').chars().map(step).collect())
    }

    fn contexts(up: usize) -> Option<GroupContexts> {
        let source = ContextSource { up: u32::try_from(up).unwrap(), on: Vec::new(), value: Vec::new() };
        let variable = ContextVariable { name: "c".into(), ty: "Int".into(), sources: vec![source] };
        (up > 0).then_some(GroupContexts { variables: vec![variable], declarations: 0..0, field: 0..0 })
    }

    /// The paths, from the answer's root, of the objects in the answer of the first of `entities` that may be one where
    /// they are equal.
    fn equal(roots: &[&str], entities: &[(&[&str], &str)]) -> Vec<String> {
        let plan = plan(roots, entities);
        let found = equal_objects(&plan);
        let index = plan.fetches.iter().position(|fetch| matches!(fetch.kind, FetchKind::Entities { .. }));
        let selection = match &plan.fetches[index.unwrap_or(0)].kind {
            FetchKind::Root { selection, .. } => selection,
            FetchKind::Entities { groups } => &groups[0].selection,
        };
        let mut paths = Vec::new();
        let mut open = vec![(String::new(), selection)];
        while let Some((path, selection)) = open.pop() {
            for field in &selection.fields {
                let Some(below) = &field.selection else { continue };
                let path = format!("{path}{}", field.key.0);
                if found.contains(below) {
                    paths.push(path.clone());
                }
                open.push((path, below));
            }
        }
        paths.sort();
        paths
    }

    #[test]
    fn equal_objects_of_an_answer_may_be_one() {
        assert_eq!(equal(&["1{2{3}4{5{6}}}"], &[]), ["1", "12", "14", "145"]);
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{4{5}}")]), ["3", "34"]);
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{4{5}}"), (&["13", "134"], "7")]), ["3", "34"]);
    }

    #[test]
    fn equal_objects_that_two_fetches_build_may_not() {
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{4{5}}"), (&["1"], "3{6}")]), ["34"]);
        assert_eq!(equal(&["1{2{9}}"], &[(&["1"], "2{3}")]), [""; 0]);
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{4}3{5}")]), [""; 0]);
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{3{4}}"), (&["13"], "3{5}")]), ["3"]);
    }

    #[test]
    fn equal_objects_that_a_later_fetch_tells_apart_may_not() {
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{4{5}}"), (&["1@34"], "7")]), [""; 0]);
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{4{5}}"), (&["13@4"], "7")]), ["3"]);
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{4{5}}"), (&["134@"], "7")]), ["3", "34"]);
        assert_eq!(equal(&["1{2}"], &[(&["1@"], "3{4{5}}"), (&["1@34"], "7")]), ["3", "34"]);
    }

    #[test]
    fn what_reaches_one_target_of_an_answer_and_not_the_other_tells_them_apart() {
        let roots = &["1{2}6{2}"];
        assert_eq!(equal(roots, &[(&["1", "6"], "3{4}")]), ["3"]);
        assert_eq!(equal(roots, &[(&["1", "6"], "3{4}"), (&["13"], "7")]), [""; 0]);
        assert_eq!(equal(roots, &[(&["1", "6"], "3{4}"), (&["13", "63"], "7")]), ["3"]);
        assert_eq!(equal(roots, &[(&["1", "6"], "3{4}"), (&["13"], "7"), (&["63"], "7")]), [""; 0]);
    }

    #[test]
    fn the_analysis_of_a_large_plan_ends() {
        let wide: String = (0..2000).map(|_| "1{2{3}}").collect();
        let fetches: Vec<(&[&str], &str)> = vec![(&["1"], &wide); 200];
        equal(&["1{2}"], &fetches);
    }

    /// Whether entities at `target` may be shared, given root fetches and other entity fetches.
    fn is_shareable(roots: &[&str], target: (&str, &str), others: &[(&str, &str)]) -> bool {
        let all: Vec<_> = std::iter::once(&target).chain(others).map(|(at, text)| ([*at], *text)).collect();
        let entities: Vec<_> = all.iter().map(|(at, text)| (&at[..], *text)).collect();
        let plan = plan(roots, &entities);
        analyse(&plan)[roots.len()][0][0]
    }

    fn plan(roots: &[&str], entities: &[(&[&str], &str)]) -> Plan {
        let roots = roots.iter().map(|text| FetchKind::Root { at: Vec::new(), selection: selection(text) });
        let entities = entities.iter().map(|(targets, text)| FetchKind::Entities {
            groups: vec![EntityGroup {
                response_key: "_entities".into(),
                variable: "representations".into(),
                targets: targets.iter().map(|target| path(target)).collect(),
                variants: Vec::new(),
                selection: selection(text),
                conditions: Conditions::ALWAYS,
                contexts: contexts(targets[0].matches('^').count()),
            }],
        });
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
        Plan {
            kind: OperationKind::Query,
            fetches: roots.chain(entities).map(fetch).collect(),
            keys: kopitiam_plan::KeyTable::default(),
            types: kopitiam_plan::TypeTable::default(),
            shape: kopitiam_plan::ResponseShape::default(),
            deferral: kopitiam_plan::Deferral::default(),
        }
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
    fn places_with_other_objects_above_may_not_when_a_fetch_takes_values_from_those() {
        assert!(!is_shareable(&["1{2{3}}"], ("12", "4"), &[("12^", "5")]));
        assert!(!is_shareable(&["1{2{3}}"], ("12", "4"), &[("124^^", "5")]));
        assert!(is_shareable(&["1{2{3}}"], ("1", "4"), &[("12^", "5")]), "from the object itself");
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{4{5}}"), (&["134^"], "7")]), ["3"]);
        assert_eq!(equal(&["1{2}"], &[(&["1"], "3{4{5}}"), (&["134^^"], "7")]), [""; 0]);
    }

    #[test]
    fn objects_under_one_key_from_two_fetches_may_not() {
        assert!(!is_shareable(&["1{26{7}}"], ("1", "6{8}"), &[]));
        assert!(!is_shareable(&["1{2}"], ("1", "6{8}"), &[("1", "6{7}")]));
    }
}
