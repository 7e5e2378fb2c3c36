//! Bytes in the text of a case: `\xNN` is that byte and `\\` a backslash; everything else is itself, in UTF-8.

use anyhow::{Result, bail};

/// The bytes that a text stands for.
pub fn decode(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', [b'\\', tail @ ..]) => {
                bytes.push(b'\\');
                rest = tail;
            }
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?);
                rest = tail;
            }
            (b'\\', _) => bail!("a backslash must be followed by xNN or a backslash: {text}"),
            _ => bytes.push(*first),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn escapes_become_bytes_and_nothing_else_changes() {
        assert_eq!(decode(r"a\x00\xff\\b é").unwrap(), b"a\x00\xff\\b \xc3\xa9");
        assert!(decode(r"\n").is_err());
        assert!(decode(r"\xg0").is_err());
    }
}
