//! Cosmo Router's `config.yaml`, key by key.

use serde_json::{Value, json};

use super::shared::{ISSUER_NEEDS, forward, origins, set, set_bytes, set_duration};
use super::{Migrated, Taken};

pub(super) fn key(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["version"] => Taken::Carried,
        ["listen_addr"] => {
            let text = value.as_str().unwrap_or_default().replace("localhost", "127.0.0.1");
            out.set(&["listen"], text);
            Taken::Carried
        }
        ["graphql_path"] if value == "/graphql" => Taken::Carried,
        ["graphql_path"] => Taken::Dropped("the path is /graphql"),
        ["router_config_path" | "execution_config" | "graph" | "cdn" | "controlplane", ..] => {
            Taken::Dropped("compose a supergraph (`gateway compose`) and name it under `supergraph`")
        }
        ["introspection_enabled" | "introspection", ..] if value.is_boolean() => {
            set(out, &["introspection"], value)
        }
        ["playground_enabled" | "playground" | "dev_mode", ..] => {
            Taken::Noted("GraphiQL is served with `dev`")
        }
        ["log_level"] => set(out, &["telemetry", "filter"], value),
        ["json_log"] => {
            out.set(&["telemetry", "format"], if value == true { "json" } else { "text" });
            Taken::Carried
        }
        ["shutdown_delay" | "grace_period"] => set_duration(out, &["http", "drain_timeout"], value),
        ["cors", rest @ ..] => cors(out, rest, value),
        ["headers", "all", "request"] => rules(out, &["headers", "rules"], value),
        ["headers", "subgraphs", name, "request"] => rules(out, &["headers", "by_subgraph", name], value),
        ["override_routing_url", "subgraphs", name] | ["overrides", "subgraphs", name, "routing_url"] => {
            set(out, &["subgraphs", "by_name", name, "url"], value)
        }
        ["traffic_shaping", rest @ ..] => traffic(out, rest, value),
        ["engine", "enable_single_flight"] => set(out, &["traffic", "share_subgraph_queries"], value),
        ["authentication", "jwt", "jwks"] | ["authentication", "providers"] => Taken::Dropped(ISSUER_NEEDS),
        ["automatic_persisted_queries", "enabled"] => set(out, &["documents", "automatic", "enabled"], value),
        ["persisted_operations", ..] => Taken::Noted("set `documents.persisted`"),
        ["security", "depth_limit", "limit"] | ["security", "complexity_limits", "depth", "limit"] => {
            set(out, &["limits", "depth_max"], value)
        }
        ["security", "complexity_limits", "root_fields", "limit"] => {
            set(out, &["limits", "root_fields_max"], value)
        }
        ["security", "complexity_limits", "total_fields", "limit"] => {
            set(out, &["limits", "expanded_selections_max"], value)
        }
        ["telemetry", rest @ ..] => telemetry(out, rest, value),
        ["health_check_path" | "readiness_check_path" | "liveness_check_path"] => {
            Taken::Noted("`/health` and `/ready`")
        }
        ["batching", "enabled"] => set(out, &["batching", "enabled"], value),
        ["batching", "max_entries_per_batch"] => set(out, &["batching", "operations_max"], value),
        ["events", ..] => Taken::Noted("set `events`"),
        _ => Taken::Open,
    }
}

fn cors(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["enabled"] => Taken::Noted("CORS is on when `cors.origins` names any"),
        ["allow_origins"] => origins(out, value),
        ["allow_headers"] => set(out, &["cors", "allowed_headers"], value),
        ["allow_credentials"] => set(out, &["cors", "credentials"], value),
        ["max_age"] => set_duration(out, &["cors", "max_age"], value),
        ["allow_methods"] => Taken::Noted("GET and POST are allowed"),
        _ => Taken::Open,
    }
}

fn traffic(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["router", "max_request_body_size"] => set_bytes(out, &["http", "body_bytes_max"], value),
        ["all", "request_timeout"] => set_duration(out, &["subgraphs", "all", "timeout"], value),
        ["all", "dial_timeout"] => set_duration(out, &["subgraphs", "all", "connect_timeout"], value),
        ["all", "keep_alive_idle_timeout"] => set_duration(out, &["subgraphs", "all", "idle_timeout"], value),
        ["all", "retry", "enabled"] => Taken::Noted("retries are on when `subgraphs.all.retry` is set"),
        ["all", "retry", "max_attempts"] => set(out, &["subgraphs", "all", "retry", "retries_max"], value),
        ["all", "retry", "interval"] => {
            set_duration(out, &["subgraphs", "all", "retry", "pause_first"], value)
        }
        ["all", "retry", "max_duration"] => {
            set_duration(out, &["subgraphs", "all", "retry", "pause_max"], value)
        }
        ["all", "retry", _, ..] => Taken::Noted("pauses double, with jitter, within a budget"),
        ["subgraphs", name, "request_timeout"] => {
            set_duration(out, &["subgraphs", "by_name", name, "timeout"], value)
        }
        _ => Taken::Open,
    }
}

/// Rules in Cosmo's form: `op: propagate | set`.
fn rules(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    let mut left_out = false;
    for rule in value.as_array().into_iter().flatten() {
        let ours = match (
            rule["op"].as_str(),
            rule["named"].as_str(),
            rule["name"].as_str(),
            rule["value"].as_str(),
        ) {
            (Some("propagate"), Some(name), ..) => {
                forward(name, rule["rename"].as_str(), rule["default"].as_str())
            }
            (Some("set"), _, Some(name), Some(value)) => {
                json!({ "insert": { "name": name, "value": value } })
            }
            _ => {
                left_out = true;
                continue;
            }
        };
        out.push(path, ours);
    }
    if left_out {
        Taken::Noted("rules by pattern or by expression are left out: name each header")
    } else {
        Taken::Carried
    }
}

fn telemetry(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["service_name"] => Taken::Noted("set `telemetry.otlp.service_name`"),
        ["tracing", "sampling_rate"] => Taken::Noted("set `telemetry.otlp.sample_ratio`"),
        ["tracing", "exporters"] => match value[0]["endpoint"].as_str() {
            Some(endpoint) => {
                out.set(&["telemetry", "otlp", "endpoint"], endpoint.trim_end_matches("/v1/traces"));
                Taken::Noted("the first exporter; metrics go there, too (`telemetry.otlp.metrics`)")
            }
            None => Taken::Dropped("set `telemetry.otlp.endpoint`"),
        },
        ["metrics", "prometheus"] => {
            if value["enabled"] != false {
                let listen = value["listen_addr"].as_str().unwrap_or("127.0.0.1:8088");
                out.set(&["telemetry", "metrics", "listen"], listen.replace("localhost", "127.0.0.1"));
            }
            Taken::Noted("metrics are at /metrics, under names of their own")
        }
        _ => Taken::Open,
    }
}
