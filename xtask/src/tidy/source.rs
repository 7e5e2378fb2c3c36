//! A Rust file as the rules see it: the code without comments and literals, and which lines are tests.

use std::path::PathBuf;

/// One Rust file. All three views have the same lines.
pub(crate) struct Source {
    /// Relative to the repository.
    pub(crate) file: PathBuf,
    /// As it stands.
    pub(crate) text: String,
    /// Comments, strings and characters blanked out.
    pub(crate) code: String,
    /// For each line: it belongs to a `#[cfg(test)]` item.
    pub(crate) tests: Vec<bool>,
}

impl Source {
    /// Prepares the views.
    pub(crate) fn new(file: PathBuf, text: String) -> Self {
        let code = blank(&text);
        let tests = if is_test_file(&file) {
            vec![true; code.lines().count()]
        } else {
            test_lines(&code)
        };
        Self {
            file,
            text,
            code,
            tests,
        }
    }

    /// Lines of code outside tests, with their number.
    pub(crate) fn code_outside_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..)
            .zip(self.code.lines())
            .zip(&self.tests)
            .filter(|(_, test)| !**test)
            .map(|(line, _)| line)
    }
}

/// Integration tests, and modules that a `#[cfg(test)]` elsewhere brings in by these names.
fn is_test_file(file: &std::path::Path) -> bool {
    file.components().any(|part| part.as_os_str() == "tests")
        || file.file_name().is_some_and(|name| name == "tests.rs")
}

/// Replaces comments and the inside of literals by spaces; line ends stay.
pub(crate) fn blank(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let end = match character {
            '/' if characters.get(at + 1) == Some(&'/') => end_of_line(&characters, at),
            '/' if characters.get(at + 1) == Some(&'*') => end_of_block(&characters, at),
            '"' => end_of_string(&characters, at),
            'r' | 'b' | 'c' if !continues_word(&characters, at) => {
                end_of_prefixed(&characters, at).unwrap_or(at + 1)
            }
            '\'' => end_of_character(&characters, at).unwrap_or(at + 1),
            _ => at + 1,
        };
        if end == at + 1 {
            code.push(character);
        } else {
            code.extend(
                characters[at..end]
                    .iter()
                    .map(|character| if *character == '\n' { '\n' } else { ' ' }),
            );
        }
        at = end;
    }
    code
}

fn continues_word(characters: &[char], at: usize) -> bool {
    at > 0 && (characters[at - 1].is_alphanumeric() || characters[at - 1] == '_')
}

fn end_of_line(characters: &[char], at: usize) -> usize {
    (at..characters.len())
        .find(|index| characters[*index] == '\n')
        .unwrap_or(characters.len())
}

fn end_of_block(characters: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut index = at;
    while index < characters.len() {
        match (characters[index], characters.get(index + 1)) {
            ('/', Some('*')) => (depth, index) = (depth + 1, index + 2),
            ('*', Some('/')) => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            return index;
        }
    }
    characters.len()
}

fn end_of_string(characters: &[char], quote: usize) -> usize {
    let mut index = quote + 1;
    while let Some(character) = characters.get(index) {
        match character {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    characters.len()
}

/// `r"…"`, `r#"…"#`, `b"…"`, `b'…'`, `br#"…"#`, `c"…"`; `None` for a plain word.
fn end_of_prefixed(characters: &[char], at: usize) -> Option<usize> {
    let mut index = at;
    while matches!(characters.get(index), Some('b' | 'c' | 'r')) && index < at + 2 {
        index += 1;
    }
    let raw = characters[at..index].contains(&'r');
    let first_hash = index;
    while raw && characters.get(index) == Some(&'#') {
        index += 1;
    }
    let hashes = index - first_hash;
    match characters.get(index)? {
        '"' if !raw => Some(end_of_string(characters, index)),
        '\'' if !raw && hashes == 0 => end_of_character(characters, index),
        '"' => {
            let closes = |from: usize| {
                characters[from] == '"'
                    && (1..=hashes).all(|offset| characters.get(from + offset) == Some(&'#'))
            };
            let close = (index + 1..characters.len()).find(|from| closes(*from));
            Some(close.map_or(characters.len(), |close| close + hashes + 1))
        }
        _ => None,
    }
}

/// `'x'`, `'\n'`, `'\u{1f600}'`; `None` for a lifetime.
fn end_of_character(characters: &[char], quote: usize) -> Option<usize> {
    if characters.get(quote + 1)? == &'\\' {
        let close = (quote + 3..characters.len()).find(|index| characters[*index] == '\'')?;
        return Some(close + 1);
    }
    (characters.get(quote + 2)? == &'\'').then_some(quote + 3)
}

/// Marks each `#[cfg(test)]` item up to its closing brace or semicolon.
fn test_lines(code: &str) -> Vec<bool> {
    let lines: Vec<&str> = code.lines().collect();
    let mut tests = vec![false; lines.len()];
    let mut index = 0;
    while index < lines.len() {
        if !lines[index].trim_start().starts_with("#[cfg(test)]") {
            index += 1;
            continue;
        }
        let mut depth = 0_usize;
        let mut open = false;
        while index < lines.len() {
            tests[index] = true;
            for character in lines[index].chars() {
                match character {
                    '{' => (depth, open) = (depth + 1, true),
                    '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            let ends = if open {
                depth == 0
            } else {
                lines[index].trim_end().ends_with(';')
            };
            index += 1;
            if ends {
                break;
            }
        }
    }
    tests
}

/// Whether `word` stands in `line` as a word of its own.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(part)
            && !line[at + word.len()..].chars().next().is_some_and(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let text = "let a = \"unsafe \\\" x\"; // unsafe\n/* unsafe /* deep */\n unsafe */ let b = 'u';\nunsafe { r#\"un\"safe\"# }\n";
        let code = blank(text);
        assert_eq!(code.lines().count(), text.lines().count());
        let found: Vec<_> = (1..)
            .zip(code.lines())
            .filter(|(_, line)| has_word(line, "unsafe"))
            .map(|(n, _)| n)
            .collect();
        assert_eq!(found, [4]);
        assert!(!code.contains("safe\""));
    }

    #[test]
    fn lifetimes_are_no_characters() {
        let code = blank(
            "fn f<'a>(x: &'a str) -> char { let q = '\"'; let e = '\\''; let n = b'\\n'; unsafe_thing }",
        );
        assert!(code.contains("<'a>(x: &'a str)"), "{code}");
        assert!(code.contains("unsafe_thing"), "{code}");
        assert!(!has_word(&code, "unsafe"));
    }

    #[test]
    fn words_that_begin_like_prefixes_stay() {
        assert_eq!(blank("bar rust crab b c r"), "bar rust crab b c r");
        assert_eq!(blank("br#\"x\"# c\"y\" z").trim(), "z");
    }

    #[test]
    fn test_items_are_marked_to_their_end() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        let tests = test_lines(code);
        assert_eq!(
            tests,
            [
                false, true, true, true, true, true, false, true, true, false
            ]
        );
    }
}
