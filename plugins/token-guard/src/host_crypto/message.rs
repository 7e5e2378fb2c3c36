//! The protobuf messages of Envoy's `verify_signature`: `hash_function = 1, public_key = 2, signature = 3, text = 4`, and
//! `result = 1 bool, error = 2 string` for an answer.

/// Tags: field number and wire type 2, length-delimited.
const HASH_FUNCTION: u8 = 1 << 3 | 2;
const PUBLIC_KEY: u8 = 2 << 3 | 2;
const SIGNATURE: u8 = 3 << 3 | 2;
const TEXT: u8 = 4 << 3 | 2;

/// What a host said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The signature is good.
    True,
    /// It is bad, or the host cannot verify it.
    False,
    /// Nothing that this message can say.
    Neither,
}

/// Puts the question in `question`, whose memory is used again: the public key's part of it is copied, not encoded, and
/// copying it takes less time than finding a remembered copy would.
pub(super) fn write_question(
    question: &mut Vec<u8>,
    hash: &str,
    public_key: &[u8],
    signature: &[u8],
    text: &[u8],
) {
    question.clear();
    for (tag, content) in [
        (HASH_FUNCTION, hash.as_bytes()),
        (PUBLIC_KEY, public_key),
        (SIGNATURE, signature),
        (TEXT, text),
    ] {
        question.push(tag);
        write_length(question, content.len());
        question.extend_from_slice(content);
    }
}

/// A length as a varint: seven bits a byte, the lowest first.
fn write_length(question: &mut Vec<u8>, mut length: usize) {
    // What is cut off by the casts has been masked away.
    while length >= 0x80 {
        question.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    question.push(length as u8);
}

/// Reads an answer.
///
/// INVARIANT: "true" is the one encoding of `result: true` without an error, byte for byte; an error beside it, a second
/// field, a number that is not one, bytes after it are not it. An empty message could be a false one or none at all:
/// it decides nothing.
pub(super) fn read_answer(answer: &[u8]) -> Answer {
    match answer {
        [0x08, 1] | [0x08, 1, 0x12, 0] => Answer::True,
        [0x08, 0, rest @ ..] | rest if is_error(rest) => Answer::False,
        _ => Answer::Neither,
    }
}

/// Whether this is field 2 with a text in it, and nothing more.
fn is_error(field: &[u8]) -> bool {
    let text = match field {
        [0x12, length, text @ ..] if (1..0x80).contains(length) => {
            (usize::from(*length) == text.len()).then_some(text)
        }
        [0x12, low, high, text @ ..] if *low >= 0x80 && (1..0x80).contains(high) => {
            let length = usize::from(low & 0x7f) | usize::from(*high) << 7;
            (length == text.len()).then_some(text)
        }
        _ => None,
    };
    text.is_some_and(|text| std::str::from_utf8(text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_one_message() {
        let mut question = b"what the last one left".to_vec();
        write_question(&mut question, "sha384", b"key", b"", &[7; 300]);
        let mut expected = b"\x0a\x06sha384\x12\x03key\x1a\x00\x22\xac\x02".to_vec();
        expected.extend([7; 300]);
        assert_eq!(question, expected);
        for (length, encoded) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
        ] {
            let mut varint = Vec::new();
            write_length(&mut varint, length);
            assert_eq!(varint, encoded);
        }
    }

    #[test]
    fn only_one_message_is_true() {
        assert_eq!(read_answer(b"\x08\x01"), Answer::True);
        assert_eq!(read_answer(b"\x08\x01\x12\x00"), Answer::True);
        for answer in [
            &b""[..],
            b"\x01",
            b"\x08",
            b"true",
            b"\x08\x02",
            b"\x08\x81\x00",
            b"\x08\x01\x08\x01",
            b"\x08\x00\x08\x01",
            b"\x08\x01\x00",
            b"\x08\x01\x12",
            b"\x08\x01\x12\x01e",
            b"\x08\x01\x1a\x01x",
            b"\x12\x01e\x08\x01",
            b"\x0a\x01\x01",
            b"\x09\x01\x00\x00\x00\x00\x00\x00\x00",
            b"\x0d\x01\x00\x00\x00",
        ] {
            assert_eq!(read_answer(answer), Answer::Neither, "{answer:?}");
        }
    }

    #[test]
    fn a_refusal_has_its_reason() {
        let envoy = b"\x12\x26Failed to verify digest. Error code: 0".as_slice();
        let long = [&b"\x12\xac\x02"[..], &[b'e'; 300]].concat();
        for answer in [envoy, b"\x12\x01e", b"\x08\x00\x12\x01e", &long] {
            assert_eq!(read_answer(answer), Answer::False, "{answer:?}");
        }
        for answer in [
            &b"\x08\x00"[..],
            b"\x12\x00",
            b"\x12\x02e",
            b"\x12\x01ee",
            b"\x12\x01\xff",
            b"\x12\xff",
            &long[..302],
            b"\x08\x00\x08\x00\x12\x01e",
        ] {
            assert_eq!(read_answer(answer), Answer::Neither, "{answer:?}");
        }
    }

    /// No answer of up to four bytes is good but the two.
    #[test]
    fn short_answers_are_tried_out() {
        let mut good = 0;
        for number in 0..=u32::MAX >> 8 {
            let bytes = number.to_le_bytes();
            for length in 0..=3 {
                good += u32::from(read_answer(&bytes[..length]) == Answer::True && length == 2);
                assert!(read_answer(&bytes[..length]) != Answer::True || bytes[..2] == [8, 1]);
            }
        }
        assert_eq!(good, 1 << 8, "08 01, before any third byte");
    }
}
