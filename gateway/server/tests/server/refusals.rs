//! What HTTP refuses before anything is planned: status and code of each.

use std::time::Duration;

use crate::common::{body, in_process, refusal, start};
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_post_that_a_form_could_send_is_refused() {
    let gateway = start(in_process()).await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        let request = gateway.post().header("content-type", content_type).body(r#"{"query":"{__typename}"}"#);
        assert_eq!(refusal(request).await, (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()), "{content_type}");
    }
    let without = gateway.post().body(r#"{"query":"{__typename}"}"#);
    assert_eq!(refusal(without).await.0, 415);
    let utf16 = gateway.query("{__typename}").header("content-type", "application/json; charset=utf-16");
    assert_eq!(refusal(utf16).await.0, 415);
}

#[tokio::test]
async fn a_get_that_an_image_tag_could_send_is_refused() {
    let gateway = start(in_process()).await;
    let request = gateway.get(&[("query", "{__typename}")]);
    assert_eq!(refusal(request).await, (400, "CSRF_PREVENTED".to_owned()));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let mut options = in_process();
    options.http.body_bytes_max = 1000;
    let gateway = start(options).await;
    let request = gateway.query(&format!("{{ __typename # {} }}", "x".repeat(1000)));
    assert_eq!(refusal(request).await, (413, "PAYLOAD_TOO_LARGE".to_owned()));
}

#[tokio::test]
async fn a_client_that_sends_a_giant_body_to_its_end_still_gets_the_answer() {
    let gateway = start(in_process()).await;
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    let body = vec![b' '; 8 * 1024 * 1024];
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&body).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_no_graphql_request_is_refused() {
    let gateway = start(in_process()).await;
    let deep =
        format!(r#"{{"query":"{{a}}","extensions":{{"v":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for (text, code) in [
        ("", "BAD_REQUEST"),
        ("{ \"not a JSON", "BAD_REQUEST"),
        ("null", "BAD_REQUEST"),
        ("{}", "BAD_REQUEST"),
        (r#"{"query":0}"#, "BAD_REQUEST"),
        (r#"{"query":"{a}","operationName":{}}"#, "BAD_REQUEST"),
        (r#"{"query":"{a}","variables":[]}"#, "BAD_REQUEST"),
        (r#"{"query":"{a}","extensions":"x"}"#, "BAD_REQUEST"),
        (r#"[{"query":"{a}"}]"#, "BATCHING_NOT_ALLOWED"),
        (&deep, "BAD_REQUEST"),
    ] {
        let request = gateway.post().header("content-type", "application/json").body(text.to_owned());
        let shown = &text[..text.len().min(60)];
        assert_eq!(refusal(request).await, (400, code.to_owned()), "{shown}");
    }
    let invalid_utf8 =
        gateway.post().header("content-type", "application/json").body(&b"{\"query\":\"\xff\"}"[..]);
    assert_eq!(refusal(invalid_utf8).await.0, 400);
}

#[tokio::test]
async fn other_methods_and_media_types_are_refused() {
    let gateway = start(in_process()).await;
    let response = gateway.client.put(gateway.url("/graphql")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET, POST");
    let image = gateway.query("{__typename}").header("accept", "image/png");
    assert_eq!(refusal(image).await, (406, "NOT_ACCEPTABLE".to_owned()));
    let elsewhere = gateway.client.get(gateway.url("/nowhere"));
    assert_eq!(elsewhere.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_answer_is_never_stored_and_carries_the_correlation_id() {
    let gateway = start(in_process()).await;
    let response = gateway.query("{__typename}").header("x-request-id", "order-17").send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "private, no-store");
    assert_eq!(response.headers()["x-request-id"], "order-17");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn a_foreign_origin_is_never_allowed_and_a_configured_one_is() {
    let mut options = in_process();
    options.cors.origins = vec!["https://shop.example".parse().unwrap()];
    let gateway = start(options).await;
    for (origin, allowed) in [
        ("https://shop.example", true),
        ("https://shop.example.evil", false),
        ("http://shop.example", false),
        ("null", false),
    ] {
        let request = gateway.query("{__typename}").header("origin", origin);
        let response = request.send().await.unwrap();
        let headers = response.headers();
        let echoed = headers.get("access-control-allow-origin").is_some_and(|value| value == origin);
        assert_eq!(echoed, allowed, "{origin}");
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
}

#[tokio::test]
async fn a_client_that_never_finishes_its_header_is_disconnected() {
    let mut options = in_process();
    options.http.header_timeout = Duration::from_millis(200);
    let gateway = start(options).await;
    for unfinished in ["", "POST /graphql HTTP/1.1\r\nhost: x\r\nx-a: b"] {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        socket.write_all(unfinished.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(crate::common::PATIENCE, socket.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "still open: {unfinished:?}");
        assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
    }
}

#[tokio::test]
async fn a_client_that_never_finishes_its_body_is_answered_408() {
    let mut options = in_process();
    options.http.body_timeout = Duration::from_millis(200);
    let gateway = start(options).await;
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    let head =
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(crate::common::PATIENCE, socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("BODY_TIMEOUT"), "{answer}");
}

#[tokio::test]
async fn smuggled_requests_get_at_most_one_answer() {
    let gateway = start(in_process()).await;
    let inner = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "content-length: 0\r\ncontent-length: 35\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n",
        "content-length: +0\r\n\r\n",
        "x-a: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    ] {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{framing}{inner}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The server may reset a connection with unread bytes: what counts is what it answered before.
        let _ = tokio::time::timeout(crate::common::PATIENCE, socket.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.matches("HTTP/1.1 ").count() <= 1 && !answer.contains("alive"),
            "{framing:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn graphiql_is_served_in_development_only() {
    let production = start(in_process()).await;
    let page = |gateway: &crate::common::Gateway| gateway.get(&[]).header("accept", "text/html,*/*;q=0.8");
    assert_eq!(page(&production).send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    let script = production.client.get(production.url("/graphiql/start.js"));
    assert_eq!(script.send().await.unwrap().status(), StatusCode::NOT_FOUND);

    let mut options = in_process();
    options.dev = true;
    let development = start(options).await;
    let response = page(&development).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(
        response.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'")
    );
    let html = response.text().await.unwrap();
    assert!(!html.contains("//unpkg") && !html.contains("https://"), "{html}");
    for path in html.split('"').filter(|part| part.starts_with("/graphiql/")) {
        let file = development.client.get(development.url(path)).send().await.unwrap();
        assert_eq!(file.status(), StatusCode::OK, "{path}");
    }
    // A browser that sends a query by GET wants its answer, not the page.
    let answer =
        development.get(&[("query", "{__typename}")]).header("accept", "text/html, application/json");
    let answer = answer.header("sec-fetch-site", "same-origin");
    assert_eq!(body(answer).await, json!({ "data": { "__typename": "Query" } }));
}
