//! What a request's document brings into the tree, checked against what its subgraph defines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use apollo_compiler::{Name, Node, ast};
use kopitiam_operation::Conditions;
use kopitiam_supergraph::{FieldSet, FieldView, SubgraphId, TypeId, TypeKind, TypeSet};

use super::{
    Checker,
    contexts::Above,
    tree::{Fill, PlaceId, Tree},
};
use crate::{FetchKind, FetchSelection, Key, RepresentationField};

/// Where the walk through a document stands.
pub(super) struct At {
    pub(super) fetch: usize,
    pub(super) subgraph: SubgraphId,
    pub(super) place: PlaceId,
    /// The selection set's type in the subgraph; `None` directly below `_entities`.
    pub(super) static_type: Option<TypeId>,
    /// Runtime types that may stand here.
    pub(super) types: TypeSet,
    pub(super) provided: FieldSet,
    /// From the operation's root.
    pub(super) conditions: Conditions,
    /// What the representations have, directly below an entity.
    pub(super) inputs: Option<Vec<RepresentationField>>,
    /// What stands above it, and is taken from there.
    pub(super) above: Option<Rc<Above>>,
}

impl Checker<'_> {
    pub(super) fn fetch(&mut self, index: usize, root: TypeId) {
        let fetch = &self.plan.fetches[index];
        let label = format!("fetch {index} ({})", fetch.subgraph);
        let Ok(document) = ast::Document::parse(&*fetch.document, "request.graphql") else {
            return self.gap(label, "its document does not parse");
        };
        let operation = document.definitions.first().and_then(|found| found.as_operation_definition());
        let fragments: Fragments<'_> = document
            .definitions
            .iter()
            .filter_map(|found| found.as_fragment_definition())
            .map(|found| (&found.name, found))
            .collect();
        let (Some(operation), Some(subgraph)) = (operation, self.supergraph.subgraph_id(&fetch.subgraph))
        else {
            return self.gap(label, "has no operation or no known subgraph");
        };
        let Some(selections) = in_place(&operation.selection_set, &fragments, FRAGMENTS_NESTED_MAX) else {
            return self.gap(label, "spreads a fragment that it does not define");
        };
        match &fetch.kind {
            FetchKind::Root { at: paths, selection } => {
                let mut places = Vec::new();
                for path in paths {
                    places.extend(self.root_places(index, path, &label));
                }
                if paths.is_empty() {
                    places.push((Tree::ROOT, root, Conditions::ALWAYS));
                }
                for (place, ty, there) in places {
                    let at = At {
                        fetch: index,
                        subgraph,
                        place,
                        static_type: Some(ty),
                        types: TypeSet::one(ty),
                        provided: FieldSet::default(),
                        conditions: fetch.conditions.and(&there).unwrap_or_default(),
                        inputs: None,
                        above: None,
                    };
                    self.walk(&selections, &at, selection);
                }
            }
            FetchKind::Entities { groups } => {
                for group in groups {
                    let field = selections.iter().find_map(|selection| {
                        selection.as_field().filter(|field| *field.response_name() == *group.response_key)
                    });
                    match field {
                        Some(field) => self.group(index, subgraph, group, &field.selection_set),
                        None => self.gap(label.clone(), format!("asks no {}", group.response_key)),
                    }
                }
            }
        }
    }

    pub(super) fn walk(&mut self, selections: &[ast::Selection], at: &At, take: &FetchSelection) {
        for selection in selections {
            let Some(conditions) = at.conditions.and(&own_conditions(directives(selection))) else {
                continue;
            };
            match selection {
                ast::Selection::Field(field) => self.walk_field(field, at, take, &conditions),
                ast::Selection::InlineFragment(fragment) => {
                    let static_type = match &fragment.type_condition {
                        Some(name) => self.supergraph.type_id(name),
                        None => at.static_type,
                    };
                    let inner = self.narrowed(at, static_type, conditions);
                    self.walk(&fragment.selection_set, &inner, take);
                }
                // All were put in place before.
                ast::Selection::FragmentSpread(_) => {}
            }
        }
    }

    /// Into a fragment. Below `_entities` an interface's name stands for all types that entered by it.
    fn narrowed(&mut self, at: &At, static_type: Option<TypeId>, conditions: Conditions) -> At {
        let known = static_type.and_then(|ty| self.supergraph.type_in(at.subgraph, ty));
        if known.is_none() && static_type.is_some() {
            self.gap(self.label(at), "has a fragment on a type that the subgraph does not define");
        }
        let possible = known.map(|view| view.possible.clone()).unwrap_or_default();
        At {
            static_type,
            types: at.types.and(&possible),
            provided: at.provided.clone(),
            conditions,
            inputs: at.inputs.clone(),
            above: at.above.clone(),
            ..*at
        }
    }

    fn label(&self, at: &At) -> String {
        format!("fetch {} ({})", at.fetch, self.plan.fetches[at.fetch].subgraph)
    }

    fn walk_field(&mut self, field: &ast::Field, at: &At, take: &FetchSelection, conditions: &Conditions) {
        let fill = Fill { fetch: at.fetch, conditions: conditions.clone() };
        let key = field.alias.as_ref().unwrap_or(&field.name);
        let taken = take.fields.iter().find(|found| *found.response_key == **key);
        let opaque = at.static_type.filter(|&ty| {
            self.supergraph.type_in(at.subgraph, ty).is_some_and(|view| view.is_interface_object)
        });
        if field.name == "__typename" {
            if let Some(taken) = taken {
                if opaque.is_some() || taken.key != Key::TYPENAME {
                    self.gap(self.label(at), "takes an interface's name for a runtime type");
                }
                self.tree.place_mut(at.place).add_typename(&at.types, fill);
            }
            return;
        }
        let Some(taken) = taken else { return };
        self.check_static(field, at);
        let mut below: Vec<At> = Vec::new();
        for ty in at.types.iter() {
            let Some(view) = self.supergraph.field_in(at.subgraph, opaque.unwrap_or(ty), &field.name) else {
                let name = &self.supergraph.ty(opaque.unwrap_or(ty)).name;
                self.gap(self.label(at), format!("asks {name}.{}, which the subgraph lacks", field.name));
                continue;
            };
            self.check_view(field, at, ty, view);
            let as_client = without_contexts(field, view);
            if !self.tree.fill(at.place, (ty, taken.key), &as_client, fill.clone()) {
                self.gap(self.label(at), format!("puts {} where another field is", field.name));
            }
            if taken.selection.is_some() {
                self.enter(field, at, (ty, taken.key), view, &mut below);
            }
        }
        let Some(inner) = &taken.selection else { return };
        for below in below {
            self.walk(&field.selection_set, &At { conditions: conditions.clone(), ..below }, inner);
        }
    }

    /// The place below a field of one runtime type. Types whose field leads to the same kind of objects share it, so
    /// that the tree does not multiply by the number of types at every step.
    fn enter(
        &mut self,
        field: &ast::Field,
        at: &At,
        (ty, key): (TypeId, Key),
        view: &FieldView,
        below: &mut Vec<At>,
    ) {
        let Some(base) = self.supergraph.type_in(at.subgraph, view.base) else { return };
        let mut provided = at.provided.below(&field.name, &TypeSet::one(ty));
        provided.fields.extend(view.provides.iter().flat_map(|more| more.fields.iter().cloned()));
        let existing = self.tree.place(at.place).slot(ty, key).and_then(|slot| slot.child);
        let shared = below.iter().find(|other| {
            let same = other.static_type == Some(view.base) && other.provided == provided;
            same && existing.is_none_or(|existing| existing == other.place)
        });
        if let Some(shared) = shared {
            return self.tree.share(at.place, ty, key, shared.place);
        }
        below.push(At {
            fetch: at.fetch,
            subgraph: at.subgraph,
            place: self.tree.below(at.place, ty, key, &base.possible),
            static_type: Some(view.base),
            types: base.possible.clone(),
            provided,
            conditions: Conditions::ALWAYS,
            inputs: None,
            above: None,
        });
    }

    /// The selection set's own type must have the field.
    fn check_static(&mut self, field: &ast::Field, at: &At) {
        let Some(ty) = at.static_type else {
            return self.gap(self.label(at), format!("asks {} of any entity", field.name));
        };
        let composite = self.supergraph.ty(ty).kind != TypeKind::Union;
        if !composite || self.supergraph.field_in(at.subgraph, ty, &field.name).is_none() {
            let name = &self.supergraph.ty(ty).name;
            self.gap(self.label(at), format!("asks {name}.{}, which the subgraph lacks", field.name));
        }
    }

    fn check_view(&mut self, field: &ast::Field, at: &At, ty: TypeId, view: &FieldView) {
        if view.external && !at.provided.has(&field.name, ty) {
            let name = &self.supergraph.ty(ty).name;
            self.gap(self.label(at), format!("asks {name}.{}, which is external there", field.name));
        }
        let fulfilled = view.requires.as_ref().is_none_or(|set| {
            at.inputs.as_ref().is_some_and(|inputs| super::entities::contains(inputs, set, Some(ty)))
        });
        if !fulfilled {
            self.gap(self.label(at), format!("asks {} without what it requires", field.name));
        }
        self.check_contexts(field, at, view);
    }
}

/// A field without the arguments that clients do not see.
fn without_contexts<'f>(field: &'f ast::Field, view: &FieldView) -> Cow<'f, ast::Field> {
    if view.contexts.is_empty() {
        return Cow::Borrowed(field);
    }
    let mut bare = field.clone();
    bare.arguments.retain(|given| view.contexts.iter().all(|context| context.name != given.name));
    Cow::Owned(bare)
}

/// A document's fragments by name.
type Fragments<'a> = HashMap<&'a Name, &'a Node<ast::FragmentDefinition>>;

/// How deep fragments may be in one another: a document has no more than it has selection sets within one another.
const FRAGMENTS_NESTED_MAX: usize = 500;

/// A selection set with its fragments in place; `None` when one of them is not there or contains itself.
fn in_place(
    selections: &[ast::Selection],
    fragments: &Fragments<'_>,
    levels: usize,
) -> Option<Vec<ast::Selection>> {
    let levels = levels.checked_sub(1)?;
    let one = |selection: &ast::Selection| match selection {
        ast::Selection::Field(field) => {
            let mut field = field.clone();
            field.make_mut().selection_set = in_place(&field.selection_set, fragments, levels)?;
            Some(ast::Selection::Field(field))
        }
        ast::Selection::InlineFragment(fragment) => {
            let mut fragment = fragment.clone();
            fragment.make_mut().selection_set = in_place(&fragment.selection_set, fragments, levels)?;
            Some(ast::Selection::InlineFragment(fragment))
        }
        ast::Selection::FragmentSpread(spread) => {
            let fragment = fragments.get(&spread.fragment_name)?;
            Some(ast::Selection::InlineFragment(Node::new(ast::InlineFragment {
                type_condition: Some(fragment.type_condition.clone()),
                directives: spread.directives.clone(),
                selection_set: in_place(&fragment.selection_set, fragments, levels)?,
            })))
        }
    };
    selections.iter().map(one).collect()
}

pub(super) fn directives(selection: &ast::Selection) -> &ast::DirectiveList {
    match selection {
        ast::Selection::Field(field) => &field.directives,
        ast::Selection::InlineFragment(fragment) => &fragment.directives,
        ast::Selection::FragmentSpread(spread) => &spread.directives,
    }
}

pub(super) fn own_conditions(directives: &ast::DirectiveList) -> Conditions {
    let mut all = Conditions::ALWAYS;
    for (name, expected) in [("include", true), ("skip", false)] {
        let value = directives.get(name).and_then(|found| found.specified_argument_by_name("if"));
        if let Some(variable) = value.and_then(|value| value.as_variable()) {
            all = all.and(&Conditions::literal(variable, expected)).unwrap_or_default();
        }
    }
    all
}
