//! A command with places for the values of parameters.

use super::parameter::{Parameter, Places, is_name};

/// A command whose words have placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    words: Vec<Vec<Piece>>,
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// As it stands.
    Bytes(Vec<u8>),
    /// The value of a parameter, by its place.
    Value(usize),
}

impl Template {
    /// Finds `{NAME}` in words. `{{NAME}}` stands for the text `{NAME}`, and `${NAME}` is left to a shell.
    ///
    /// # Errors
    ///
    /// Where a placeholder has no parameter, and where a parameter has no placeholder.
    pub fn parse<'a>(
        words: impl IntoIterator<Item = &'a [u8]>,
        parameters: &[Parameter],
    ) -> Result<Self, String> {
        let words = words.into_iter().map(|word| pieces(word, parameters));
        let words = words.collect::<Result<Vec<_>, _>>()?;
        let template = Self { words };
        for (at, parameter) in parameters.iter().enumerate() {
            let mut pieces = template.words.iter().flatten();
            if !pieces.any(|piece| *piece == Piece::Value(at)) {
                let name = &parameter.name;
                return Err(format!(
                    "no {{{name}}} in the command: write it where the value of {name} goes"
                ));
            }
        }
        Ok(template)
    }

    /// The words of a setting.
    pub fn filled(&self, parameters: &[Parameter], setting: &Places) -> Vec<Vec<u8>> {
        let value = |at: usize| {
            let place = setting.get(at).copied().unwrap_or_default();
            let value = parameters.get(at).and_then(|one| one.values.get(place));
            value.map_or(&b""[..], |value| value.as_bytes())
        };
        let word = |pieces: &Vec<Piece>| {
            let pieces = pieces.iter().map(|piece| match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::Value(at) => value(*at),
            });
            pieces.collect::<Vec<_>>().concat()
        };
        self.words.iter().map(word).collect()
    }
}

fn pieces(word: &[u8], parameters: &[Parameter]) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let (mut plain, mut rest) = (Vec::new(), word);
    while let Some((first, after)) = rest.split_first() {
        if let Some((name, after)) = doubled(rest) {
            plain.extend_from_slice(b"{");
            plain.extend_from_slice(name.as_bytes());
            plain.extend_from_slice(b"}");
            rest = after;
        } else if let Some((name, after)) = named(rest).filter(|_| !plain.ends_with(b"$")) {
            let at = parameters.iter().position(|one| one.name == name);
            let at = at.ok_or_else(|| {
                format!(
                    "{{{name}}} in the command has no --param {name}=VALUES; write {{{{{name}}}}} for the text {{{name}}}"
                )
            })?;
            pieces.push(Piece::Bytes(std::mem::take(&mut plain)));
            pieces.push(Piece::Value(at));
            rest = after;
        } else {
            plain.push(*first);
            rest = after;
        }
    }
    pieces.push(Piece::Bytes(plain));
    Ok(pieces)
}

/// The name in braces that a text begins with, and what follows.
fn named(text: &[u8]) -> Option<(&str, &[u8])> {
    let inside = text.strip_prefix(b"{")?;
    let end = inside.iter().position(|byte| *byte == b'}')?;
    let (name, after) = inside.split_at_checked(end)?;
    let name = str::from_utf8(name).ok().filter(|name| is_name(name))?;
    Some((name, after.strip_prefix(b"}")?))
}

/// The same in two braces.
fn doubled(text: &[u8]) -> Option<(&str, &[u8])> {
    let (name, after) = named(text.strip_prefix(b"{")?)?;
    Some((name, after.strip_prefix(b"}")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(texts: &[&str]) -> Vec<Parameter> {
        let parse = |text: &&str| Parameter::parse(text).expect("it is a parameter");
        texts.iter().map(parse).collect()
    }

    fn filled(words: &[&str], texts: &[&str], setting: &[usize]) -> Result<Vec<String>, String> {
        let parameters = parameters(texts);
        let template = Template::parse(words.iter().map(|word| word.as_bytes()), &parameters)?;
        let words = template.filled(&parameters, &setting.to_vec());
        let text = |word| String::from_utf8(word).expect("it is UTF-8");
        Ok(words.into_iter().map(text).collect())
    }

    #[test]
    fn values_stand_where_their_names_do() {
        let words = ["fio", "--bs={bs}", "{bs}-{depth}{bs}", "{}", "{a b}", "{"];
        let expected = ["fio", "--bs=8k", "8k-18k", "{}", "{a b}", "{"];
        let all = ["bs=4k,8k", "depth=1,2"];
        assert_eq!(
            filled(&words, &all, &[1, 0]),
            Ok(expected.map(String::from).to_vec())
        );
    }

    #[test]
    fn what_is_in_two_braces_or_of_a_shell_is_left() {
        let words = ["sh", "-c", "dd bs={bs} of=${out} ; awk {{print}} {{bs}}"];
        let expected = ["sh", "-c", "dd bs=4k of=${out} ; awk {print} {bs}"];
        assert_eq!(
            filled(&words, &["bs=4k"], &[0]),
            Ok(expected.map(String::from).to_vec())
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_left() {
        let parameters = parameters(&["bs=4k"]);
        let template = Template::parse([&b"\xff{bs}{\xff}"[..]], &parameters);
        let template = template.expect("it is one");
        assert_eq!(template.filled(&parameters, &vec![0]), [b"\xff4k{\xff}"]);
    }

    #[test]
    fn a_placeholder_needs_its_parameter_and_a_parameter_its_placeholder() {
        let said = filled(&["x", "{bs}{dept}"], &["bs=1"], &[0]).expect_err("there is none");
        assert!(
            said.contains("--param dept=VALUES") && said.contains("{{dept}}"),
            "{said}"
        );
        let said = filled(&["x", "{bs}"], &["bs=1", "depth=1"], &[0, 0]);
        let said = said.expect_err("it is used nowhere");
        assert!(said.starts_with("no {depth} in the command"), "{said}");
        let said = filled(&["x", "{{bs}}"], &["bs=1"], &[0]).expect_err("it is a text");
        assert!(said.starts_with("no {bs} in the command"), "{said}");
    }
}
