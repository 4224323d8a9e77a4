//! Writes the subgraphs of a model as SDL.
//!
//! Elsewhere: the model (`model.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::model::{Entity, Field, Model};

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key", "@shareable", "@external", "@requires", "@provides", "@override", "@inaccessible", "@interfaceObject"])"#;

pub(super) fn subgraphs(model: &Model) -> Vec<(String, String)> {
    (0..model.count).map(|index| (format!("s{index}"), Writer::new(model, index).sdl())).collect()
}

/// A type as it will stand in the SDL.
#[derive(Default)]
struct Written {
    /// `type`, `interface`, `union`.
    word: &'static str,
    implements: BTreeSet<String>,
    directives: Vec<String>,
    fields: BTreeMap<String, String>,
    members: BTreeSet<String>,
}

struct Writer<'m> {
    model: &'m Model,
    index: usize,
    types: BTreeMap<String, Written>,
    extra: BTreeSet<&'static str>,
    has_enum: bool,
}

impl<'m> Writer<'m> {
    fn new(model: &'m Model, index: usize) -> Self {
        Self { model, index, types: BTreeMap::new(), extra: BTreeSet::new(), has_enum: false }
    }

    fn sdl(mut self) -> String {
        let model = self.model;
        for (fields, name) in model.roots.iter().zip(["Query", "Mutation", "Subscription"]) {
            for field in fields {
                self.field(name, field);
            }
        }
        for entity in &model.entities {
            if entity.subgraphs.contains(&self.index) {
                self.entity(entity);
            }
        }
        for interface in &model.interfaces {
            let name = interface.name.as_str();
            if interface.real.contains(&self.index) || interface.objects.contains(&self.index) {
                self.need(name);
            }
        }
        for found in &model.abstracts {
            if found.members.contains_key(&self.index) {
                self.need(&found.name);
            }
        }
        self.text()
    }

    fn text(&self) -> String {
        let mut out = format!("{LINK}\n");
        for (name, found) in &self.types {
            let directives = found.directives.iter().fold(String::new(), |all, one| all + " " + one);
            if found.word == "union" {
                let members: Vec<_> = found.members.iter().map(String::as_str).collect();
                writeln!(out, "union {name}{directives} = {}", members.join(" | "))
                    .expect("a string takes all");
                continue;
            }
            let implements: Vec<_> = found.implements.iter().map(String::as_str).collect();
            let implements = if implements.is_empty() {
                String::new()
            } else {
                format!(" implements {}", implements.join(" & "))
            };
            writeln!(out, "{} {name}{implements}{directives} {{", found.word).expect("a string takes all");
            for field in found.fields.values() {
                writeln!(out, "  {field}").expect("a string takes all");
            }
            out.push_str("}\n");
        }
        for extra in &self.extra {
            out.push_str(extra);
            out.push('\n');
        }
        if self.has_enum {
            let values = self.model.enum_values[&self.index].iter().map(|value| {
                let hidden =
                    if self.model.hidden_enum_value && value == "BLUE" { " @inaccessible" } else { "" };
                format!("{value}{hidden}")
            });
            writeln!(out, "enum Shade {{ {} }}", values.collect::<Vec<_>>().join(" "))
                .expect("a string takes all");
        }
        out
    }

    /// Makes sure that a named type is defined here.
    fn need(&mut self, name: &str) {
        let model = self.model;
        match name {
            "Meta" => {
                let fields = [("num", "num: Int! @shareable"), ("tag", "tag: String! @shareable")];
                let written = self.types.entry("Meta".to_owned()).or_default();
                written.word = "type";
                written.fields = fields.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
            }
            "Blob" => {
                self.extra.insert("scalar Blob");
            }
            "Shade" => self.has_enum = true,
            _ => {}
        }
        if self.types.contains_key(name) {
            return;
        }
        if let Some(entity) = model.entity(name) {
            self.entity(entity);
        } else if let Some(value) = model.values.iter().find(|value| value.name == name) {
            let written = self.types.entry(name.to_owned()).or_default();
            written.word = "type";
            written.implements = value.implements.get(&self.index).cloned().unwrap_or_default();
            written.directives.push("@shareable".to_owned());
            for field in &value.fields {
                self.field_everywhere(name, field);
            }
            self.hide(name);
        } else if let Some(found) = model.abstracts.iter().find(|one| one.name == name) {
            let Some(members) = found.members.get(&self.index) else { return };
            let written = self.types.entry(name.to_owned()).or_default();
            written.word = if found.is_union { "union" } else { "interface" };
            written.members.clone_from(members);
            for field in &found.fields {
                self.field(name, field);
            }
            for member in members {
                self.need(member);
            }
        } else if let Some(found) = model.interfaces.iter().find(|one| one.name == name) {
            let is_object = found.objects.contains(&self.index);
            let written = self.types.entry(name.to_owned()).or_default();
            written.word = if is_object { "type" } else { "interface" };
            written.directives.push("@key(fields: \"id\")".to_owned());
            if is_object {
                written.directives.push("@interfaceObject".to_owned());
            }
            written.fields.insert("id".to_owned(), "id: ID!".to_owned());
            for field in &found.fields {
                self.field(name, field);
            }
        }
    }

    fn hide(&mut self, name: &str) {
        if self.model.hidden_type.as_deref() == Some(name)
            && let Some(written) = self.types.get_mut(name)
        {
            written.directives.push("@inaccessible".to_owned());
        }
    }

    /// An entity: in full where it is at home, elsewhere a reference by one of the hub's keys.
    fn entity(&mut self, entity: &'m Entity) {
        if self.types.contains_key(&entity.name) {
            return;
        }
        let written = self.types.entry(entity.name.clone()).or_default();
        written.word = "type";
        written.implements = entity.implements.get(&self.index).cloned().unwrap_or_default();
        let keys = match entity.keys.get(&self.index) {
            Some(keys) => keys.iter().map(|key| (key.clone(), "")).collect::<Vec<_>>(),
            None => vec![(entity.reference().to_owned(), ", resolvable: false")],
        };
        for (key, more) in &keys {
            written.directives.push(format!("@key(fields: \"{key}\"{more})"));
        }
        for (name, ty) in &entity.key_fields {
            let used = keys.iter().any(|(key, _)| top_names(key).contains(&name.as_str()));
            if used {
                let written = self.types.get_mut(&entity.name).expect("just made");
                written.fields.insert(name.clone(), format!("{name}: {ty}"));
                self.need(ty.trim_end_matches('!'));
                // A key that goes through another entity needs that one's `id` here.
                if name == "owner"
                    && let Some(owner) = self.types.get_mut(ty.trim_end_matches('!'))
                {
                    owner.fields.entry("id".to_owned()).or_insert_with(|| "id: ID! @shareable".to_owned());
                }
            }
        }
        for field in &entity.fields {
            self.field(&entity.name, field);
        }
        self.hide(&entity.name);
    }

    fn field(&mut self, ty: &str, field: &'m Field) {
        if field.owners.contains(&self.index) || field.external.contains(&self.index) {
            self.field_everywhere(ty, field);
        }
    }

    fn field_everywhere(&mut self, ty: &str, field: &'m Field) {
        let own = field.own_types.get(&self.index).unwrap_or(&field.ty);
        let mut text = format!("{}{}: {}", field.name, field.arguments, own.text());
        for directive in field.directives.get(&self.index).into_iter().flatten() {
            text.push(' ');
            text.push_str(directive);
        }
        if field.external.contains(&self.index) {
            text.push_str(" @external");
        }
        let written = self.types.entry(ty.to_owned()).or_default();
        if written.word.is_empty() {
            written.word = "type";
        }
        written.fields.insert(field.name.clone(), text);
        self.need(&own.base);
        if field.arguments.contains("Filter") {
            self.extra.insert("input Filter { a: Int = 3 b: [String!] shade: Tint nested: Filter }");
            self.extra.insert("enum Tint { LIGHT DARK }");
        }
        if field.arguments.contains("Tint") {
            self.extra.insert("enum Tint { LIGHT DARK }");
        }
    }
}

/// The fields at the top of a field set.
fn top_names(set: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut found = Vec::new();
    for word in set.split_whitespace() {
        match word {
            "{" => depth += 1,
            "}" => depth -= 1,
            name if depth == 0 => found.push(name),
            _ => {}
        }
    }
    found
}
