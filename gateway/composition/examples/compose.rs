//! Composes the SDL files of a folder: `cargo run -p kopitiam-composition --example compose -- DIR [OUT]`.
//!
//! Every `<name>.graphql` or `<name>.graphqls` in the folder is a subgraph, but for `supergraph.graphql`. The gateway's
//! own `compose` command reads a configuration file instead.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use kopitiam_composition::{Subgraph, compose};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else {
        return fail("usage: compose DIR [OUT]");
    };
    let subgraphs = match read(Path::new(folder)) {
        Ok(subgraphs) => subgraphs,
        Err(error) => return fail(&format!("{folder}: {error}")),
    };
    match compose(&subgraphs) {
        Ok(composed) => {
            let hints: Vec<String> = composed.hints.iter().map(|hint| format!("hint {hint}\n")).collect();
            let _ = std::io::stderr().write_all(hints.concat().as_bytes());
            let written = match arguments.get(1) {
                Some(out) => std::fs::write(out, composed.supergraph_sdl),
                None => std::io::stdout().write_all(composed.supergraph_sdl.as_bytes()),
            };
            written.map_or_else(|error| fail(&error.to_string()), |()| ExitCode::SUCCESS)
        }
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            fail(&lines.join("\n"))
        }
    }
}

fn read(folder: &Path) -> std::io::Result<Vec<Subgraph>> {
    let mut subgraphs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let known =
            path.extension().is_some_and(|extension| extension == "graphql" || extension == "graphqls");
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if known && name != "supergraph" {
            let sdl = std::fs::read_to_string(&path)?;
            subgraphs.push(Subgraph { name: name.to_owned(), url: format!("http://{name}"), sdl });
        }
    }
    Ok(subgraphs)
}

fn fail(message: &str) -> ExitCode {
    let _ = std::io::stderr().write_all(format!("{message}\n").as_bytes());
    ExitCode::FAILURE
}
