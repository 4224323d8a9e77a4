//! Writes the inputs that libFuzzer starts from: `corpus FOLDER` makes `FOLDER/supergraph`, `planning` and `merging`.

use std::path::Path;

use kopitiam_fuzz::{answers, operations, supergraphs};

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "gateway/fuzz/libfuzzer/corpus".to_owned());
    let bytes = |texts: Vec<String>| texts.into_iter().map(String::into_bytes).collect::<Vec<_>>();
    let targets =
        [("supergraph", bytes(supergraphs())), ("planning", bytes(operations())), ("merging", answers())];
    for (target, inputs) in targets {
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder)?;
        for (number, input) in inputs.into_iter().enumerate() {
            std::fs::write(folder.join(format!("{number:03}")), input)?;
        }
    }
    Ok(())
}
