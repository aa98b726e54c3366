//! The commands that a page of documentation shows. Shared with the program's own tests, which can ask
//! its parser whether they make sense.
#![allow(dead_code, reason = "each of the two uses a part of it")]

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// Pages whose commands are run in their order, but for those whose comment begins with `trains` or
/// `downloads`.
pub const FOR_AGENTS: [&str; 2] = ["docs/llms.txt", "docs/skill/SKILL.md"];

/// A line `datadiet …` of a block of code.
#[derive(Debug)]
pub struct Shown {
    /// The page and the line as it stands, for messages.
    pub place: String,
    /// What comes after `datadiet`, up to a pipe or redirection.
    pub arguments: Vec<String>,
    /// What the comment behind it says.
    pub comment: Option<String>,
}

impl Shown {
    /// Whether the comment begins with this word.
    pub fn says(&self, word: &str) -> bool {
        self.comment.as_deref().is_some_and(|comment| comment.starts_with(word))
    }
}

/// A page by its path in the repository.
pub fn page(path: &str) -> String {
    let file = repository().join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Paths of all pages that have commands.
pub fn pages() -> Vec<String> {
    let mut pages: Vec<String> = [
        "README.md",
        "CONTRIBUTING.md",
        "bench/README.md",
        "experiments/README.md",
        "results/README.md",
    ]
    .map(String::from)
    .into();
    for folder in ["docs", "docs/skill"] {
        let files = std::fs::read_dir(repository().join(folder)).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let texts = names.filter(|name| name.ends_with(".md") || name.ends_with(".txt"));
        pages.extend(texts.map(|name| format!("{folder}/{name}")));
    }
    pages.sort();
    pages
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The commands of a page's blocks of shell. In a block with prompts only what follows one is a command.
pub fn commands(path: &str) -> Vec<Shown> {
    let mut commands = Vec::new();
    let mut block: Option<String> = None;
    for event in Parser::new(&page(path)) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language)))
                if matches!(&*language, "" | "sh" | "console") =>
            {
                block = Some(String::new());
            }
            Event::Text(text) => block.iter_mut().for_each(|block| *block += &text),
            Event::End(TagEnd::CodeBlock) => {
                commands.extend(block.take().iter().flat_map(|block| of_block(path, block)));
            }
            _ => {}
        }
    }
    commands
}

fn of_block(path: &str, block: &str) -> Vec<Shown> {
    let joined = block.replace("\\\n", " ");
    let prompts = joined.lines().any(|line| line.starts_with("$ "));
    let lines = joined.lines().filter_map(|line| {
        let line = if prompts { line.strip_prefix("$ ")? } else { line };
        line.strip_prefix("datadiet ").map(|rest| (line, rest))
    });
    let shown = |(line, rest): (&str, &str)| {
        let place = format!("{path}: {line}");
        let words = shlex::split(rest).unwrap_or_else(|| panic!("quotes do not match in {place}"));
        let ends = |word: &String| matches!(word.as_str(), "|" | ">" | ">>" | "&&" | ";");
        let arguments = words.into_iter().take_while(|word| !ends(word)).collect();
        let comment = rest.split_once(" # ").map(|(_, comment)| comment.trim().to_owned());
        Shown { place, arguments, comment }
    };
    lines.map(shown).collect()
}
