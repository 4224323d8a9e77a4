//! Composes many sets at once: `cargo run -p kopitiam-composition --example compose_all -- CASES OUT`.
//!
//! Every folder `CASES/<case>/subgraphs/*.graphql` is a set. One line each goes to standard output: the case, a tab, then
//! `ok` and the codes of its hints, or the codes of its errors. `OUT/<case>.graphql` holds the supergraph, or
//! `OUT/<case>.txt` the diagnostics. For comparing with other composers on collections of subgraphs.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kopitiam_composition::{Diagnostic, Subgraph, compose};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [cases, out] = arguments.as_slice() else {
        let _ = io::stderr().write_all(b"usage: compose_all CASES OUT\n");
        return ExitCode::from(2);
    };
    match run(Path::new(cases), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cases: &Path, out: &Path) -> io::Result<()> {
    std::fs::create_dir_all(out)?;
    for case in sorted(cases)? {
        let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let line = match compose(&read(&case.join("subgraphs"))?) {
            Ok(composed) => {
                std::fs::write(out.join(format!("{name}.graphql")), composed.supergraph_sdl)?;
                format!("ok {}", codes(&composed.hints))
            }
            Err(errors) => {
                let text = errors.iter().fold(String::new(), |mut text, error| {
                    let _ = writeln!(text, "{error}");
                    text
                });
                std::fs::write(out.join(format!("{name}.txt")), text)?;
                codes(&errors)
            }
        };
        writeln!(io::stdout(), "{name}\t{}", line.trim_end())?;
    }
    Ok(())
}

fn codes(diagnostics: &[Diagnostic]) -> String {
    let codes: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    codes.join(" ")
}

fn read(folder: &Path) -> io::Result<Vec<Subgraph>> {
    let mut subgraphs = Vec::new();
    for path in sorted(folder)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        subgraphs.push(Subgraph {
            url: format!("http://{name}"),
            name,
            sdl: std::fs::read_to_string(&path)?,
        });
    }
    Ok(subgraphs)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}
