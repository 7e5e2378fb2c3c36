//! Untrusted text into JSON strings, quoted strings of header fields and `grpc-message`.

/// Appends `text` to `out` as the inside of a JSON string, cut so that at most `most` bytes are added.
///
/// Escaped are, beside what JSON demands, every control character (C1 included), the line separators that some
/// readers of logs break at, and the marks that turn the direction of writing: one event is one line, and reads as
/// it is.
pub(crate) fn push_json(out: &mut String, text: &str, most: usize) {
    const CUT: &str = "…";
    if text.len() <= most && is_plain(text.as_bytes()) {
        out.push_str(text);
        return;
    }
    let start = out.len();
    // Where to cut back to when the text turns out too long: the last place that leaves room for the mark.
    let mut fits = start;
    for c in text.chars() {
        let before = out.len();
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => push_unicode_escapes(out, c),
            c => out.push(c),
        }
        if before.saturating_sub(start).saturating_add(CUT.len()) <= most {
            fits = before;
        }
        if out.len().saturating_sub(start) > most {
            out.truncate(fits);
            if CUT.len() <= most {
                out.push_str(CUT);
            }
            return;
        }
    }
}

/// Whether every byte is printable ASCII that needs no escape. Nearly all text is so; eight bytes are looked at at once.
fn is_plain(text: &[u8]) -> bool {
    const EACH: u64 = u64::MAX / 0xff;
    const HIGH: u64 = EACH << 7;
    // The high bit of each byte of the difference tells whether one was below the bound, or beyond ASCII itself.
    let below = |word: u64, bound: u64| word.wrapping_sub(EACH.wrapping_mul(bound)) & HIGH;
    let odd = |word: u64| {
        let is = |byte: u8| below(word ^ EACH.wrapping_mul(u64::from(byte)), 1);
        word & HIGH | below(word, 0x20) | is(b'"') | is(b'\\') | is(0x7f)
    };
    let (words, rest) = text.as_chunks::<8>();
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    words.iter().all(|word| odd(u64::from_le_bytes(*word)) == 0) && rest.iter().all(plain)
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn push_unicode_escapes(out: &mut String, c: char) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut units = [0_u16; 2];
    for unit in c.encode_utf16(&mut units) {
        out.push_str("\\u");
        for shift in [12_u32, 8, 4, 0] {
            let digit = usize::from((*unit >> shift) & 0xf);
            out.push(char::from(HEX.get(digit).copied().unwrap_or(b'0')));
        }
    }
}

/// JSON with every character escaped that a header cannot hold, or that has more than one encoding there. Beyond ASCII and control
/// characters such stand in its strings only.
pub(crate) fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            ' '..='~' => out.push(c),
            c => push_unicode_escapes(&mut out, c),
        }
    }
    out
}

/// Appends `text` as a quoted string (RFC 9110 section 5.6.4). What a quoted string cannot hold becomes `?`.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            _ => out.push('?'),
        }
    }
    out.push('"');
}

/// Appends `text` as a `grpc-message` ("Percent-Encoded" in gRPC over HTTP/2: all but printable ASCII, and `%` itself).
pub(crate) fn push_percent(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            out.push(char::from(byte));
            continue;
        }
        out.push('%');
        for digit in [byte >> 4, byte & 0xf] {
            out.push(char::from(
                HEX.get(usize::from(digit)).copied().unwrap_or(b'0'),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str, most: usize) -> String {
        let mut out = String::new();
        push_json(&mut out, text, most);
        out
    }

    #[test]
    fn plain_is_what_needs_no_escape() {
        for length in 0..18 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'~'; length];
                    text[place] = byte;
                    let plain = matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
                    assert_eq!(is_plain(&text), plain, "{text:?}");
                    // The words are told apart by no borrow from a neighbour.
                    text.fill(b' ');
                    text[place] = byte;
                    assert_eq!(is_plain(&text), plain, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn json_reads_back_and_holds_no_control_character() {
        let text: String = (0..0x2100)
            .filter_map(char::from_u32)
            .chain(['😀', '\u{feff}'])
            .collect();
        let escaped = json(&text, usize::MAX);
        assert!(
            !escaped
                .chars()
                .any(|c| c.is_control() || c == '\u{2028}' || c == '\u{202e}')
        );
        assert_eq!(
            serde_json::from_str::<String>(&format!("\"{escaped}\"")).unwrap(),
            text
        );
    }

    #[test]
    fn json_is_cut_at_a_whole_character_or_escape() {
        for text in [
            "abcdefghij",
            "\n\n\n\n\n\n",
            "\u{1}\u{1}\u{1}",
            "éééééé",
            "😀😀😀😀",
            "a\u{85}b\u{85}c",
        ] {
            for most in 0..40 {
                let cut = json(text, most);
                assert!(cut.len() <= most, "{cut:?} of {most}");
                let read: String = serde_json::from_str(&format!("\"{cut}\"")).unwrap();
                assert!(
                    read == text || text.starts_with(read.trim_end_matches('…')),
                    "{cut:?}"
                );
            }
        }
        assert_eq!(json("abcdef", 6), "abcdef");
        assert_eq!(json("abcdefg", 6), "abc…");
    }

    #[test]
    fn messages_are_percent_encoded() {
        let mut out = String::new();
        push_percent(&mut out, "50 % Größe\n~");
        assert_eq!(out, "50 %25 Gr%C3%B6%C3%9Fe%0A~");
    }

    #[test]
    fn quoted_strings_cannot_be_left() {
        let mut out = String::new();
        push_quoted(&mut out, "a\"b\\c\r\né");
        assert_eq!(out, "\"a\\\"b\\\\c???\"");
    }
}
