//! Rust source taken apart into code and comments, so that a rule sees only what it is about.

/// The same lines twice: code without comments and strings, and comments without code.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Source {
    code: String,
    comments: String,
}

/// A word in code, and what surrounds it.
#[derive(Debug, PartialEq, Eq)]
pub struct Word<'a> {
    pub line: usize,
    pub text: &'a str,
    pub before: &'a str,
    pub after: &'a str,
}

impl Word<'_> {
    /// Whether it begins a path, or names a crate in a `use`.
    pub fn is_path_root(&self) -> bool {
        // `::name` begins a path as well, `other::name` does not.
        let continues = self
            .before
            .strip_suffix("::")
            .is_some_and(|before| before.ends_with(is_word));
        !continues && (self.after.starts_with("::") || is_use(self.before))
    }

    /// Whether it is the name of a macro that is called.
    pub fn is_macro_call(&self) -> bool {
        self.after.starts_with('!') && !self.after.starts_with("!=")
    }
}

impl Source {
    /// Takes `text` apart. What is not Rust gives something useless, and never a panic.
    pub fn parse(text: &str) -> Self {
        let mut source = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (kind, length) = piece(rest, &source.code);
            let (taken, remaining) = rest.split_at(length);
            match kind {
                Kind::Code => source.push(taken, true),
                Kind::Comment => source.push(taken, false),
                Kind::Text => {
                    source.push("\"", true);
                    source.push(&taken.replace(|c| c != '\n', ""), true);
                }
            }
            rest = remaining;
        }
        source
    }

    fn push(&mut self, text: &str, is_code: bool) {
        let (to, other) = if is_code {
            (&mut self.code, &mut self.comments)
        } else {
            (&mut self.comments, &mut self.code)
        };
        to.push_str(text);
        other.extend(text.chars().filter(|c| *c == '\n'));
    }

    /// Each line of comments, with its number.
    pub fn comments(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.comments)
    }

    /// Each word of the code.
    pub fn words(&self) -> impl Iterator<Item = Word<'_>> {
        numbered(&self.code).flat_map(|(line, text)| {
            let mut at = 0;
            std::iter::from_fn(move || {
                let start = at + text[at..].find(is_word)?;
                let end = text[start..]
                    .find(|c| !is_word(c))
                    .map_or(text.len(), |length| start + length);
                at = end;
                Some(Word {
                    line,
                    text: &text[start..end],
                    before: text[..start].trim_end(),
                    after: text[end..].trim_start(),
                })
            })
        })
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().zip(1..).map(|(text, line)| (line, text))
}

/// Whether what comes next is what is used.
fn is_use(before: &str) -> bool {
    before
        .split(|c| !is_word(c))
        .next_back()
        .is_some_and(|word| ["use", "crate"].contains(&word))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

enum Kind {
    Code,
    Comment,
    /// A string or character literal.
    Text,
}

/// What `rest` begins with, and its length in bytes: at least one character.
fn piece(rest: &str, code_before: &str) -> (Kind, usize) {
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, block_comment(rest));
    }
    if rest.starts_with('"') {
        return (Kind::Text, quoted(rest));
    }
    let literal = if rest.starts_with('\'') {
        character(rest)
    } else if code_before.ends_with(is_word) {
        None
    } else {
        raw_string(rest)
    };
    if let Some(length) = literal {
        return (Kind::Text, length);
    }
    (
        Kind::Code,
        rest.chars().next().map_or(rest.len(), char::len_utf8),
    )
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let step = if rest[at..].starts_with("/*") {
            depth += 1;
            2
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            2
        } else {
            rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"]
        .iter()
        .find(|prefix| {
            rest.strip_prefix(**prefix)
                .is_some_and(|r| r.starts_with(['"', '#']))
        })?
        .len();
    let hashes = rest[prefix..].bytes().take_while(|b| *b == b'#').count();
    let open = prefix + hashes;
    if !rest[open..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let length = rest[open + 1..].find(&close);
    Some(length.map_or(rest.len(), |length| open + 1 + length + close.len()))
}

/// A character literal, as against a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        // What is escaped may be a quote itself.
        chars.next()?;
        return chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn words(text: &str) -> Vec<String> {
        let source = Source::parse(text);
        source.words().map(|word| word.text.to_owned()).collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(words("a /* b /* c */ d */ e // f\ng"), ["a", "e", "g"]);
        assert_eq!(words(r#"a("b \" c", 'd', '\'', "e")"#), ["a"]);
        assert_eq!(words("a(r#\"b \" c\"#, br\"d\", r\"e\")"), ["a"]);
        assert_eq!(
            words("fn a<'b>(c: &'b str)"),
            ["fn", "a", "b", "c", "b", "str"]
        );
    }

    #[test]
    fn code_and_strings_are_not_comments() {
        let source = Source::parse("a // b\n\"// c\"\n/* d\ne */ f");
        let comments: Vec<_> = source
            .comments()
            .filter(|(_, text)| !text.is_empty())
            .collect();
        assert_eq!(comments, [(1, "// b"), (3, "/* d"), (4, "e */")]);
    }

    #[test]
    fn lines_keep_their_numbers() {
        let source = Source::parse("\"a\nb\"\n/*\n*/ c\nr\"\n\" d");
        let lines: Vec<_> = source.words().map(|word| (word.line, word.text)).collect();
        assert_eq!(lines, [(4, "c"), (6, "d")]);
    }

    #[test]
    fn tells_paths_and_macros_from_other_words() {
        let is_root = |text: &str| {
            let source = Source::parse(text);
            source
                .words()
                .any(|word| word.text == "aya" && word.is_path_root())
        };
        assert!(is_root("use aya::Ebpf;"));
        assert!(is_root("use {std::fs, aya::maps};"));
        assert!(is_root("fn f(map: &aya::maps::Array) {}"));
        assert!(is_root("use ::aya::Ebpf;"));
        assert!(is_root("use aya;"));
        assert!(is_root("extern crate aya;"));
        assert!(!is_root("let aya = 1;"));
        assert!(!is_root("crate::aya::x()"));
        let source = Source::parse("if print != x { print!(y) }");
        let calls: Vec<_> = source.words().map(|word| word.is_macro_call()).collect();
        assert_eq!(calls, [false, false, false, true, false]);
    }

    #[test]
    fn what_is_not_rust_does_no_harm() {
        for text in ["\"", "'", "'\\", "r#", "r#\"", "/*", "é'", "'é", "\\", "/"] {
            Source::parse(text);
        }
    }
}
