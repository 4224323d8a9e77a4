//! Which address a request comes from, also behind proxies.
//!
//! In: the connection's peer and `X-Forwarded-For`. Out: one address.
//! Always: the header is believed only as far as trusted proxies wrote it; a client cannot choose its address.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::options::ClientAddress;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection that a request came on; in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peer {
    /// Over the network.
    Address(SocketAddr),
    /// By the socket in the file system: a proxy on the same machine, which is trusted like those that are listed.
    Local,
}

/// Where the client is; `None` for a local peer that names nobody.
pub(super) fn of(peer: Peer, headers: &HeaderMap, trusted_proxies: &[IpAddr]) -> Option<IpAddr> {
    let peer = match peer {
        Peer::Address(address) => Some(address.ip().to_canonical()),
        Peer::Local => None,
    };
    client(peer, headers, trusted_proxies)
}

/// The header that tells subgraphs where the client is.
pub(super) fn header(
    settings: &ClientAddress,
    peer: Peer,
    headers: &HeaderMap,
) -> Option<(HeaderName, HeaderValue)> {
    let address = of(peer, headers, &settings.trusted_proxies)?;
    let value =
        HeaderValue::from_str(&address.to_string()).expect("an address is of visible ASCII characters");
    Some((settings.header.clone(), value))
}

/// Goes back along the chain of proxies, each of which appended who called it, to the first that nobody vouches for.
fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpAddr]) -> Option<IpAddr> {
    let mut address = peer;
    let lines = headers.get_all(FORWARDED_FOR);
    let mut chain = lines.iter().rev().flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    while address.is_none_or(|address| trusted.contains(&address)) {
        match chain.next().map(|hop| hop.trim().parse::<IpAddr>()) {
            Some(Ok(hop)) => address = Some(hop.to_canonical()),
            // A proxy that wrote no address: it is the last one known.
            Some(Err(_)) | None => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_of(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).expect("a header"));
        }
        let trusted = ["10.0.0.1", "10.0.0.2", "::1"].map(|address| address.parse().expect("an address"));
        let peer = (peer != "local").then(|| peer.parse().expect("an address"));
        client(peer, &headers, &trusted).map_or_else(|| "nobody".to_owned(), |address| address.to_string())
    }

    #[test]
    fn a_client_cannot_choose_its_address() {
        assert_eq!(client_of("198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
        assert_eq!(client_of("10.0.0.1", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client_of("10.0.0.1", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn trusted_proxies_are_passed_over_one_by_one() {
        assert_eq!(client_of("10.0.0.1", &["203.0.113.9, 198.51.100.7 , 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client_of("::1", &["2001:db8::5"]), "2001:db8::5");
    }

    #[test]
    fn a_proxy_on_the_same_machine_is_trusted() {
        assert_eq!(client_of("local", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client_of("local", &["198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client_of("local", &[]), "nobody");
        assert_eq!(client_of("local", &["unknown"]), "nobody");
    }

    #[test]
    fn a_chain_that_names_nobody_ends_at_the_last_one_known() {
        assert_eq!(client_of("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client_of("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(client_of("10.0.0.1", &["10.0.0.2"]), "10.0.0.2");
    }
}
