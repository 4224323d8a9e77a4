//! A plan as JSON, for tools and for `extensions.queryPlan`.

use serde_json::{Value, json};

use crate::{
    ContextVariable, EntityGroup, EntityVariant, Fetch, FetchKind, Plan, RepresentationField, TypeId,
};

impl Plan {
    /// The plan as a JSON value. Fetches refer to the fetches they wait for by `id`.
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "kind": self.kind,
            "fetches": self.fetches.iter().map(|fetch| self.fetch_json(fetch)).collect::<Vec<_>>(),
        });
        if !self.deferral.parts.is_empty() {
            value["deferred"] = self.deferred_json();
        }
        value
    }

    /// The deferred fragments, and the parts of the response: the fragments that each belongs to and the fetches that it
    /// waits for. The first part is what is delivered first.
    fn deferred_json(&self) -> Value {
        let fragments = self.deferral.fragments.iter().map(|fragment| {
            json!({"label": fragment.label, "parent": fragment.parent.map(|parent| parent.0), "depth": fragment.depth})
        });
        let parts = self.deferral.parts.iter().map(|part| {
            let fragments: Vec<u32> = part.fragments.iter().map(|fragment| fragment.0).collect();
            let fetches: Vec<u32> = part.fetches.iter().map(|fetch| fetch.0).collect();
            json!({"fragments": fragments, "fetches": fetches})
        });
        json!({"fragments": fragments.collect::<Vec<_>>(), "parts": parts.collect::<Vec<_>>()})
    }

    fn fetch_json(&self, fetch: &Fetch) -> Value {
        let mut value = json!({
            "id": fetch.id.0,
            "subgraph": fetch.subgraph,
            "operation": fetch.operation,
            "document": fetch.document,
            "variables": fetch.variables,
            "dependsOn": fetch.depends_on.iter().map(|dep| dep.0).collect::<Vec<_>>(),
        });
        if !fetch.conditions.is_always() {
            value["conditions"] = json!(fetch.conditions);
        }
        match &fetch.kind {
            FetchKind::Entities { groups } => {
                value["entities"] = groups.iter().map(|group| self.group_json(group)).collect();
            }
            FetchKind::Root { at, .. } => match at.as_slice() {
                [] => {}
                [path] => value["path"] = json!(self.path_text(path)),
                paths => {
                    value["paths"] = paths.iter().map(|path| self.path_text(path)).collect();
                }
            },
        }
        value
    }

    fn group_json(&self, group: &EntityGroup) -> Value {
        let mut value = json!({
            "responseKey": group.response_key,
            "variable": group.variable,
            "paths": group.targets.iter().map(|path| self.path_text(path)).collect::<Vec<_>>(),
            "representations": group.variants.iter().map(|variant| self.variant_json(variant)).collect::<Vec<_>>(),
        });
        if let Some(contexts) = &group.contexts {
            value["contexts"] =
                contexts.variables.iter().map(|variable| self.context_json(variable)).collect();
        }
        value
    }

    fn context_json(&self, variable: &ContextVariable) -> Value {
        let sources = variable.sources.iter().map(|source| {
            json!({
                "up": source.up,
                "on": self.type_names(&source.on),
                "selection": self.fields_text(&source.value),
            })
        });
        json!({"variable": variable.name, "type": variable.ty, "from": sources.collect::<Vec<_>>()})
    }

    fn variant_json(&self, variant: &EntityVariant) -> Value {
        json!({
            "on": self.type_names(&variant.on),
            "__typename": self.types.name(variant.typename),
            "fields": self.fields_text(&variant.fields),
        })
    }

    fn type_names(&self, types: &[TypeId]) -> Vec<&str> {
        types.iter().map(|&ty| self.types.name(ty)).collect()
    }

    /// A representation's fields in the notation of a field set, with the place in the tree where it differs.
    pub(crate) fn fields_text(&self, fields: &[RepresentationField]) -> String {
        let texts: Vec<String> = fields
            .iter()
            .map(|field| {
                let source = self.keys.name(field.source);
                let mut text = field.name.to_string();
                if source != &*field.name {
                    text = format!("{text}:{source}");
                }
                if !field.selection.is_empty() {
                    text = format!("{text} {{ {} }}", self.fields_text(&field.selection));
                }
                if !field.on.is_empty() {
                    text = format!("... on {} {{ {text} }}", self.type_names(&field.on).join("|"));
                }
                text
            })
            .collect();
        texts.join(" ")
    }
}
