//! Apollo Router's `router.yaml`, key by key.

use serde_json::Value;

use super::shared::{ISSUER_NEEDS, header_rules, issuer, origins, set, set_bytes, set_duration};
use super::{Migrated, Taken};

pub(super) fn key(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["supergraph", rest @ ..] => supergraph(out, rest, value),
        ["cors", rest @ ..] => cors(out, rest, value),
        ["headers", "all", "request"] => header_rules(out, &["headers", "rules"], value),
        ["headers", "subgraphs", name, "request"] => {
            header_rules(out, &["headers", "by_subgraph", name], value)
        }
        ["override_subgraph_url", name] => set(out, &["subgraphs", "by_name", name, "url"], value),
        ["traffic_shaping", rest @ ..] => traffic(out, rest, value),
        ["limits", rest @ ..] => limits(out, rest, value),
        ["demand_control", "strategy", "static_estimated", "max"] => set(out, &["limits", "cost_max"], value),
        ["demand_control", "strategy", "static_estimated", "list_size"] => {
            set(out, &["limits", "cost", "list_size"], value)
        }
        ["demand_control", "enabled" | "mode"] => {
            Taken::Noted("`limits.cost_max` refuses what costs more; with `null` it refuses nothing")
        }
        ["authentication", "router", "jwt", "jwks"] => jwks(out, value),
        ["authorization", "directives", rest @ ..] => directives(out, rest, value),
        ["apq", "enabled"] => set(out, &["documents", "automatic", "enabled"], value),
        ["persisted_queries", ..] => Taken::Noted(
            "set `documents.persisted`: a manifest by file, folder or URL, and `unlisted` for what is not in it",
        ),
        ["batching", "enabled"] => set(out, &["batching", "enabled"], value),
        ["batching", "maximum_size"] => set(out, &["batching", "operations_max"], value),
        ["batching", "mode"] => Taken::Carried,
        ["telemetry", rest @ ..] => telemetry(out, rest, value),
        ["csrf", ..] => Taken::Noted(
            "cross-site requests are always refused; `graphql-require-preflight` and `apollo-require-preflight` let one pass",
        ),
        ["homepage" | "sandbox", ..] => Taken::Noted("GraphiQL is served with `dev`"),
        ["health_check", ..] => Taken::Noted("`/health` and `/ready` answer where clients ask"),
        ["include_subgraph_errors", ..] => {
            Taken::Noted("messages of subgraphs' errors reach clients; no address ever does")
        }
        ["subscription", "enabled"] => Taken::Noted("subscriptions are always on"),
        ["coprocessor" | "rhai" | "plugins", ..] => {
            Taken::Dropped("see `coprocessor` and the plugins of the library")
        }
        _ => Taken::Open,
    }
}

fn supergraph(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["listen"] => set(out, &["listen"], value),
        ["introspection"] => set(out, &["introspection"], value),
        ["path"] if value == "/graphql" => Taken::Carried,
        ["path"] => Taken::Dropped("the path is /graphql"),
        ["query_planning", "cache", "in_memory", "limit"] => {
            set(out, &["limits", "plan_cache_entries"], value)
        }
        ["query_planning", "warmed_up_queries"] => set(out, &["supergraph", "warm_up_operations"], value),
        ["defer_support"] => Taken::Noted("asked for by the client's `Accept`"),
        _ => Taken::Open,
    }
}

fn directives(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["reject_unauthorized"] => set(out, &["authorization", "reject_unauthorized"], value),
        ["enabled"] if value == true => Taken::Carried,
        ["enabled"] => Taken::Dropped("what the schema keeps for some clients is always kept"),
        ["dry_run"] if value == false => Taken::Carried,
        ["errors", ..] => Taken::Noted("each refused field has an error in `errors`"),
        _ => Taken::Open,
    }
}

fn cors(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["origins"] => origins(out, value),
        ["policies"] => {
            let policies: Vec<&Value> = value.as_array().into_iter().flatten().collect();
            for policy in &policies {
                if let Taken::Dropped(why) = origins(out, &policy["origins"]) {
                    return Taken::Dropped(why);
                }
            }
            if policies.len() > 1 {
                Taken::Noted("all origins have the same rights here")
            } else {
                Taken::Carried
            }
        }
        ["allow_any_origin"] => {
            Taken::Dropped("origins are named exactly: list the pages that may read answers")
        }
        ["allow_credentials"] => set(out, &["cors", "credentials"], value),
        ["allow_headers"] => set(out, &["cors", "allowed_headers"], value),
        ["expose_headers"] => set(out, &["cors", "exposed_headers"], value),
        ["max_age"] => set_duration(out, &["cors", "max_age"], value),
        ["methods"] => Taken::Noted("GET and POST are allowed"),
        _ => Taken::Open,
    }
}

fn traffic(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["router", "timeout"] => set_duration(out, &["http", "request_timeout"], value),
        ["router", "concurrency_limit"] => set(out, &["http", "operations_in_flight_max"], value),
        ["all", rest @ ..] => subgraph(out, &["subgraphs", "all"], rest, value),
        ["subgraphs", name, rest @ ..] => subgraph(out, &["subgraphs", "by_name", name], rest, value),
        ["deduplicate_variables"] => Taken::Noted("equal representations are always sent once"),
        _ => Taken::Open,
    }
}

fn subgraph(out: &mut Migrated, at: &[&str], path: &[&str], value: &Value) -> Taken {
    let to = |rest: &[&'static str]| -> Vec<String> {
        at.iter().copied().chain(rest.iter().copied()).map(str::to_owned).collect()
    };
    let set_at = |out: &mut Migrated, rest: &[&'static str], value: Value| {
        let path = to(rest);
        out.set(&path.iter().map(String::as_str).collect::<Vec<_>>(), value);
        Taken::Carried
    };
    match path {
        ["timeout"] => match super::shared::duration(value) {
            Some(duration) => set_at(out, &["timeout"], duration.into()),
            None => Taken::Dropped("this is no duration"),
        },
        ["compression"] => match value.as_str() {
            Some("identity") => Taken::Carried,
            Some("gzip" | "br" | "zstd") => set_at(out, &["compression", "requests"], value.clone()),
            _ => Taken::Dropped("request bodies are compressed by gzip, br or zstd"),
        },
        ["deduplicate_query"] => {
            out.set(&["traffic", "share_subgraph_queries"], value.clone());
            if at.len() > 2 { Taken::Noted("holds for all subgraphs") } else { Taken::Carried }
        }
        ["experimental_http2"] => Taken::Noted("HTTP/2 is chosen by TLS; see `subgraphs.*.http_version`"),
        ["global_rate_limit", ..] => Taken::Noted("set `subgraphs.*.rate`"),
        _ => Taken::Open,
    }
}

fn limits(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["max_depth"] => set(out, &["limits", "depth_max"], value),
        ["max_aliases"] => set(out, &["limits", "aliases_max"], value),
        ["max_root_fields"] => set(out, &["limits", "root_fields_max"], value),
        ["max_height"] => Taken::Noted(
            "use `limits.expanded_selections_max`, which counts each field with fragments in place",
        ),
        ["parser_max_tokens"] => set(out, &["limits", "document_tokens_max"], value),
        ["parser_max_recursion"] => set(out, &["limits", "document_recursion_max"], value),
        ["http_max_request_bytes"] => set_bytes(out, &["http", "body_bytes_max"], value),
        ["warn_only"] => Taken::Dropped("what is beyond a limit is refused"),
        _ => Taken::Open,
    }
}

fn jwks(out: &mut Migrated, value: &Value) -> Taken {
    let mut complete = true;
    for source in value.as_array().into_iter().flatten() {
        let url = source["url"].as_str().unwrap_or_default();
        let single: Vec<&str> = source["issuer"].as_str().into_iter().collect();
        let several = source["issuers"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let issuers: Vec<&str> = single.into_iter().chain(several).collect();
        complete &= !issuers.is_empty();
        for name in issuers {
            complete &= issuer(out, name, url, &source["audiences"], &source["algorithms"]);
        }
    }
    if complete { Taken::Carried } else { Taken::Dropped(ISSUER_NEEDS) }
}

fn telemetry(out: &mut Migrated, path: &[&str], value: &Value) -> Taken {
    match path {
        ["exporters", "metrics", "prometheus"] => {
            if value["enabled"] == true {
                let listen = value["listen"].as_str().unwrap_or("127.0.0.1:9090");
                out.set(&["telemetry", "metrics", "listen"], listen);
            }
            Taken::Noted("metrics are at /metrics, under names of their own")
        }
        ["exporters", "tracing" | "metrics", "otlp"] if value["enabled"] != true => Taken::Carried,
        ["exporters", "tracing" | "metrics", "otlp"] => match value["endpoint"].as_str() {
            Some(endpoint) if endpoint.starts_with("http") => {
                let base = endpoint.trim_end_matches('/').trim_end_matches("/v1/traces");
                out.set(&["telemetry", "otlp", "endpoint"], base.trim_end_matches("/v1/metrics"));
                if value["protocol"] == "grpc" || value["protocol"].is_null() {
                    Taken::Noted(
                        "sent by HTTP with protobuf, not gRPC: name the collector's HTTP port (4318)",
                    )
                } else {
                    Taken::Carried
                }
            }
            _ => Taken::Dropped("set `telemetry.otlp.endpoint`"),
        },
        ["exporters", "tracing", "common", "sampler"] => match value.as_f64() {
            Some(_) => set(out, &["telemetry", "otlp", "sample_ratio"], value),
            None => Taken::Dropped("set `telemetry.otlp.sample_ratio` to a number from 0 to 1"),
        },
        ["exporters", "tracing", "common", "service_name"] => {
            set(out, &["telemetry", "otlp", "service_name"], value)
        }
        ["exporters", "logging", "stdout", "format"] => {
            let format = if value == "json" { "json" } else { "text" };
            out.set(&["telemetry", "format"], format);
            Taken::Noted("log lines go to stderr")
        }
        _ => Taken::Open,
    }
}
