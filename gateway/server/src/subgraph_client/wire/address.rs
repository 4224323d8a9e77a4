//! What a subgraph's URL means.
//!
//! In: `http://host:port/path`, `https://…` or `unix:///socket?path=/graphql`. Out: where to connect to and what to ask
//! there for.

use std::path::PathBuf;

use http::HeaderValue;
use http::uri::{PathAndQuery, Uri};
use tokio_rustls::rustls::pki_types::ServerName;

/// A URL that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is none of http://host/path, https://host/path and unix:///socket?path=/path (a user name in it is not sent: \
     set a header)"
)]
pub struct InvalidUrl(pub String);

/// Where one connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Host and port of the URI.
    Tcp,
    /// The same, with the name that the certificate must have.
    Tls(ServerName<'static>),
    Unix(PathBuf),
}

/// A usable URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// As written, for logs.
    pub(super) text: String,
    pub(super) place: Place,
    /// With scheme and authority, as HTTP/2 wants it.
    pub(super) absolute: Uri,
    /// Path and query only, as HTTP/1.1 wants it.
    pub(super) relative: Uri,
    /// The value of the `host` header.
    pub(super) host: HeaderValue,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`InvalidUrl`] unless it has one of the three forms.
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidUrl> {
        Self::read(url).ok_or_else(|| InvalidUrl(url.to_owned()))
    }

    fn read(url: &str) -> Option<Self> {
        let (place, absolute): (_, Uri) = if let Some(socket) = url.strip_prefix("unix://") {
            let (file, query) = socket.split_once('?').unwrap_or((socket, ""));
            let path = if query.is_empty() { "/" } else { query.strip_prefix("path=")? };
            let is_whole = file.starts_with('/') && path.starts_with('/');
            let absolute = format!("http://localhost{path}").parse().ok().filter(|_| is_whole)?;
            (Place::Unix(file.into()), absolute)
        } else {
            let uri: Uri = url.parse().ok()?;
            let host = uri.host().filter(|host| !host.is_empty())?.to_owned();
            let place = match uri.scheme_str()? {
                "http" => Place::Tcp,
                "https" => Place::Tls(server_name(&host)?),
                _ => return None,
            };
            (place, uri)
        };
        let authority = absolute.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = HeaderValue::from_str(authority.as_str()).ok()?;
        let path = absolute.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Some(Self { text: url.to_owned(), place, relative: path.into(), host, absolute })
    }

    /// As written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        self.absolute.authority().map_or("", http::uri::Authority::as_str)
    }

    /// What stands in the request line.
    pub(crate) fn target(&self) -> &str {
        self.relative.path_and_query().map_or("/", PathAndQuery::as_str)
    }
}

fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> (String, String) {
        let address = Address::parse(url).expect("usable");
        (address.target().to_owned(), address.host.to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn a_url_says_what_to_ask_for_and_of_whom() {
        let is =
            |url, uri: &str, host: &str| assert_eq!(target(url), (uri.to_owned(), host.to_owned()), "{url}");
        is("http://a:4001/graphql?x=1", "/graphql?x=1", "a:4001");
        is("http://a", "/", "a");
        is("https://[::1]:8443/q", "/q", "[::1]:8443");
        is("unix:///run/a.sock", "/", "localhost");
        is("unix:///run/a.sock?path=/graphql", "/graphql", "localhost");
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for url in [
            "",
            "a",
            "/graphql",
            "ftp://a/",
            "http://",
            "http:///x",
            "http://u:p@a/",
            "unix://a.sock",
            "unix:a.sock",
            "unix:///a.sock?path=x",
            "unix:///a.sock?p=/x",
            "https://",
        ] {
            assert_eq!(Address::parse(url), Err(InvalidUrl(url.to_owned())), "{url}");
        }
    }
}
