//! Which access tokens are believed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kopitiam_kit::auth::{TokenError, Verifier};
use kopitiam_kit::config::{AuthConfig, JwksSource};
use kopitiam_kit::testing::{TestTokens, auth_config};
use serde_json::{Value, json};
use uuid::Uuid;

const USER: Uuid = Uuid::from_u128(7);

fn claims() -> Value {
    let now = chrono::Utc::now().timestamp();
    json!({
        "sub": USER, "roles": ["USER"], "scope": "a:read b:write", "sid": "s", "ver": 3,
        "iss": "kopitiam", "aud": "kopitiam", "iat": now, "exp": now + 900,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[tokio::test]
async fn a_good_token_gives_its_identity() {
    let tokens = TestTokens::new();
    let identity = Verifier::new(auth_config(&tokens)).verify(&tokens.sign(&claims())).await.unwrap();
    assert_eq!(identity.user_id, USER);
    assert_eq!(identity.roles, ["USER"]);
    assert_eq!(identity.scopes, ["a:read", "b:write"]);
    assert_eq!((identity.session_id.as_deref(), identity.version), (Some("s"), Some(3)));
}

#[tokio::test]
async fn claims_that_are_not_for_us_now_are_refused() {
    let tokens = TestTokens::new();
    let verifier = Verifier::new(auth_config(&tokens));
    let now = chrono::Utc::now().timestamp();
    for (what, claims) in [
        ("expired", with("exp", json!(now - 61))),
        ("not yet valid", with("nbf", json!(now + 120))),
        ("other issuer", with("iss", json!("elsewhere"))),
        ("other audience", with("aud", json!("elsewhere"))),
        ("no expiry", without("exp")),
        ("no issuer", without("iss")),
        ("no audience", without("aud")),
        ("no subject", without("sub")),
        ("subject is no id", with("sub", json!("admin"))),
        ("roles are no list", with("roles", json!("ADMIN"))),
    ] {
        assert!(verifier.verify(&tokens.sign(&claims)).await.is_err(), "{what}");
    }
    for (claim, at) in [("exp", now - 50), ("nbf", now + 50), ("iat", now + 50)] {
        let token = tokens.sign(&with(claim, json!(at)));
        assert!(verifier.verify(&token).await.is_ok(), "clocks may differ a minute: {claim}");
    }
}

#[tokio::test]
async fn the_algorithm_is_the_keys_not_the_tokens() {
    let tokens = TestTokens::new();
    let verifier = Verifier::new(auth_config(&tokens));
    let set = tokens.jwks();
    let key_id = set.keys[0].common.key_id.clone();
    let public = serde_json::to_value(&set.keys[0]).unwrap()["x"].as_str().unwrap().to_owned();

    let mut header = Header::new(Algorithm::HS256);
    header.kid = key_id.clone();
    let secret = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(public).unwrap());
    let confused = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
    assert!(
        matches!(verifier.verify(&confused).await, Err(TokenError::Refused(_))),
        "signed with the public key"
    );

    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for algorithm in ["none", "None", "NONE", "nOnE"] {
        let unsigned = format!("{}.{}.", part(&json!({ "alg": algorithm, "kid": key_id })), part(&claims()));
        assert!(verifier.verify(&unsigned).await.is_err(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_token_that_was_touched_is_refused() {
    let tokens = TestTokens::new();
    let verifier = Verifier::new(auth_config(&tokens));
    let good = tokens.sign(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let admin = URL_SAFE_NO_PAD.encode(with("roles", json!(["ADMIN"])).to_string());
    for bad in [
        format!("{}.{admin}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        String::new(),
        "...".to_owned(),
        "x".repeat(8192),
    ] {
        assert!(verifier.verify(&bad).await.is_err(), "{bad:.40}");
    }
}

#[tokio::test]
async fn a_foreign_key_is_refused() {
    let (ours, theirs) = (TestTokens::new(), TestTokens::new());
    let verifier = Verifier::new(auth_config(&ours));
    assert!(matches!(verifier.verify(&theirs.sign(&claims())).await, Err(TokenError::UnknownKey)));
}

#[tokio::test]
async fn a_key_file_is_read_when_a_token_comes() {
    let tokens = TestTokens::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let config = AuthConfig { jwks: JwksSource::File(path.clone()), ..auth_config(&tokens) };
    let verifier = Verifier::new(config);
    assert!(matches!(verifier.verify(&tokens.sign(&claims())).await, Err(TokenError::NoKeys(_))));
    std::fs::write(&path, serde_json::to_vec(&tokens.jwks()).unwrap()).unwrap();
    verifier.verify(&tokens.sign(&claims())).await.unwrap();
}

#[tokio::test]
async fn unknown_keys_do_not_flood_the_key_server() {
    let tokens = TestTokens::new();
    let fetches = Arc::new(AtomicU32::new(0));
    let (counted, set) = (Arc::clone(&fetches), serde_json::to_value(tokens.jwks()).unwrap());
    let route = get(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { axum::Json(set) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let shutdown = tokio_util::sync::CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    tokio::spawn(kopitiam_kit::serve::serve(listener, Router::new().route("/jwks.json", route), shutdown));

    let verifier = Verifier::new(AuthConfig { jwks: JwksSource::Url(url), ..auth_config(&tokens) });
    verifier.verify(&tokens.sign(&claims())).await.unwrap();
    for _ in 0..20 {
        let stranger = TestTokens::new();
        assert!(matches!(verifier.verify(&stranger.sign(&claims())).await, Err(TokenError::UnknownKey)));
    }
    verifier.verify(&tokens.sign(&claims())).await.unwrap();
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}
