//! Access tokens, good and forged.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey};
use kopitiam_server::{JwtAlgorithm, JwtIssuer, KeySource};
use serde_json::{Value, json};

/// An Ed25519 key made of one repeated byte: RFC 8410's PKCS #8 frame around the seed.
pub(crate) fn key(byte: u8) -> EncodingKey {
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend([byte; 32]);
    EncodingKey::from_ed_der(&der)
}

/// A fresh key for an algorithm other than EdDSA.
pub(crate) fn fresh_key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::ES256 => {
            let random = aws_lc_rs::rand::SystemRandom::new();
            let kind = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = aws_lc_rs::signature::EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
            EncodingKey::from_ec_pem(pem(pair.as_ref()).as_bytes()).unwrap()
        }
        Algorithm::RS256 => {
            let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
            let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&pair).unwrap();
            EncodingKey::from_rsa_pem(pem(der.as_ref()).as_bytes()).unwrap()
        }
        other => panic!("no test key for {other:?}"),
    }
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// The public key set of keys, each named by its byte.
pub(crate) fn key_set(bytes: &[u8]) -> String {
    let keys = bytes.iter().map(|byte| {
        let mut jwk = Jwk::from_encoding_key(&key(*byte), Algorithm::EdDSA).unwrap();
        jwk.common.key_id = Some(byte.to_string());
        jwk
    });
    serde_json::to_string(&JwkSet { keys: keys.collect() }).unwrap()
}

pub(crate) fn issuer(keys: KeySource) -> JwtIssuer {
    JwtIssuer {
        issuer: "kopitiam".to_owned(),
        audiences: vec!["kopitiam".to_owned()],
        algorithms: vec![JwtAlgorithm::EdDSA],
        keys,
        leeway: JwtIssuer::DEFAULT_LEEWAY,
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Claims that are in order.
pub(crate) fn claims() -> Value {
    json!({ "iss": "kopitiam", "aud": "kopitiam", "sub": "u1", "iat": now(), "exp": now() + 600 })
}

/// A token with any header and any payload text, signed with the Ed25519 key of a byte.
pub(crate) fn sign(header: &Value, payload: &str, byte: u8) -> String {
    let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.as_bytes()));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key(byte), Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

pub(crate) fn good_token(byte: u8) -> String {
    sign(&json!({ "alg": "EdDSA", "kid": byte.to_string() }), &claims().to_string(), byte)
}

/// The header's value for a good token of a subject.
pub(crate) fn bearer_of(byte: u8, subject: &str) -> String {
    let mut claims = claims();
    claims["sub"] = subject.into();
    let header = json!({ "alg": "EdDSA", "kid": byte.to_string() });
    format!("Bearer {}", sign(&header, &claims.to_string(), byte))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
