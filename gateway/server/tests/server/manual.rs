//! The gateway's manual (`gateway/README.md`), run section by section: its files are written, its settings are served and
//! its commands give what it says they do.
//!
//! In a section, a block that begins with `# name` or `// name` is a file; a `console` block has commands behind `$ `, and
//! under each what it prints, where `…` stands for anything. A section whose commands start no gateway gets one: with its
//! `gateway.yaml`, or without settings.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::command_line::Served;
use crate::common::{subgraphs, supergraph, tokens};

/// What a section has.
#[derive(Debug, Default)]
struct Section {
    title: String,
    /// Name and text.
    files: Vec<(String, String)>,
    /// Parts of files of this folder, and their names.
    code: Vec<(String, String)>,
    steps: Vec<Step>,
}

#[derive(Debug, Default)]
struct Step {
    command: String,
    prints: String,
}

impl Section {
    fn read(text: &str) -> Self {
        let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
        let mut section = Self { title: title.to_owned(), ..Self::default() };
        let mut pieces = rest.split("\n```");
        pieces.next();
        // Blocks and what is between them, in turn.
        while let Some(block) = pieces.next() {
            let (kind, body) = block.split_once('\n').unwrap_or((block, ""));
            let name =
                body.lines().next().and_then(|line| line.strip_prefix("# ").or(line.strip_prefix("// ")));
            match name {
                _ if kind == "console" => section.steps.extend(steps(body)),
                Some(name) if kind == "rust" => section.code.push((name.to_owned(), unnamed(body))),
                // Its first line would be a part of it.
                Some(name) if kind == "text" => section.files.push((name.to_owned(), unnamed(body))),
                Some(name) if !name.contains(' ') && name.contains('.') => {
                    section.files.push((name.to_owned(), body.to_owned()));
                }
                _ => {}
            }
            pieces.next();
        }
        section
    }

    fn file(&self, wanted: &str) -> Option<&str> {
        self.files.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.as_str())
    }

    fn starts_a_gateway(&self) -> bool {
        self.steps.iter().any(|step| step.command.starts_with("gateway dev"))
    }
}

/// Without the line that names it.
fn unnamed(body: &str) -> String {
    body.split_once('\n').map_or("", |(_, rest)| rest).to_owned()
}

fn steps(console: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for line in console.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), prints: String::new() });
        } else {
            let step = steps.last_mut().expect("a console block begins with a command");
            let text = if goes_on { &mut step.command } else { &mut step.prints };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
            if !goes_on {
                continue;
            }
        }
        goes_on = line.ends_with('\\');
    }
    steps
}

/// Whether a text is what was said, where `…` stands for anything.
fn is_like(text: &str, expected: &str) -> bool {
    let mut pieces = expected.trim().split('…');
    let text = text.trim();
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        last = Some(piece);
        rest = &rest[at + piece.len()..];
    }
    // A last `…` takes what is left; another last piece is looked for from the end.
    rest.is_empty() || last.is_some_and(|piece| piece.is_empty() || rest.ends_with(piece))
}

/// The addresses that the manual names, and those in this run.
struct Addresses(Vec<(&'static str, String)>);

impl Addresses {
    fn in_place(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (named, real)| text.replace(named, real))
    }
}

fn authority(url: &str) -> String {
    url.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned()
}

fn run(folder: &Path, command: &str) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_gateway")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    Command::new("bash")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(folder)
        .env("PATH", path)
        .env("TOKEN", tokens::good_token(1))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs a section; gives what was not as it says.
async fn differences(section: &Section) -> Vec<String> {
    let products = subgraphs::listen(subgraphs::products().router).await;
    let reviews = subgraphs::listen(subgraphs::reviews()).await;
    let mut addresses =
        Addresses(vec![("127.0.0.1:4001", authority(&products)), ("127.0.0.1:4002", authority(&reviews))]);
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write("supergraph.graphql", &supergraph(&products, &reviews));
    write("keys.json", &tokens::key_set(&[1]));
    // Of two files of one name the first is what the section's commands are about.
    for (name, text) in section.files.iter().rev() {
        write(name, &addresses.in_place(text));
    }
    let listen = ["--listen", "127.0.0.1:0", "--log-format", "json"];
    let served = if section.starts_a_gateway() {
        let dev = ["--config", "supergraph.yaml", "--poll", "20"];
        let settings = section.file("gateway.yaml").map_or(&[][..], |_| &["--settings", "gateway.yaml"][..]);
        Served::start_command("dev", &[&dev[..], settings, &listen[..]].concat(), folder.path()).await
    } else {
        let settings = match section.file("gateway.yaml") {
            Some(_) => ["--config", "gateway.yaml"],
            None => ["--supergraph", "supergraph.graphql"],
        };
        Served::start_command("serve", &[&settings[..], &listen[..]].concat(), folder.path()).await
    };
    addresses.0.push(("127.0.0.1:4000", served.address.clone()));
    let mut found = Vec::new();
    for step in section.steps.iter().filter(|step| !step.command.starts_with("gateway dev")) {
        let command = addresses.in_place(&step.command);
        let output = tokio::task::spawn_blocking({
            let (folder, command) = (folder.path().to_owned(), command.clone());
            move || run(&folder, &command)
        });
        let output = output.await.unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        if !is_like(&printed, &addresses.in_place(&step.prints)) {
            found.push(format!(
                "## {}\n$ {}\nprinted:\n{printed}\nand not:\n{}\n",
                section.title, step.command, step.prints
            ));
        }
    }
    found
}

fn manual() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    std::fs::read_to_string(file).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_manual_gives_what_it_says() {
    let manual = manual();
    let sections: Vec<Section> = manual.split("\n## ").skip(1).map(Section::read).collect();
    let mut found = Vec::new();
    let mut commands = 0;
    for section in sections.iter().filter(|section| !section.steps.is_empty()) {
        commands += section.steps.len();
        found.extend(differences(section).await);
    }
    assert!(commands >= 30, "{commands}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_code_of_the_manual_is_that_of_the_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let code: Vec<_> =
        manual().split("\n## ").skip(1).flat_map(|section| Section::read(section).code).collect();
    assert!(code.len() >= 3, "{}", code.len());
    for (name, code) in code {
        let file = std::fs::read_to_string(folder.join(&name)).unwrap();
        assert!(file.contains(code.trim_end()), "{name} has not:\n{code}");
    }
}

/// Sections without anything to run say what they do in no other way than by their settings.
#[test]
fn every_section_of_the_manual_has_something_that_runs() {
    for section in manual().split("\n## ").skip(1).map(Section::read) {
        let runs = !section.steps.is_empty() || !section.code.is_empty() || !section.files.is_empty();
        assert!(runs, "{}", section.title);
    }
}

#[test]
fn anything_stands_where_the_manual_leaves_something_out() {
    assert!(is_like("a b c", "a … c") && is_like("a\nb", "a…") && is_like("abc", "abc"));
    assert!(is_like("a x c y c", "a … c"));
    assert!(!is_like("abcd", "abc") && !is_like("a b d", "a … c") && !is_like("", "a"));
}
