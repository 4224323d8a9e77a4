//! The directives of Federation 1 and 2.0–2.14: since when, their definitions, and how they appear in a supergraph.
//!
//! Elsewhere: resolving local names to these (`ingest/links.rs`), the rules about them (`validate`, `merge`).

use crate::model::Version;

/// A directive that federation, or a specification it includes, defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fed {
    Key,
    Requires,
    Provides,
    External,
    Extends,
    Shareable,
    Override,
    Tag,
    Inaccessible,
    ComposeDirective,
    InterfaceObject,
    Authenticated,
    RequiresScopes,
    Policy,
    Context,
    FromContext,
    Cost,
    ListSize,
    CacheTag,
    Link,
}

/// One row of the table of directives.
pub(crate) struct Definition {
    pub(crate) fed: Fed,
    pub(crate) name: &'static str,
    /// The first minor version of Federation 2 that has it.
    pub(crate) since: u32,
    /// Known in Federation 1.
    pub(crate) in_one: bool,
    /// Arguments, repeatability and locations, as written after the name.
    pub(crate) sdl: &'static str,
}

/// The newest Federation 2 minor version that is understood.
pub(crate) const NEWEST_MINOR: u32 = 14;

const AUTH_LOCATIONS: &str = "on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM";

macro_rules! table {
    ($($fed:ident $name:literal $since:literal $in_one:literal $sdl:literal;)*) => {
        &[$(Definition { fed: Fed::$fed, name: $name, since: $since, in_one: $in_one, sdl: $sdl }),*]
    };
}

/// Every directive. The argument types are scalars without rules, so that a wrong value gets federation's own code
/// and not a general one.
pub(crate) const DEFINITIONS: &[Definition] = table! {
    Key "key" 0 true "(fields: federation__FieldSet!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE";
    Requires "requires" 0 true "(fields: federation__FieldSet!) on FIELD_DEFINITION";
    Provides "provides" 0 true "(fields: federation__FieldSet!) on FIELD_DEFINITION";
    External "external" 0 true "(reason: String) on OBJECT | FIELD_DEFINITION";
    Extends "extends" 0 true "on OBJECT | INTERFACE";
    Shareable "shareable" 0 false "repeatable on OBJECT | FIELD_DEFINITION";
    Override "override" 0 false "(from: String!, label: String) on FIELD_DEFINITION";
    Tag "tag" 0 true "(name: String!) repeatable on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION | SCHEMA";
    Inaccessible "inaccessible" 0 false "on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION";
    ComposeDirective "composeDirective" 1 false "(name: String) repeatable on SCHEMA";
    InterfaceObject "interfaceObject" 3 false "on OBJECT";
    Authenticated "authenticated" 5 false "on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM";
    RequiresScopes "requiresScopes" 5 false "(scopes: [[federation__Scope!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM";
    Policy "policy" 6 false "(policies: [[federation__Policy!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM";
    Context "context" 8 false "(name: String!) repeatable on INTERFACE | OBJECT | UNION";
    FromContext "fromContext" 8 false "(field: federation__ContextFieldValue) on ARGUMENT_DEFINITION";
    Cost "cost" 9 false "(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR";
    ListSize "listSize" 9 false "(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION";
    CacheTag "cacheTag" 12 false "(format: String!) repeatable on OBJECT | FIELD_DEFINITION";
    Link "link" 0 false "(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA";
};

/// Scalars of the federation specification that may be imported, with the minor version they came with.
pub(crate) const SCALARS: &[(&str, u32)] =
    &[("FieldSet", 0), ("Scope", 5), ("Policy", 6), ("ContextFieldValue", 8)];

/// Definitions that the validity check of a subgraph needs besides the author's.
pub(crate) const SUPPORT_SDL: &str = "scalar federation__FieldSet scalar federation__Scope scalar federation__Policy \
    scalar federation__ContextFieldValue scalar link__Import enum link__Purpose { SECURITY EXECUTION }";

impl Definition {
    /// The definition as of a version: `@shareable` may be repeated since 2.2, `@override` got its label with 2.7.
    pub(crate) fn sdl_of(&self, version: Version) -> &'static str {
        match (self.fed, version) {
            (Fed::Shareable, Version::Two(minor)) if minor < 2 => "on OBJECT | FIELD_DEFINITION",
            (Fed::Override, Version::Two(minor)) if minor < 7 => "(from: String!) on FIELD_DEFINITION",
            _ => self.sdl,
        }
    }
}

impl Fed {
    pub(crate) fn definition(self) -> &'static Definition {
        DEFINITIONS.iter().find(|row| row.fed == self).expect("every directive has its row in the table")
    }

    pub(crate) fn name(self) -> &'static str {
        self.definition().name
    }

    pub(crate) fn by_name(name: &str) -> Option<Fed> {
        DEFINITIONS.iter().find(|row| row.name == name).map(|row| row.fed)
    }

    /// Directives that are copied to the merged element, as opposed to becoming `join` directives.
    pub(crate) fn merged(self) -> Option<MergedSpec> {
        let spec = match self {
            Fed::Tag => MergedSpec {
                spec: "tag",
                version: "v0.3",
                purpose: "",
                types: "",
                sdl: "(name: String!) repeatable on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION | SCHEMA",
            },
            Fed::Inaccessible => MergedSpec {
                spec: "inaccessible",
                version: "v0.2",
                purpose: "SECURITY",
                types: "",
                sdl: " on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION",
            },
            Fed::Authenticated => {
                MergedSpec { spec: "authenticated", version: "v0.1", purpose: "SECURITY", types: "", sdl: "" }
            }
            Fed::RequiresScopes => MergedSpec {
                spec: "requiresScopes",
                version: "v0.1",
                purpose: "SECURITY",
                types: "requiresScopes__Scope",
                sdl: "(scopes: [[requiresScopes__Scope!]!]!)",
            },
            Fed::Policy => MergedSpec {
                spec: "policy",
                version: "v0.1",
                purpose: "SECURITY",
                types: "policy__Policy",
                sdl: "(policies: [[policy__Policy!]!]!)",
            },
            Fed::Context => MergedSpec {
                spec: "context",
                version: "v0.1",
                purpose: "SECURITY",
                types: "context__ContextFieldValue",
                sdl: "(name: String!) repeatable on INTERFACE | OBJECT | UNION",
            },
            Fed::Cost => MergedSpec {
                spec: "cost",
                version: "v0.1",
                purpose: "",
                types: "",
                sdl: "(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR",
            },
            Fed::ListSize => MergedSpec {
                spec: "cost",
                version: "v0.1",
                purpose: "",
                types: "",
                sdl: "(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION",
            },
            _ => return None,
        };
        Some(spec)
    }
}

/// How a merged directive's specification is linked in the supergraph.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MergedSpec {
    pub(crate) spec: &'static str,
    pub(crate) version: &'static str,
    /// `SECURITY`, or empty when routers may ignore the specification.
    pub(crate) purpose: &'static str,
    /// A scalar the definition needs, or empty.
    pub(crate) types: &'static str,
    pub(crate) sdl: &'static str,
}

impl MergedSpec {
    /// Everything after the directive's name in its definition.
    pub(crate) fn definition(&self) -> String {
        if self.sdl.contains(" on ") { self.sdl.to_owned() } else { format!("{} {AUTH_LOCATIONS}", self.sdl) }
    }
}
