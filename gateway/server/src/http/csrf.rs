//! Refuses requests that a foreign page could make a browser send without asking first.
//!
//! In: a request's headers. Out: whether the request is certain to have come from our own page or from no browser.
//! Always: a request without proof is refused before its operation is read.
//! Elsewhere: which origins may read answers (CORS, `mod.rs`).

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

/// Headers that a browser sends to another origin only after a preflight: their presence is proof enough.
const PREFLIGHT_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-apollo-operation-name"),
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("graphql-require-preflight"),
    HeaderName::from_static("x-requested-with"),
];
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether no foreign page can have caused this request unasked.
///
/// True when the content type is one that needs a preflight, when a preflight header is there, or when the browser
/// itself says that the request comes from the same origin (`Sec-Fetch-Site`, which no page can set).
///
/// # Source
/// Fetch Standard, section 2.2.2 "CORS-safelisted request-header"; Apollo Server, "Preventing CSRF".
pub(crate) fn is_safe(headers: &HeaderMap) -> bool {
    PREFLIGHT_HEADERS.iter().any(|name| headers.get(name).is_some_and(|value| !value.is_empty()))
        || headers.get(SEC_FETCH_SITE) == Some(&HeaderValue::from_static("same-origin"))
        || headers.get(CONTENT_TYPE).is_some_and(needs_preflight)
}

/// Whether a content type is outside the three that a form can send. What cannot be read counts as simple: a browser
/// may see it differently.
fn needs_preflight(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim();
    let well_formed =
        essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    // A comma could make a lenient parser see another type than this one does.
    well_formed
        && !value.contains(',')
        && !["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
            .iter()
            .any(|simple| essence.eq_ignore_ascii_case(simple))
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(name: &'static str, value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        is_safe(&headers)
    }

    #[test]
    fn what_a_form_or_an_image_can_send_is_refused() {
        assert!(!is_safe(&HeaderMap::new()));
        for simple in [
            "text/plain",
            "text/plain; charset=utf-8",
            "TEXT/Plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
            "nonsense",
            "text/plain, application/json",
        ] {
            assert!(!safe("content-type", simple), "{simple}");
        }
        assert!(!safe("sec-fetch-site", "cross-site"));
        assert!(!safe("sec-fetch-site", "same-site"));
        assert!(!safe("apollo-require-preflight", ""));
    }

    #[test]
    fn what_needs_a_preflight_or_our_own_page_is_let_through() {
        assert!(safe("content-type", "application/json"));
        assert!(safe("content-type", "application/json; charset=utf-8"));
        assert!(safe("apollo-require-preflight", "1"));
        assert!(safe("x-apollo-operation-name", "Q"));
        assert!(safe("sec-fetch-site", "same-origin"));
    }
}
