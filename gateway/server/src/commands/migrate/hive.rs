//! Hive Router's `router.config.yaml`, key by key.

use serde_json::Value;

use super::shared::{ISSUER_NEEDS, duration, header_rules, issuer, origins, set, set_bytes, set_duration};
use super::{Migrated, Taken};

pub(super) fn key(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["supergraph"] => supergraph(out, value),
        ["http"] => {
            let host = value["host"].as_str().unwrap_or("0.0.0.0");
            out.set(&["listen"], format!("{host}:{}", value["port"].as_u64().unwrap_or(4000)));
            match value["graphql_endpoint"].as_str() {
                None | Some("/graphql") => Taken::Carried,
                Some(_) => Taken::Noted("the path is /graphql"),
            }
        }
        ["log", "format"] => {
            out.set(&["telemetry", "format"], if value == "json" { "json" } else { "text" });
            Taken::Noted("log lines go to stderr")
        }
        ["log", "level" | "filter"] => set(out, &["telemetry", "filter"], value),
        ["introspection"] if value.is_boolean() => set(out, &["introspection"], value),
        ["graphiql" | "laboratory", ..] => Taken::Noted("GraphiQL is served with `dev`"),
        ["cors", "enabled"] => Taken::Noted("CORS is on when `cors.origins` names any"),
        ["cors", "policies"] => {
            for policy in value.as_array().into_iter().flatten() {
                if let Taken::Dropped(why) = origins(out, &policy["origins"]) {
                    return Taken::Dropped(why);
                }
            }
            Taken::Noted("all origins have the same rights here")
        }
        ["cors", "origins"] => origins(out, value),
        ["cors", "allow_any_origin"] => Taken::Dropped("origins are named exactly"),
        ["cors", "allow_credentials"] => set(out, &["cors", "credentials"], value),
        ["cors", "allow_headers"] => set(out, &["cors", "allowed_headers"], value),
        ["cors", "expose_headers"] => set(out, &["cors", "exposed_headers"], value),
        ["cors", "max_age"] => set_duration(out, &["cors", "max_age"], value),
        ["csrf", ..] => Taken::Noted("cross-site requests are always refused"),
        ["headers", "all", "request"] => header_rules(out, &["headers", "rules"], value),
        ["headers", "subgraphs", name, "request"] => {
            header_rules(out, &["headers", "by_subgraph", name], value)
        }
        ["override_subgraph_urls", "subgraphs", name, "url"] if value.is_string() => {
            set(out, &["subgraphs", "by_name", name, "url"], value)
        }
        ["override_subgraph_urls", ..] if value.is_string() => {
            Taken::Dropped("a URL by an expression: name the URL of each subgraph")
        }
        ["traffic_shaping", rest @ ..] => traffic(out, rest, value),
        ["limits", rest @ ..] => limits(out, rest, value),
        ["jwt"] => jwt(out, value),
        ["authorization", "directives", "enabled"] if value == true => Taken::Carried,
        ["authorization", "directives", "enabled"] => {
            Taken::Dropped("what the schema keeps for some clients is always kept")
        }
        ["authorization", "directives", "unauthorized", "mode"] => {
            out.set(&["authorization", "reject_unauthorized"], value == "reject");
            Taken::Carried
        }
        ["persisted_documents" | "persisted_queries", ..] => Taken::Noted("set `documents.persisted`"),
        ["query_planner", "allow_expose"] => set(out, &["telemetry", "expose", "plan"], value),
        ["query_planner", "timeout"] => Taken::Noted("planning is bounded in steps and memory"),
        _ => Taken::Open,
    }
}

fn supergraph(out: &mut Migrated, value: &Value) -> Taken {
    if let Some(interval) = duration(&value["poll_interval"]) {
        out.set(&["supergraph", "poll_interval"], interval);
    }
    match (value["source"].as_str(), value["path"].as_str()) {
        (None | Some("file"), Some(file)) => {
            out.set(&["supergraph", "file"], file);
            Taken::Carried
        }
        (Some("hive"), _) => {
            let endpoint = value["endpoint"].as_str().unwrap_or_default();
            let key = value["key"].as_str().unwrap_or("${env.HIVE_CDN_KEY}");
            out.set(&["supergraph", "hive", "endpoint"], endpoint);
            out.set(&["supergraph", "hive", "key"], key);
            Taken::Carried
        }
        _ => Taken::Dropped("name the supergraph under `supergraph`"),
    }
}

fn traffic(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["router", "request_timeout"] => set_duration(out, &["http", "request_timeout"], value),
        ["all", "request_timeout"] => set_duration(out, &["subgraphs", "all", "timeout"], value),
        ["all", "pool_idle_timeout"] => set_duration(out, &["subgraphs", "all", "idle_timeout"], value),
        ["all", "dedupe_enabled"] => set(out, &["traffic", "share_subgraph_queries"], value),
        ["subgraphs", name, "request_timeout"] => {
            set_duration(out, &["subgraphs", "by_name", name, "timeout"], value)
        }
        ["subgraphs", name, "pool_idle_timeout"] => {
            set_duration(out, &["subgraphs", "by_name", name, "idle_timeout"], value)
        }
        ["max_connections_per_host"] => Taken::Noted("set `subgraphs.all.concurrency`"),
        _ => Taken::Open,
    }
}

fn limits(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["max_depth", "n"] => set(out, &["limits", "depth_max"], value),
        ["max_aliases", "n"] => set(out, &["limits", "aliases_max"], value),
        ["max_directives", "n"] => set(out, &["limits", "directives_max"], value),
        ["max_tokens", "n"] => set(out, &["limits", "document_tokens_max"], value),
        ["max_request_body_size"] => set_bytes(out, &["http", "body_bytes_max"], value),
        _ => Taken::Open,
    }
}

fn jwt(out: &mut Migrated, value: &Value) -> Taken {
    let issuers: Vec<&str> =
        value["issuers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let providers: Vec<&Value> = value["jwks_providers"].as_array().into_iter().flatten().collect();
    let algorithms = &value["allowed_algorithms"];
    let [provider] = providers.as_slice() else { return Taken::Dropped(ISSUER_NEEDS) };
    let keys = provider["url"].as_str().map(str::to_owned);
    let keys = keys.or_else(|| provider["path"].as_str().map(|path| format!("file://{path}")));
    let Some(keys) = keys else { return Taken::Dropped(ISSUER_NEEDS) };
    let taken =
        issuers.iter().filter(|name| issuer(out, name, &keys, &value["audiences"], algorithms)).count();
    if taken > 0 && taken == issuers.len() {
        Taken::Noted(
            "tokens are read from `Authorization: Bearer` only; a request without one is let through to the directives",
        )
    } else {
        Taken::Dropped(ISSUER_NEEDS)
    }
}
