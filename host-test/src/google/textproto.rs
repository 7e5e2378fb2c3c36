//! Protocol-buffer text format, read without a schema: fields in order, each with its place.
//!
//! What the format's specification allows in a file of plain messages: comments, `name: value`, `name { .. }`,
//! `name < .. >`, lists, `;` and `,` between fields, strings in pieces with C escapes. Extensions, `Any` and floats have no
//! place in test files and are refused.

use crate::cases::document::At;

use super::scan::{Scan, Token};
use super::tree::{Field, Scalar, Value};

/// Depth of nesting beyond which a file is refused.
const DEEPEST: usize = 32;

type Mistake = (At, String);

/// Parses a file: the fields of its one message.
pub(super) fn parse(text: &str) -> Result<Vec<Field>, Mistake> {
    let mut parser = Parser {
        scan: Scan::new(text),
        next: None,
    };
    parser.fields(None, 0)
}

struct Parser<'t> {
    scan: Scan<'t>,
    next: Option<(At, Token)>,
}

impl Parser<'_> {
    fn peek(&mut self) -> Result<&(At, Token), Mistake> {
        let token = match self.next.take() {
            Some(token) => token,
            None => self.scan.token()?,
        };
        Ok(self.next.insert(token))
    }

    fn take(&mut self) -> Result<(At, Token), Mistake> {
        match self.next.take() {
            Some(token) => Ok(token),
            None => self.scan.token(),
        }
    }

    /// Takes the next token if it is that mark.
    fn took(&mut self, mark: char) -> Result<bool, Mistake> {
        let is = self.peek()?.1 == Token::Mark(mark);
        if is {
            self.next = None;
        }
        Ok(is)
    }

    /// Fields up to the closing mark, or to the end of the file.
    fn fields(&mut self, close: Option<char>, depth: usize) -> Result<Vec<Field>, Mistake> {
        let mut fields = Vec::new();
        loop {
            let (at, token) = self.take()?;
            match (token, close) {
                (Token::Word(name), _) => fields.push(self.field(name, at, depth)?),
                (Token::Mark(mark), Some(close)) if mark == close => return Ok(fields),
                (Token::End, None) => return Ok(fields),
                (Token::End, Some(close)) => return Err((at, format!("`{close}` is missing"))),
                (Token::Mark('['), _) => {
                    return Err((at, "extensions and Any are not supported".to_owned()));
                }
                (token, _) => return Err((at, format!("a field's name, not {token}"))),
            }
            if !self.took(';')? {
                self.took(',')?;
            }
        }
    }

    fn field(&mut self, name: String, at: At, depth: usize) -> Result<Field, Mistake> {
        let colon = self.took(':')?;
        let (value_at, opens) = match self.peek()? {
            (at, Token::Mark('{' | '<')) => (*at, true),
            (at, Token::Mark('[')) => (*at, true),
            (at, _) => (*at, false),
        };
        if !colon && !opens {
            return Err((value_at, format!("`:` is missing after `{name}`")));
        }
        let value = if self.took('[')? {
            self.list(depth)?
        } else {
            self.value(depth)?
        };
        Ok(Field {
            name,
            at,
            value_at,
            value,
        })
    }

    fn value(&mut self, depth: usize) -> Result<Value, Mistake> {
        let (at, token) = self.take()?;
        let close = match token {
            Token::Mark('{') => '}',
            Token::Mark('<') => '>',
            Token::Text(mut bytes) => {
                // Neighbouring strings are one.
                while let Token::Text(_) = self.peek()?.1 {
                    if let (_, Token::Text(more)) = self.take()? {
                        bytes.extend(more);
                    }
                }
                return Ok(Value::Scalar(Scalar::Text(bytes)));
            }
            Token::Word(word) => return Ok(Value::Scalar(Scalar::Word(word))),
            Token::Number(digits) => return Ok(Value::Scalar(Scalar::Number(digits))),
            Token::Mark('-') => {
                return match self.take()? {
                    (_, Token::Number(digits)) => {
                        Ok(Value::Scalar(Scalar::Number(format!("-{digits}"))))
                    }
                    (at, token) => Err((at, format!("a number after `-`, not {token}"))),
                };
            }
            token => return Err((at, format!("a value, not {token}"))),
        };
        if depth >= DEEPEST {
            return Err((at, "nested too deeply".to_owned()));
        }
        let fields = self.fields(Some(close), depth.saturating_add(1))?;
        Ok(Value::Message(fields))
    }

    /// `[` has been taken.
    fn list(&mut self, depth: usize) -> Result<Value, Mistake> {
        let mut values = Vec::new();
        if self.took(']')? {
            return Ok(Value::List(values));
        }
        loop {
            let at = self.peek()?.0;
            values.push((at, self.value(depth)?));
            if self.took(']')? {
                return Ok(Value::List(values));
            }
            if !self.took(',')? {
                let (at, token) = self.take()?;
                return Err((at, format!("`,` or `]`, not {token}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lists_and_scalars_are_read() {
        let fields = parse(
            "# a comment\na { b: 'x' \"y\\n\\x41\\101\\u00e9\" c: [1, -0x2]; d <e: TRACE>, }\nf: {} g: []",
        )
        .unwrap();
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["a", "f", "g"]);
        let Value::Message(inner) = &fields[0].value else {
            panic!("no message");
        };
        assert!(
            matches!(&inner[0].value, Value::Scalar(Scalar::Text(text)) if text == "xy\nAA\u{e9}".as_bytes())
        );
        assert!(matches!(&inner[1].value, Value::List(values) if values.len() == 2));
        assert_eq!((inner[2].at.line, inner[2].at.column), (2, 46));
        assert!(matches!(&inner[2].value, Value::Message(inner) if inner.len() == 1));
    }

    #[test]
    fn mistakes_have_their_place() {
        for (text, line, column, words) in [
            ("a { b: 1", 1, 9, "`}` is missing"),
            ("a: 1\n  b 2", 2, 5, "`:` is missing"),
            ("a: 1\n}", 2, 1, "a field's name"),
            ("a: 'x", 1, 4, "the string does not end"),
            ("a: 'x\ny'", 1, 4, "the string does not end"),
            ("a: '\\q'", 1, 6, "`\\q`"),
            ("a: '\\xg'", 1, 6, "hexadecimal"),
            ("a: '\\777'", 1, 6, "one byte"),
            ("a: '\\ud800'", 1, 6, "no character"),
            ("a: 1.5", 1, 4, "whole number"),
            ("a: 12ab", 1, 4, "whole number"),
            ("[x.y]: 1", 1, 1, "extensions"),
            ("a: [1 2]", 1, 7, "`,` or `]`"),
            ("a: -x", 1, 5, "after `-`"),
            ("a: \u{e9}", 1, 4, "not `\u{e9}`"),
        ] {
            let (at, message) = parse(text).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
            assert_eq!((at.line, at.column), (line, column), "{text}: {message}");
        }
        let (_, message) = parse(&"a{".repeat(100)).unwrap_err();
        assert!(message.contains("deeply"));
    }
}
