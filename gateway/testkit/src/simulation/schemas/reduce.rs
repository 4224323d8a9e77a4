//! Makes a failing set of subgraphs smaller as long as it still fails.
//!
//! Elsewhere: what failing means (the caller's); operations (`shrink.rs`).

use apollo_compiler::ast::{Definition, DirectiveList, Document, FieldDefinition};
use apollo_compiler::{Node, ast};

/// The smallest set found for which `fails` still holds.
pub fn reduce(
    subgraphs: &[(String, String)],
    mut fails: impl FnMut(&[(String, String)]) -> bool,
) -> Vec<(String, String)> {
    let mut best = subgraphs.to_vec();
    loop {
        let mut changed = false;
        for index in (0..best.len()).rev() {
            let mut tried = best.clone();
            tried.remove(index);
            if fails(&tried) {
                best = tried;
                changed = true;
            }
        }
        for index in 0..best.len() {
            let mut number = 0;
            while let Some(smaller) = edited(&best[index].1, number) {
                let mut tried = best.clone();
                tried[index].1 = smaller;
                if fails(&tried) {
                    best = tried;
                    changed = true;
                } else {
                    number += 1;
                }
            }
        }
        if !changed {
            return best;
        }
    }
}

/// The SDL without the part that has this number; nothing when there are fewer parts.
fn edited(sdl: &str, number: usize) -> Option<String> {
    let mut document = Document::parse(sdl, "subgraph.graphql").ok()?;
    let mut edit = Edit { wanted: number, seen: 0, done: false };
    for index in 0..document.definitions.len() {
        // Without its link a subgraph would be one of Federation 1.
        let is_link = matches!(document.definitions[index], Definition::SchemaExtension(_));
        if !is_link && edit.is_due() {
            document.definitions.remove(index);
            return Some(document.to_string());
        }
    }
    for definition in &mut document.definitions {
        edit.definition(definition);
        if edit.done {
            return Some(document.to_string());
        }
    }
    None
}

struct Edit {
    wanted: usize,
    seen: usize,
    done: bool,
}

impl Edit {
    fn is_due(&mut self) -> bool {
        let due = !self.done && self.seen == self.wanted;
        self.seen += 1;
        self.done |= due;
        due
    }

    fn definition(&mut self, definition: &mut Definition) {
        match definition {
            Definition::ObjectTypeDefinition(found) => {
                let found = found.make_mut();
                self.fields(&mut found.fields);
                self.directives(&mut found.directives);
                self.remove(&mut found.implements_interfaces);
            }
            Definition::InterfaceTypeDefinition(found) => {
                let found = found.make_mut();
                self.fields(&mut found.fields);
                self.directives(&mut found.directives);
            }
            Definition::UnionTypeDefinition(found) => self.remove(&mut found.make_mut().members),
            _ => {}
        }
    }

    fn fields(&mut self, fields: &mut Vec<Node<FieldDefinition>>) {
        self.remove(fields);
        for field in fields {
            let field = field.make_mut();
            self.directives(&mut field.directives);
            if !matches!(field.ty, ast::Type::Named(_)) && self.is_due() {
                field.ty = simpler(&field.ty);
            }
        }
    }

    fn directives(&mut self, directives: &mut DirectiveList) {
        self.remove(&mut directives.0);
    }

    fn remove<T>(&mut self, items: &mut Vec<T>) {
        for index in 0..items.len() {
            if self.is_due() {
                items.remove(index);
                return;
            }
        }
    }
}

fn simpler(ty: &ast::Type) -> ast::Type {
    match ty {
        ast::Type::NonNullNamed(name) | ast::Type::Named(name) => ast::Type::Named(name.clone()),
        ast::Type::NonNullList(item) => ast::Type::List(item.clone()),
        ast::Type::List(item) => item.as_ref().clone(),
    }
}
