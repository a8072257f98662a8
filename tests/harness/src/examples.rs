//! The examples in a page of documentation: its fenced code blocks.
//!
//! The text after the opening fence is the kind of the example, such as
//! `ini authenticate.conf`, and may end with `no-run` or with `pins=…`: the PINs that
//! a person would enter, one for each `pinset` command (`-` for none).

use std::fs;

use anyhow::{ensure, Context, Result};

use crate::workspace;

/// One fenced code block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The number of the line with the opening fence.
    pub line: usize,
    /// The language and, for configuration, the name of the file.
    pub kind: String,
    /// Whether the example can't be run in a container.
    pub no_run: bool,
    /// The PINs that the commands ask for.
    pub pins: Vec<String>,
    /// The lines between the fences.
    pub text: String,
}

impl Example {
    fn begin(line: usize, info: &str) -> Self {
        let mut example = Self {
            line,
            kind: String::new(),
            no_run: false,
            pins: Vec::new(),
            text: String::new(),
        };
        for word in info.split_whitespace() {
            if word == "no-run" {
                example.no_run = true;
            } else if let Some(pins) = word.strip_prefix("pins=") {
                example.pins = pins.split(',').map(str::to_owned).collect();
            } else {
                example.kind = format!("{} {word}", example.kind).trim().to_owned();
            }
        }
        example
    }
}

/// Returns the paths of the documents in `docs`, from the root of the project. The folder
/// also has pictures.
///
/// # Errors
///
/// The folder can't be read.
pub fn documents() -> Result<Vec<String>> {
    let mut documents = Vec::new();
    for entry in fs::read_dir(workspace().join("docs"))? {
        documents.push(format!("docs/{}", entry?.file_name().to_string_lossy()));
    }
    documents.retain(|document| document.ends_with(".md"));
    Ok(documents)
}

/// Returns the examples of a page in Markdown.
///
/// # Errors
///
/// A fence that is not closed, and a block that is indented in place of fenced,
/// which would not be found.
pub fn examples(page: &str) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    let mut lines = page.lines().enumerate();
    let mut previous = "";
    while let Some((number, line)) = lines.next() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let Some(info) = text.strip_prefix("```") {
            let mut example = Example::begin(number + 1, info);
            loop {
                let unclosed = || format!("line {}: the fence is not closed", number + 1);
                let (_, line) = lines.next().with_context(unclosed)?;
                if line.trim() == "```" {
                    break;
                }
                example.text += line.get(indent..).unwrap_or_default();
                example.text.push('\n');
            }
            examples.push(example);
        }
        let is_block = indent >= 4 && previous.is_empty() && !text.is_empty();
        ensure!(!is_block, "line {}: fence this: {text}", number + 1);
        previous = text;
    }
    Ok(examples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_in_text_and_lists_are_found() {
        let page = "# Page\n\n```sh pins=-,1234\na\n\n  b\n```\n\n1. One:\n\n   ```ini x.conf no-run\n   [a]\n   ```\n";
        let found = examples(page).unwrap();
        assert_eq!(found[0].line, 3);
        assert_eq!(found[0].kind, "sh");
        assert_eq!(found[0].pins, ["-", "1234"]);
        assert_eq!(found[0].text, "a\n\n  b\n");
        assert_eq!(found[1].kind, "ini x.conf");
        assert!(found[1].no_run && !found[0].no_run);
        assert_eq!(found[1].text, "[a]\n");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn unclosed_fence_and_indented_block_are_errors() {
        assert!(examples("```sh\nmake\n").is_err());
        assert!(examples("Run:\n\n    make\n").is_err());
        assert!(examples("- item\n    continued\n").is_ok());
    }
}
