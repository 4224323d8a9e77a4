//! Secrets in a file of settings: `${env.NAME}` is the value of an environment variable, `${env.NAME:-default}` has a
//! default, `${file.PATH}` is what a file says.
//!
//! Always: a value cannot add lines, so places in diagnostics stay right; comments stay as they are.

/// What cannot be had: the line, from 1, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) line: usize,
    pub(super) message: String,
}

/// The text with every reference replaced; `value` gives the value for `env` or `file` and a name.
pub(super) fn expand(
    text: &str,
    value: impl Fn(&str, &str) -> Result<String, String>,
) -> Result<String, Missing> {
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let missing = |message: String| Missing { line: number + 1, message };
        let mut rest = line;
        while let Some((kind, name, before, after)) = reference(rest) {
            let value = value(kind, name).map_err(missing)?;
            let value = value.trim_end_matches(['\r', '\n']);
            if value.contains(['\n', '\r']) {
                return Err(missing(format!("`{kind}.{name}` has more than one line")));
            }
            out.push_str(before);
            out.push_str(value);
            rest = after;
        }
        out.push_str(rest);
    }
    Ok(out)
}

/// The first reference of a line, with what is before and after it.
fn reference(line: &str) -> Option<(&str, &str, &str, &str)> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    let mut from = 0;
    loop {
        let start = from + line[from..].find("${")?;
        let inner = &line[start + 2..];
        let end = inner.find('}')?;
        match inner[..end].split_once('.') {
            Some((kind @ ("env" | "file"), name)) => {
                return Some((kind, name, &line[..start], &inner[end + 1..]));
            }
            _ => from = start + 2,
        }
    }
}

/// Values of this process: its environment, files relative to `folder`.
pub(super) fn of_process(folder: &std::path::Path, kind: &str, name: &str) -> Result<String, String> {
    if kind == "env" {
        let (name, default) =
            name.split_once(":-").map_or((name, None), |(name, default)| (name, Some(default)));
        let value = std::env::var(name).ok().or_else(|| default.map(str::to_owned));
        value.ok_or_else(|| format!("the environment variable `{name}` is not set"))
    } else {
        std::fs::read_to_string(folder.join(name)).map_err(|error| format!("the file `{name}`: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, Missing> {
        expand(text, |kind, name| match (kind, name) {
            ("env", "KEY") => Ok("secret".to_owned()),
            ("file", "/run/key") => Ok("from a file\n".to_owned()),
            ("env", "LINES") => Ok("a: 1\nb: 2".to_owned()),
            _ => Err(format!("no {name}")),
        })
    }

    #[test]
    fn references_are_replaced_and_nothing_else_is() {
        let text = "# ${env.NONE}\nkey: 'x-${env.KEY}-${file./run/key}' ${other}\nprice: $5\n";
        let expected = "# ${env.NONE}\nkey: 'x-secret-from a file' ${other}\nprice: $5\n";
        assert_eq!(expanded(text).unwrap(), expected);
    }

    #[test]
    fn a_variable_that_is_not_set_has_its_default() {
        let folder = std::path::Path::new("");
        assert_eq!(of_process(folder, "env", "GATEWAY_TEST_NO_SUCH:-a:-b").unwrap(), "a:-b");
        assert!(of_process(folder, "env", "GATEWAY_TEST_NO_SUCH").unwrap_err().contains("is not set"));
    }

    #[test]
    fn what_is_missing_or_would_add_lines_is_refused_with_its_line() {
        assert_eq!(
            expanded("a: 1\nb: ${env.NONE}").unwrap_err(),
            Missing { line: 2, message: "no NONE".to_owned() }
        );
        assert_eq!(expanded("a: ${env.LINES}").unwrap_err().line, 1);
    }
}
