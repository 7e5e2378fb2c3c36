//! The tokens of protocol-buffer text format, each with its line and column.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use crate::cases::document::At;

type Mistake = (At, String);

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, an enum value or a truth value.
    Word(String),
    /// A whole number as it is written, without sign.
    Number(String),
    /// The bytes that a string literal means.
    Text(Vec<u8>),
    Mark(char),
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Number(text) => write!(f, "`{text}`"),
            Self::Text(_) => f.write_str("a string"),
            Self::Mark(mark) => write!(f, "`{mark}`"),
            Self::End => f.write_str("the end of the file"),
        }
    }
}

/// Reads a text token by token.
pub(super) struct Scan<'t> {
    rest: Peekable<Chars<'t>>,
    at: At,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            rest: text.chars().peekable(),
            at: At { line: 1, column: 1 },
        }
    }

    fn bump(&mut self) -> Option<char> {
        let read = self.rest.next()?;
        if read == '\n' {
            self.at.line = self.at.line.saturating_add(1);
            self.at.column = 1;
        } else {
            self.at.column = self.at.column.saturating_add(1);
        }
        Some(read)
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.rest.peek().copied().filter(|next| fits(*next)) {
            taken.push(next);
            self.bump();
        }
        taken
    }

    /// The next token, behind blanks and comments.
    pub(super) fn token(&mut self) -> Result<(At, Token), Mistake> {
        loop {
            self.take_while(|next| matches!(next, ' ' | '\t' | '\r' | '\n' | '\u{b}' | '\u{c}'));
            if self.rest.peek() != Some(&'#') {
                break;
            }
            self.take_while(|next| next != '\n');
        }
        let at = self.at;
        let Some(&first) = self.rest.peek() else {
            return Ok((at, Token::End));
        };
        let token = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                Token::Word(self.take_while(|next| next.is_ascii_alphanumeric() || next == '_'))
            }
            '0'..='9' | '.' => {
                let digits = self
                    .take_while(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '.'));
                if integer(&digits).is_none() {
                    return Err((at, format!("a whole number, not `{digits}`")));
                }
                Token::Number(digits)
            }
            '"' | '\'' => {
                self.bump();
                Token::Text(self.text(first, at)?)
            }
            _ => {
                self.bump();
                Token::Mark(first)
            }
        };
        Ok((at, token))
    }

    /// The rest of a string literal, up to its closing quote.
    fn text(&mut self, quote: char, began: At) -> Result<Vec<u8>, Mistake> {
        let mut bytes = Vec::new();
        loop {
            match self.bump() {
                Some('\n') | None => {
                    return Err((began, "the string does not end in its line".to_owned()));
                }
                Some(read) if read == quote => return Ok(bytes),
                Some('\\') => self.escape(&mut bytes)?,
                Some(read) => push(&mut bytes, read),
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Mistake> {
        let at = self.at;
        let Some(kind) = self.bump() else {
            return Err((at, "the string does not end in its line".to_owned()));
        };
        let byte = match kind {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' | '\'' | '"' | '?' => {
                push(bytes, kind);
                return Ok(());
            }
            '0'..='7' => {
                let mut digits = String::from(kind);
                digits.push_str(&self.digits(8, 2));
                u8::from_str_radix(&digits, 8)
                    .map_err(|_| (at, format!("`\\{digits}` is more than one byte")))?
            }
            'x' | 'X' => {
                let digits = self.digits(16, 2);
                u8::from_str_radix(&digits, 16)
                    .map_err(|_| (at, "hexadecimal digits after `\\x`".to_owned()))?
            }
            'u' | 'U' => {
                let length = if kind == 'u' { 4 } else { 8 };
                let digits = self.digits(16, length);
                let code = u32::from_str_radix(&digits, 16).ok();
                match code
                    .filter(|_| digits.len() == length)
                    .and_then(char::from_u32)
                {
                    Some(read) => push(bytes, read),
                    None => return Err((at, format!("`\\{kind}{digits}` is no character"))),
                }
                return Ok(());
            }
            _ => return Err((at, format!("there is no escape `\\{kind}`"))),
        };
        bytes.push(byte);
        Ok(())
    }

    fn digits(&mut self, radix: u32, most: usize) -> String {
        let mut digits = String::new();
        while let Some(next) = self.rest.peek().copied()
            && digits.len() < most
            && next.is_digit(radix)
        {
            digits.push(next);
            self.bump();
        }
        digits
    }
}

fn push(bytes: &mut Vec<u8>, read: char) {
    bytes.extend_from_slice(read.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A whole number: decimal, `0x` hexadecimal or `0` octal, with or without sign.
pub(super) fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let hexadecimal = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let (digits, radix) = match hexadecimal {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if !digits.starts_with(|first: char| first.is_ascii_hexdigit()) {
        return None;
    }
    i128::from_str_radix(digits, radix).ok()?.checked_mul(sign)
}
