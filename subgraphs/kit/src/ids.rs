//! Newtypes over UUIDv7, one per kind of thing, so that an order's id cannot be passed where a product's is wanted.

/// Declares id newtypes: `id! { /// A stall. pub struct StallId; }`.
///
/// Each has `new()` (a fresh UUIDv7), `from_uuid`, `uuid()`, `parse(&str) -> Option`, `Display`, serde, ordering, and
/// converts into the GraphQL `ID` (as everything that has `Display` does). A string that is no UUID parses to `None`: to a client it is simply an unknown id.
#[macro_export]
macro_rules! id {
    ($($(#[$meta:meta])* $visibility:vis struct $name:ident;)+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
            #[serde(transparent)]
            $visibility struct $name(::uuid::Uuid);

            #[allow(dead_code, unreachable_pub, reason = "every id type has the same set, whoever declares it")]
            impl $name {
                /// A fresh id.
                #[allow(clippy::new_without_default, reason = "a default id would be a new one each time")]
                pub fn new() -> Self {
                    Self(::uuid::Uuid::now_v7())
                }

                /// The id that is this UUID.
                pub const fn from_uuid(uuid: ::uuid::Uuid) -> Self {
                    Self(uuid)
                }

                /// The UUID.
                pub const fn uuid(self) -> ::uuid::Uuid {
                    self.0
                }

                /// Reads a client's id; `None` when it cannot be one of ours.
                pub fn parse(text: &str) -> Option<Self> {
                    ::uuid::Uuid::try_parse(text).ok().map(Self)
                }
            }

            impl ::std::fmt::Display for $name {
                fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    ::std::fmt::Display::fmt(&self.0, formatter)
                }
            }

            impl ::std::convert::From<$name> for ::uuid::Uuid {
                fn from(id: $name) -> Self {
                    id.0
                }
            }

            impl ::std::convert::From<::uuid::Uuid> for $name {
                fn from(uuid: ::uuid::Uuid) -> Self {
                    Self(uuid)
                }
            }
        )+
    };
}

#[cfg(test)]
mod tests {
    id! {
        /// Of a thing.
        struct ThingId;
    }

    #[test]
    fn an_id_survives_its_text() {
        let id = ThingId::new();
        assert_eq!(ThingId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn what_is_no_uuid_is_no_id() {
        assert_eq!(ThingId::parse("1' OR '1'='1"), None);
    }
}
