//! What the other gateways' settings have in common.

use serde_json::{Value, json};

use super::{Migrated, Taken};

/// `30s`, `500ms`, `1min`, `1m30s`, `2h`, seconds as a number → our form.
pub(super) fn duration(value: &Value) -> Option<String> {
    if let Some(seconds) = value.as_f64() {
        return in_milliseconds(seconds * 1_000.0);
    }
    let mut rest = value.as_str()?.trim();
    let mut milliseconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let end = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
        milliseconds += number
            * match &rest[..end] {
                "ms" | "millis" => 1.0,
                "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
                "m" | "min" | "mins" | "minute" | "minutes" => 6e4,
                "h" | "hr" | "hour" | "hours" => 3.6e6,
                "d" | "day" | "days" => 8.64e7,
                _ => return None,
            };
        rest = rest[end..].trim_start();
    }
    in_milliseconds(milliseconds)
}

fn in_milliseconds(milliseconds: f64) -> Option<String> {
    // Beyond it no setting makes sense; below, a whole number of them is exact.
    let is_sane = (0.0..1e13).contains(&milliseconds);
    is_sane.then(|| format!("{}ms", milliseconds.round())).map(|text| match text.strip_suffix("000ms") {
        Some(seconds) if !seconds.is_empty() => format!("{seconds}s"),
        _ => text,
    })
}

/// `5MB`, `2 MiB`, a number of bytes → bytes.
pub(super) fn bytes(value: &Value) -> Option<u64> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let text = value.as_str()?.trim().to_ascii_lowercase();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    number.checked_mul(match text[digits..].trim() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    })
}

/// Sets a duration.
pub(super) fn set_duration(migrated: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match duration(value) {
        Some(duration) => {
            migrated.set(path, duration);
            Taken::Carried
        }
        None => Taken::Dropped("this is no duration"),
    }
}

/// Sets a number of bytes.
pub(super) fn set_bytes(migrated: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match bytes(value) {
        Some(bytes) => {
            migrated.set(path, bytes);
            Taken::Carried
        }
        None => Taken::Dropped("this is no number of bytes"),
    }
}

/// Sets what means the same here.
pub(super) fn set(migrated: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    migrated.set(path, value.clone());
    Taken::Carried
}

/// Origins without `*`, which would allow every page.
pub(super) fn origins(migrated: &mut Migrated, value: &Value) -> Taken {
    let all: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if all.contains(&"*") {
        return Taken::Dropped("origins are named exactly; list the pages that may read answers");
    }
    for origin in all {
        migrated.push(&["cors", "origins"], origin.trim_end_matches('/').into());
    }
    Taken::Carried
}

/// An access token's issuer with its keys.
pub(super) fn issuer(
    migrated: &mut Migrated,
    issuer: &str,
    jwks: &str,
    audiences: &Value,
    algorithms: &Value,
) -> bool {
    let names = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
    };
    let (audiences, mut algorithms) = (names(audiences), names(algorithms));
    algorithms.retain(|algorithm| matches!(algorithm.as_str(), "EdDSA" | "ES256" | "RS256"));
    if audiences.is_empty() || algorithms.is_empty() {
        return false;
    }
    let jwks = match jwks.strip_prefix("file://") {
        Some(file) => json!({ "file": file }),
        None => json!({ "url": jwks }),
    };
    let entry = json!({ "issuer": issuer, "audiences": audiences, "algorithms": algorithms, "jwks": jwks });
    migrated.push(&["jwt", "issuers"], entry);
    true
}

pub(super) const ISSUER_NEEDS: &str = "an issuer needs its `iss` claim, audiences, and algorithms of EdDSA, ES256 and RS256: add it under `jwt.issuers`";

/// Header rules in the form that Apollo and Hive share: `propagate`, `insert`, `remove`.
pub(super) fn header_rules(migrated: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    let mut left_out = false;
    for rule in value.as_array().into_iter().flatten() {
        let (propagate, insert, remove) = (&rule["propagate"], &rule["insert"], &rule["remove"]);
        let ours = if let Some(name) = propagate["named"].as_str() {
            forward(name, propagate["rename"].as_str(), propagate["default"].as_str())
        } else if let (Some(name), Some(value)) = (insert["name"].as_str(), insert["value"].as_str()) {
            json!({ "insert": { "name": name, "value": value } })
        } else if let Some(name) = remove["named"].as_str() {
            json!({ "remove": name })
        } else {
            left_out = true;
            continue;
        };
        migrated.push(path, ours);
    }
    if left_out {
        Taken::Noted("rules by pattern, by body or by context are left out: name each header")
    } else {
        Taken::Carried
    }
}

/// A rule that forwards a header.
pub(super) fn forward(name: &str, renamed: Option<&str>, default: Option<&str>) -> Value {
    let mut rule = json!({ "name": name });
    for (key, value) in [("renamed", renamed), ("default", default)] {
        if let Some(value) = value {
            rule[key] = value.into();
        }
    }
    json!({ "forward": rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_of_others_are_read() {
        for (text, ours) in [
            (json!("30s"), "30s"),
            (json!("100ms"), "100ms"),
            (json!("1m30s"), "90s"),
            (json!("1min"), "60s"),
            (json!(2), "2s"),
            (json!("1.5s"), "1500ms"),
            (json!("0s"), "0ms"),
        ] {
            assert_eq!(duration(&text).as_deref(), Some(ours), "{text}");
        }
        assert_eq!(duration(&json!("soon")), None);
        assert_eq!(bytes(&json!("5MB")), Some(5 << 20));
        assert_eq!(bytes(&json!("2 KiB")), Some(2048));
        assert_eq!(bytes(&json!("many")), None);
    }
}
