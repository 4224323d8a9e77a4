//! Random operations over a schema, the same for the same seed.
//!
//! Elsewhere: judging the answers (`oracle.rs`).

use std::fmt::Write as _;

use apollo_compiler::Schema;
use apollo_compiler::ast::OperationType;
use apollo_compiler::schema::ExtendedType;

/// Makes operations. Not for secrets: a linear congruential generator.
#[derive(Debug)]
pub struct Operations<'s> {
    schema: &'s Schema,
    state: u64,
    out: String,
    aliases: u32,
    /// Whether the operation at hand has conditions: half of them have none, so that their order can be compared.
    has_conditions: bool,
}

/// The operations' variables: `$yes` and `$no`.
pub const VARIABLES: &str = r#"{"yes":true,"no":false}"#;

impl<'s> Operations<'s> {
    /// Operations over `schema`, starting from a seed.
    pub fn new(schema: &'s Schema, seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
        Self { schema, state, out: String::new(), aliases: 0, has_conditions: false }
    }

    /// The next operation. It may be invalid: fields of one name may have types that cannot be merged.
    pub fn operation(&mut self, depth: u32) -> String {
        self.has_conditions = self.below(2) == 0;
        self.out = String::new();
        if self.has_conditions {
            self.out.push_str("query($yes: Boolean! = true, $no: Boolean! = false) ");
        }
        let root = self.schema.root_operation(OperationType::Query).map_or("Query", |name| name.as_str());
        self.selection(root, depth);
        std::mem::take(&mut self.out)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).expect("31 bits fit") % bound.max(1)
    }

    fn selection(&mut self, type_name: &str, depth: u32) {
        self.out.push_str("{ ");
        let start = self.out.len();
        for _ in 0..=self.below(4) {
            match self.below(12) {
                0 => self.out.push_str("__typename "),
                1 | 2 => self.fragment(type_name, depth),
                _ => self.field(type_name, depth),
            }
        }
        if self.out.len() == start {
            self.out.push_str("__typename ");
        }
        self.out.push_str("} ");
    }

    fn fragment(&mut self, type_name: &str, depth: u32) {
        let possible = self.possible(type_name);
        if possible.is_empty() || depth == 0 {
            return;
        }
        let on = possible[self.below(possible.len())].clone();
        self.out.push_str("... on ");
        self.out.push_str(&on);
        self.out.push(' ');
        self.condition();
        self.selection(&on, depth - 1);
    }

    fn condition(&mut self) {
        if !self.has_conditions {
            return;
        }
        let condition = match self.below(12) {
            0 => "@include(if: $yes) ",
            1 => "@include(if: $no) ",
            2 => "@skip(if: $yes) ",
            3 => "@skip(if: $no) ",
            _ => "",
        };
        self.out.push_str(condition);
    }

    fn field(&mut self, type_name: &str, depth: u32) {
        let fields = match self.schema.types.get(type_name) {
            Some(ExtendedType::Object(object)) => &object.fields,
            Some(ExtendedType::Interface(interface)) => &interface.fields,
            _ => return self.fragment(type_name, depth),
        };
        let candidates: Vec<_> = fields
            .values()
            .filter(|field| field.arguments.is_empty())
            .filter(|field| depth > 0 || !self.is_composite(field.ty.inner_named_type()))
            .collect();
        if candidates.is_empty() {
            return;
        }
        let field = candidates[self.below(candidates.len())];
        if self.below(6) == 0 {
            self.aliases += 1;
            write!(self.out, "x{}: ", self.aliases).expect("writing to a string never fails");
        }
        self.out.push_str(&field.name);
        self.out.push(' ');
        self.condition();
        let inner = field.ty.inner_named_type();
        if self.is_composite(inner) {
            self.selection(inner, depth - 1);
        }
    }

    fn is_composite(&self, name: &str) -> bool {
        self.schema
            .types
            .get(name)
            .is_some_and(|found| found.is_object() || found.is_interface() || found.is_union())
    }

    fn possible(&self, name: &str) -> Vec<String> {
        match self.schema.types.get(name) {
            Some(ExtendedType::Union(union)) => union.members.iter().map(ToString::to_string).collect(),
            Some(ExtendedType::Interface(interface)) => {
                let objects = self.schema.types.values().filter_map(|found| found.as_object());
                objects
                    .filter(|object| object.implements_interfaces.contains(&interface.name))
                    .map(|object| object.name.to_string())
                    .collect()
            }
            Some(ExtendedType::Object(_)) => vec![name.to_owned()],
            _ => Vec::new(),
        }
    }
}
