//! Protobuf's wire format, as much of it as the messages of foreign functions need.

/// One field of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field<'m> {
    pub(crate) number: u64,
    /// What is in it; none for a number, which no argument of ours has.
    pub(crate) bytes: Option<&'m [u8]>,
}

/// Reads a message's fields in order. `None` for what is no message; groups, which no message of ours has, are taken
/// for that too.
pub(crate) fn fields(mut message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return None;
        }
        let bytes = match tag & 7 {
            0 => varint(&mut message).map(|_| None)?,
            1 => take(&mut message, 8).map(|_| None)?,
            2 => {
                let size = usize::try_from(varint(&mut message)?).ok()?;
                Some(take(&mut message, size)?)
            }
            5 => take(&mut message, 4).map(|_| None)?,
            _ => return None,
        };
        fields.push(Field { number, bytes });
    }
    Some(fields)
}

/// Appends a field of bytes; nothing for no bytes, which is a field's default.
pub(crate) fn put_bytes(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    message.push(number << 3 | 2);
    let mut size = bytes.len();
    while size >= 0x80 {
        // The low seven bits.
        message.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    message.push((size & 0x7f) as u8);
    message.extend_from_slice(bytes);
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    // Ten bytes at most; of the tenth one bit counts.
    for place in (0..70).step_by(7) {
        let (first, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(first & 0x7f).checked_shl(place).unwrap_or(0);
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'m>(message: &mut &'m [u8], size: usize) -> Option<&'m [u8]> {
    let (taken, rest) = message.split_at_checked(size)?;
    *message = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_there_and_back() {
        let long = vec![7; 300];
        let mut message = Vec::new();
        put_bytes(&mut message, 1, b"sha256");
        put_bytes(&mut message, 2, b"");
        put_bytes(&mut message, 4, &long);
        let field = |number, bytes| Field {
            number,
            bytes: Some(bytes),
        };
        assert_eq!(
            fields(&message),
            Some(vec![field(1, &b"sha256"[..]), field(4, &long)])
        );
        // A number, eight bytes and four bytes are passed over.
        assert_eq!(
            fields(b"\x08\x96\x01\x11abcdefgh\x1dabcd").map(|fields| fields.len()),
            Some(3)
        );
    }

    #[test]
    fn what_is_cut_off_is_no_message() {
        for message in [
            &b"\x0a"[..],
            b"\x0a\x05abcd",
            b"\x80",
            b"\x08",
            b"\x11abc",
            b"\x00\x00",
            b"\x0b",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert_eq!(fields(message), None, "{message:?}");
        }
    }
}
