//! From text to a tree, with the bounds that the parser needs to stay within its stack.

use cel::common::ast::IdedExpr;
use cel::parser::PrattParser;

use crate::document::Field;
use crate::reserved::is_reserved_word;

/// The longest condition in bytes.
const MAX_SOURCE_BYTES: usize = 2048;
/// The most words and signs. A chain such as `1 + 1 + 1` nests as deep as it has signs, and a tree is dropped recursively.
const MAX_TOKENS: usize = 512;
/// The most `? :`. The parser recurses for each without counting.
const MAX_TERNARIES: usize = 16;
/// The depth of brackets, as the parser counts them.
const MAX_PARSER_DEPTH: u16 = 24;
/// The most mistakes reported of one condition.
const MAX_MISTAKES: usize = 5;

/// Parses `source`, the text of `field`. Mistakes are reported with their place.
pub(super) fn parse(field: &Field<'_>, source: &str) -> Option<IdedExpr> {
    if source.len() > MAX_SOURCE_BYTES {
        field.problem(format!(
            "has {} bytes, more than the {MAX_SOURCE_BYTES} allowed",
            source.len()
        ));
        return None;
    }
    let code = match code_of(source) {
        Ok(code) => code,
        Err((offset, message)) => {
            field.problem(format!("{}{message}", place_at(source, offset)));
            return None;
        }
    };
    let ternaries = code.matches('?').count();
    let signs = code
        .chars()
        .filter(|c| !is_word(*c) && !c.is_whitespace())
        .count();
    let words = code
        .split(|c| !is_word(c))
        .filter(|word| !word.is_empty())
        .count();
    if ternaries > MAX_TERNARIES || signs.saturating_add(words) > MAX_TOKENS {
        field.problem_with_help(
            "is too long to be checked",
            "split the route, or let the issuer decide and say so in a claim",
        );
        return None;
    }
    let parser = PrattParser::new()
        .max_recursion_depth(MAX_PARSER_DEPTH)
        .error_recovery_limit(5);
    match parser.parse(source) {
        Ok(tree) => Some(tree),
        Err(errors) => {
            if errors
                .errors
                .iter()
                .any(|error| error.msg.starts_with("expression recursion limit"))
            {
                field.problem(format!("nests brackets more than {MAX_PARSER_DEPTH} deep"));
                return None;
            }
            let mut seen = Vec::new();
            for error in errors.errors {
                let message = error
                    .msg
                    .strip_prefix("Syntax error: ")
                    .unwrap_or(&error.msg)
                    .to_owned();
                if seen.len() < MAX_MISTAKES && !seen.contains(&(error.pos, message.clone())) {
                    let (line, column) = error.pos;
                    field.problem(format!("{}{message}", place(source, line, column)));
                    seen.push((error.pos, message));
                }
            }
            None
        }
    }
}

/// The text with what stands in quotes and comments blanked, byte for byte, so that offsets stay. What could be read in another way than
/// the parser reads it is refused.
fn code_of(source: &str) -> Result<String, (usize, String)> {
    let mut code = String::with_capacity(source.len());
    let mut quote: Option<char> = None;
    let mut escaped = false;
    let mut comment = false;
    let mut characters = source.char_indices().peekable();
    let mut before = ' ';
    while let Some((offset, c)) = characters.next() {
        let refuse = |message: &str| Err((offset, message.to_owned()));
        if c.is_control() && !matches!(c, '\n' | '\t' | '\r') {
            return refuse("a control character");
        }
        let next = characters.peek().map(|(_, next)| *next);
        let blank = match quote {
            _ if comment => {
                comment = c != '\n';
                true
            }
            Some(open) => {
                if escaped {
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else if c == open {
                    quote = None;
                }
                true
            }
            None => match c {
                '"' | '\'' if is_word(before) => {
                    return refuse("text takes plain quotes, without a letter before them");
                }
                '"' | '\'' if before == c => {
                    return refuse("text takes single or double quotes, not three");
                }
                '"' | '\'' => {
                    quote = Some(c);
                    true
                }
                '/' if next == Some('/') => {
                    comment = true;
                    true
                }
                '`' => return refuse("` has no meaning here; write claims[\"a.b\"]"),
                _ if !c.is_ascii() => {
                    return refuse("a character outside ASCII stands outside quotes");
                }
                _ => false,
            },
        };
        if blank {
            code.extend(std::iter::repeat_n(' ', c.len_utf8()));
        } else {
            code.push(c);
        }
        before = c;
    }
    Ok(code)
}

/// Where in the condition, in words to put before a message. The line is left out where there is but one.
fn place(source: &str, line: isize, column: isize) -> String {
    match (line, source.trim_end().contains('\n')) {
        (..1, _) => String::new(),
        (_, false) => format!("at character {column} of the condition: "),
        (_, true) => format!("at line {line}, character {column} of the condition: "),
    }
}

fn place_at(source: &str, offset: usize) -> String {
    let before = source.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .len()
        .saturating_add(1);
    let number = |count: usize| isize::try_from(count).unwrap_or(isize::MAX);
    place(source, number(line), number(column))
}

/// The place of a name, where it first stands outside quotes, or else inside.
pub(super) fn place_of(source: &str, name: &str) -> String {
    let code = code_of(source).unwrap_or_default();
    let offset = find(&code, name).or_else(|| find(source, name));
    offset
        .map(|offset| place_at(source, offset))
        .unwrap_or_default()
}

/// Whether the policy itself spells this name, so that it may be shown.
pub(super) fn mentions(source: &str, name: &str) -> bool {
    name.len() <= 100 && find(source, name).is_some()
}

/// Where a name stands as a whole word.
fn find(text: &str, name: &str) -> Option<usize> {
    if name.is_empty() {
        return None;
    }
    text.match_indices(name)
        .map(|(offset, _)| offset)
        .find(|offset| {
            let before = text
                .get(..*offset)
                .and_then(|before| before.chars().next_back());
            let after = text
                .get(offset.saturating_add(name.len())..)
                .and_then(|after| after.chars().next());
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether a name may be bound by a macro.
pub(super) fn may_be_bound(name: &str) -> bool {
    !is_reserved_word(name) && !name.starts_with(['.', '@'])
}
