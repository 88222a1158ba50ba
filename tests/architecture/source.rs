//! A source file as the rules see it: code without comments and literals, and
//! every path in it, resolved to `crate::…` or to the crate it comes from.

use std::path::Path;
use std::{fs, io};

/// One file of the repository.
pub(crate) struct Source {
    /// Relative to the repository, with `/`.
    pub(crate) path: String,
    /// As it is on disk.
    pub(crate) text: String,
    /// `text` with comments and literals blanked; lines stay where they are.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    /// Whether the file lies below `folder`, or is the one-file form of it.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        let rest = self.path.strip_prefix(folder);
        rest.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    }

    /// Every path that the code names, in order; `use` trees are spread out and
    /// `self`, `super` and `crate` resolved.
    pub(crate) fn paths(&self) -> Vec<Vec<String>> {
        Reader::new(&self.code, self.module()).read()
    }

    /// The words of the code: keywords and names.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.code.split(|letter: char| !is_word(letter)).filter(|word| !word.is_empty())
    }

    /// The module that the file is, without its crate.
    fn module(&self) -> Vec<String> {
        let inside = match self.path.split_once("/src/") {
            Some((_, inside)) => inside,
            None => self.path.split_once('/').map_or("", |(_, inside)| inside),
        };
        let mut module: Vec<String> =
            inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        module
    }
}

/// Every file below `folder` with one of `extensions`, in a fixed order.
pub(crate) fn read_all(root: &Path, folder: &str, extensions: &[&str]) -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let path = format!("{folder}/{name}");
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if extensions.iter().any(|end| name.ends_with(end)) {
                found.push(Source::new(&path, &fs::read_to_string(entry.path())?));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// `text` with every comment and literal replaced by spaces.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            let kept = |&byte: &u8| if byte == b'\n' { b'\n' } else { b' ' };
            out.extend(bytes[at..end].iter().map(kept));
            at = end;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the comment or literal that starts at `at` ends; `at` if none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let in_word = at > 0 && is_word(char::from(bytes[at - 1]));
    let length = match rest {
        [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'r', ..] if !in_word => raw_string(rest),
        [b'b', b'r', ..] if !in_word => match raw_string(&rest[1..]) {
            0 => 0,
            length => length + 1,
        },
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', ..] => character(rest),
        _ => 0,
    };
    at + length
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `r"…"` and `r#"…"#`; 0 if it is a word that starts with r.
fn raw_string(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = 2 + hashes;
    let end = rest[body..].windows(close.len()).position(|window| window == close);
    end.map_or(rest.len(), |end| body + end + close.len())
}

/// `'x'`, and 0 for the lifetime `'x`.
fn character(rest: &[u8]) -> usize {
    let first = std::str::from_utf8(&rest[1..rest.len().min(5)])
        .or_else(|error| std::str::from_utf8(&rest[1..=error.valid_up_to()]))
        .ok()
        .and_then(|text| text.chars().next());
    let width = first.map_or(1, char::len_utf8);
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

/// Reads paths from blanked code, one token at a time.
struct Reader<'a> {
    tokens: Vec<&'a str>,
    at: usize,
    module: Vec<String>,
    /// The brace depths at which inline modules were opened.
    opened: Vec<usize>,
    depth: usize,
    found: Vec<Vec<String>>,
}

impl<'a> Reader<'a> {
    fn new(code: &'a str, module: Vec<String>) -> Self {
        Self {
            tokens: tokens(code),
            at: 0,
            module,
            opened: Vec::new(),
            depth: 0,
            found: Vec::new(),
        }
    }

    fn read(mut self) -> Vec<Vec<String>> {
        while let Some(&token) = self.tokens.get(self.at) {
            match token {
                "mod" if self.tokens.get(self.at + 2) == Some(&"{") => {
                    self.module.push(self.tokens[self.at + 1].to_owned());
                    self.opened.push(self.depth);
                    self.at += 2;
                }
                "{" => (self.depth, self.at) = (self.depth + 1, self.at + 1),
                "}" => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.opened.last() == Some(&self.depth) {
                        self.opened.pop();
                        self.module.pop();
                    }
                    self.at += 1;
                }
                word if word.starts_with(is_word) => self.path(&[]),
                _ => self.at += 1,
            }
        }
        self.found
    }

    /// A path, or the tree below `before::`.
    fn path(&mut self, before: &[String]) {
        let mut path = before.to_vec();
        loop {
            match self.tokens.get(self.at) {
                Some(&"{") if !path.is_empty() => return self.tree(&path),
                Some(word) if word.starts_with(is_word) || *word == "*" => {
                    path.push((*word).to_owned());
                    self.at += 1;
                }
                _ => break,
            }
            if self.tokens.get(self.at) != Some(&"::") {
                break;
            }
            self.at += 1;
        }
        self.found.push(self.resolve(path));
    }

    fn tree(&mut self, before: &[String]) {
        self.at += 1;
        while let Some(&token) = self.tokens.get(self.at) {
            match token {
                "}" => return self.at += 1,
                "as" => self.at += 2,
                word if word.starts_with(is_word) || word == "*" || word == "{" => {
                    self.path(before);
                }
                _ => self.at += 1,
            }
        }
    }

    fn resolve(&self, path: Vec<String>) -> Vec<String> {
        let up = path.iter().take_while(|part| *part == "super").count();
        let local = up > 0 || path.first().is_some_and(|first| first == "self");
        if !local {
            return path;
        }
        let kept = self.module.len().saturating_sub(up);
        let mut resolved = vec!["crate".to_owned()];
        resolved.extend_from_slice(&self.module[..kept]);
        resolved.extend(path.into_iter().skip_while(|part| part == "super" || part == "self"));
        resolved
    }
}

/// Words, `::`, and every other sign on its own.
fn tokens(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        found.push(token);
        rest = after.trim_start();
    }
    found
}
