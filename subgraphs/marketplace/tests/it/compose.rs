//! `docker-compose.yml` as it is written: who reaches whom, what each container may do, that nothing starts with a password
//! or key that everybody knows, and that every image is made of what has passed its tests.
//!
//! Reads the files and runs no container. Elsewhere: whether the containers work together (whoever has Docker).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use kopitiam_kit::message_keys::MessageKeys;
use kopitiam_kit::signing::SigningKeys;
use serde_json::Value;

const SUBGRAPHS: [&str; 4] = ["user", "product", "order", "listing"];
/// Variables of people's own choice: without them there is a working default, or something is off.
const OPTIONAL: [&str; 8] = [
    "MESSAGE_SIGNING_KEYS",
    "WEB_ORIGIN",
    "WEB_PORT",
    "GATEWAY_PORT",
    "SMTP_URL",
    "MAIL_FROM",
    "PAYMENT_PROVIDER",
    "PAYMENT_API_KEY",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text() -> String {
    std::fs::read_to_string(root().join("docker-compose.yml")).unwrap()
}

/// The file with its anchors in place.
fn compose() -> Value {
    let mut yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text()).unwrap();
    // What is merged in may itself say what to merge in.
    for _ in 0..3 {
        yaml.apply_merge().unwrap();
    }
    serde_json::to_value(yaml).unwrap()
}

fn services(compose: &Value) -> BTreeMap<&str, &Value> {
    compose["services"].as_object().unwrap().iter().map(|(name, service)| (name.as_str(), service)).collect()
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Who is on a network.
fn on<'a>(services: &BTreeMap<&'a str, &'a Value>, network: &str) -> BTreeSet<&'a str> {
    let is_on = |(_, service): &(&&str, &&Value)| names(&service["networks"]).contains(network);
    services.iter().filter(is_on).map(|(name, _)| *name).collect()
}

/// Every `${NAME…}` of the file: name, what follows it.
fn variables(text: &str) -> Vec<(String, String)> {
    text.replace("$$", "")
        .split("${")
        .skip(1)
        .map(|rest| {
            let inside = rest.split('}').next().unwrap();
            let end = inside.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(inside.len());
            (inside[..end].to_owned(), inside[end..].to_owned())
        })
        .collect()
}

#[test]
fn no_password_and_no_key_has_a_value_that_everybody_knows() {
    let text = text();
    for (name, rest) in variables(&text) {
        let is_secret = !OPTIONAL.contains(&name.as_str()) && name != "PAYMENT_WEBHOOK_SECRET";
        assert_eq!(is_secret, rest.starts_with(":?"), "${{{name}{rest}}}");
        assert!(!rest.contains("change"), "${{{name}{rest}}}");
    }
    let example = std::fs::read_to_string(root().join("deploy/compose.env.example")).unwrap();
    let told: BTreeSet<&str> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    for (name, _) in variables(&text) {
        let is_port = name.ends_with("_PORT");
        assert!(is_port || told.contains(name.as_str()), "{name} is not in deploy/compose.env.example");
    }
}

#[test]
fn every_container_has_no_rights_but_its_own() {
    let compose = compose();
    for (name, service) in services(&compose) {
        assert_eq!(names(&service["cap_drop"]), BTreeSet::from(["ALL"]), "{name}");
        assert_eq!(service["cap_add"], Value::Null, "{name}");
        assert_eq!(service["privileged"], Value::Null, "{name}");
        assert_eq!(names(&service["security_opt"]), BTreeSet::from(["no-new-privileges:true"]), "{name}");
        // The broker's image writes its settings at each start.
        assert_eq!(service["read_only"].as_bool().unwrap(), name != "kafka", "{name}");
        assert!(service["healthcheck"]["test"].is_array(), "{name} does not say whether it is well");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert_ne!(service["network_mode"], "host", "{name}");
        if name.ends_with("-db") {
            assert_eq!(service["user"], "postgres", "{name}");
        }
        if let Some(file) = service["build"]["dockerfile"].as_str() {
            let file = std::fs::read_to_string(root().join(file)).unwrap();
            let last = file.lines().filter_map(|line| line.strip_prefix("USER ")).next_back();
            assert!(last.is_some_and(|user| !["root", "0"].contains(&user)), "{name} runs as {last:?}");
        }
    }
}

#[test]
fn only_the_gateway_reaches_the_subgraphs_and_only_its_service_a_database() {
    let compose = compose();
    let services = services(&compose);
    for (name, service) in &services {
        let is_outside = ["web", "gateway"].contains(name);
        assert_eq!(!service["ports"].is_null(), is_outside, "{name}");
    }
    let behind = BTreeSet::from(SUBGRAPHS);
    assert_eq!(on(&services, "subgraphs"), behind.iter().copied().chain(["gateway"]).collect());
    assert_eq!(on(&services, "events"), behind.iter().copied().chain(["kafka"]).collect());
    assert_eq!(on(&services, "edge"), BTreeSet::from(["web", "gateway"]));
    assert_eq!(on(&services, "outside"), BTreeSet::from(["user"]), "for letters and payments");
    for name in SUBGRAPHS {
        let database = format!("{name}-db");
        assert_eq!(on(&services, &database), BTreeSet::from([name, database.as_str()]));
    }
    for (network, settings) in compose["networks"].as_object().unwrap() {
        let reaches_out = ["edge", "outside"].contains(&network.as_str());
        assert_eq!(settings["internal"].as_bool().unwrap_or(false), !reaches_out, "{network}");
    }
    // Whoever names no network is on one with everybody.
    assert!(services.values().all(|service| service["networks"].is_array()));
}

/// Names of services in the settings of one: a host in a URL or in `host:port`.
fn called<'a>(services: &BTreeMap<&'a str, &'a Value>, environment: &Value) -> BTreeSet<&'a str> {
    let text = environment.to_string();
    let is_host = |name: &&str| {
        [format!("//{name}:"), format!("//{name}/"), format!("@{name}/"), format!("\"{name}:")]
            .iter()
            .any(|host| text.contains(host))
    };
    services.keys().copied().filter(is_host).collect()
}

/// K36: no address is written down; whoever is called by name is on a network of the caller, tells its health, and is waited for.
#[test]
fn services_find_each_other_by_name_and_wait_until_the_other_is_healthy() {
    let compose = compose();
    let services = services(&compose);
    let mut calls = BTreeSet::new();
    for (name, service) in &services {
        let text = service["environment"].to_string();
        assert!(!text.contains("localhost:9") && !text.contains("127.0.0.1"), "{name}: {text}");
        assert!(service["healthcheck"]["test"].is_array(), "{name} tells its health");
        for other in called(&services, &service["environment"]) {
            if other == *name || (other == "user" && *name != "gateway") {
                // Keys are asked for when they are needed, and again: nobody waits for them.
                continue;
            }
            calls.insert((*name, other));
            let waits = &service["depends_on"][other]["condition"];
            assert_eq!(waits, "service_healthy", "{name} calls {other}");
            let common =
                names(&service["networks"]).intersection(&names(&services[other]["networks"])).count();
            assert!(common > 0, "{name} reaches {other}");
        }
    }
    for name in SUBGRAPHS {
        assert!(calls.contains(&(name, "kafka")), "{name}: {calls:?}");
        assert!(
            calls.iter().any(|(who, whom)| *who == name && *whom == format!("{name}-db")),
            "{name}: {calls:?}"
        );
        assert_eq!(services["gateway"]["depends_on"][name]["condition"], "service_healthy");
    }
    assert!(calls.contains(&("web", "gateway")), "{calls:?}");
}

#[test]
fn each_service_gets_its_own_secret_key_and_nobody_elses() {
    let compose = compose();
    for (name, service) in services(&compose) {
        let environment = service["environment"].to_string();
        for other in SUBGRAPHS {
            let variable = other.to_uppercase();
            assert_eq!(
                environment.contains(&format!("${{{variable}_MESSAGE_KEY:")),
                name == other,
                "{name}: {other}"
            );
            let may_know = name == other || name == format!("{other}-db");
            assert_eq!(
                environment.contains(&format!("${{{variable}_DB_PASSWORD:")),
                may_know,
                "{name}: {other}"
            );
        }
    }
}

#[test]
fn new_settings_have_every_secret_and_keys_that_services_accept() {
    let script = root().join("deploy/new-env.mjs");
    let Ok(made) = Command::new("node").arg(script).output() else {
        eprintln!("Node.js is not installed: deploy/new-env.mjs was not run");
        return;
    };
    let made = String::from_utf8(made.stdout).unwrap();
    let settings: BTreeMap<&str, &str> =
        made.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect();
    let text = text();
    for (name, rest) in variables(&text) {
        if rest.starts_with(":?") {
            let value = settings.get(name.as_str()).copied().unwrap_or_default();
            assert!(value.len() >= 32, "{name}");
        }
    }
    let secrets: BTreeSet<&&str> = settings.values().filter(|value| value.len() >= 32).collect();
    assert_eq!(secrets.len(), 14, "each its own");
    SigningKeys::parse(settings["GATEWAY_SIGNING_KEYS"]).unwrap();
    let setting = |service: &str, what: &str| settings[format!("{}_{what}", service.to_uppercase()).as_str()];
    let senders = SUBGRAPHS.map(|name| format!("{name}={}", setting(name, "MESSAGE_PUBLIC_KEYS"))).join(",");
    for name in SUBGRAPHS {
        let keys =
            MessageKeys::parse(setting(name, "MESSAGE_KEY"), &senders, SigningKeys::default()).unwrap();
        for other in SUBGRAPHS {
            assert_eq!(keys.speak_for(other), name == other);
        }
    }
}

/// The stages of a Dockerfile: name, what it starts from, its instructions with continued lines joined.
fn stages(file: &str) -> Vec<(String, String, Vec<String>)> {
    let text = std::fs::read_to_string(root().join("deploy").join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let mut stages: Vec<(String, String, Vec<String>)> = Vec::new();
    for line in lines.replace("\\\n", " ").lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "FROM" {
            let name = words.get(3).copied().unwrap_or("image");
            stages.push((name.to_owned(), words[1].to_owned(), Vec::new()));
        } else {
            stages.last_mut().unwrap().2.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    stages
}

/// The stages that must be made before the one of that name: what it and they start from or copy out of.
fn needed<'a>(stages: &'a [(String, String, Vec<String>)], name: &str) -> BTreeSet<&'a str> {
    let mut needed = BTreeSet::new();
    let mut open = vec![name];
    while let Some(name) = open.pop() {
        let Some((name, from, instructions)) = stages.iter().find(|stage| stage.0 == name) else { continue };
        if needed.insert(name.as_str()) {
            let copied = instructions.iter().filter_map(|line| line.split("--from=").nth(1));
            open.push(from);
            open.extend(copied.filter_map(|rest| rest.split(' ').next()));
        }
    }
    needed
}

/// E34. What no image needs is not made at all, so each must need the stage that tests.
#[test]
fn an_image_that_fails_its_tests_is_not_made() {
    let rust = stages("Dockerfile.rust");
    let (_, _, test) = rust.iter().find(|stage| stage.0 == "test").expect("a stage that tests");
    let runs = test.iter().find(|line| line.contains("cargo test")).expect("it runs the tests");
    assert!(runs.contains("cargo test --workspace --locked"), "all of them: {runs}");
    assert!(runs.contains(") && KOPITIAM_BROKER=") && runs.ends_with("&& mkdir /passed"), "{runs}");
    assert!(!runs.contains("||") && !runs.contains(';'), "a failure ends it: {runs}");
    let installed =
        test.iter().find(|line| line.contains("apt-get install")).expect("it has what tests need");
    for package in ["nodejs", "postgresql", "redis-server"] {
        assert!(installed.contains(package), "{package}: {installed}");
    }
    let compose = compose();
    let mut images = BTreeSet::new();
    for (name, service) in services(&compose) {
        let build = &service["build"];
        match build["dockerfile"].as_str() {
            None => continue,
            Some("deploy/Dockerfile.rust") => {
                let needed = needed(&rust, build["target"].as_str().unwrap());
                assert!(needed.contains("test") && needed.contains("build"), "{name}: {needed:?}");
            }
            Some("deploy/Dockerfile.web") => {
                let web = stages("Dockerfile.web");
                let (_, _, build) = web.iter().find(|stage| stage.0 == "build").unwrap();
                let at = |line: &str| build.iter().position(|instruction| instruction == line);
                assert!(at("RUN npm run verify").unwrap() < at("RUN npm run build").unwrap());
                assert!(needed(&web, "image").contains("build"), "the image is what was built");
            }
            Some(other) => panic!("{name}: {other} is not looked at"),
        }
        images.insert(name);
    }
    assert_eq!(images, SUBGRAPHS.into_iter().chain(["gateway", "web"]).collect());
}

/// E35. Elsewhere: that a release build has none, whatever it is told (`kit`, `serve/faults.rs`).
#[test]
fn no_container_holds_or_asks_for_faults_on_demand() {
    let settings = text() + &std::fs::read_to_string(root().join("deploy/compose.env.example")).unwrap();
    assert!(!settings.contains("KOPITIAM_FAULTS") && !settings.contains("KOPITIAM_KILL"));
    let rust = stages("Dockerfile.rust");
    let (_, _, build) = rust.iter().find(|stage| stage.0 == "build").unwrap();
    let builds = build.iter().find(|line| line.contains("cargo build")).unwrap();
    assert!(builds.contains("cargo build --release"), "{builds}");
    let copied = builds.split_whitespace().filter(|word| word.starts_with("target/"));
    assert!(copied.clone().count() == 5 && copied.clone().all(|file| file.starts_with("target/release/")));
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let release = manifest.split("[profile.release]").nth(1).unwrap();
    let release = release.split("\n[").next().unwrap();
    assert!(!release.contains("debug-assertions") && !release.contains("inherits"), "{release}");
}
