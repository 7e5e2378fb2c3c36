//! Serialized header maps: a count, then the sizes, then names and values, each ended by a zero byte.

use crate::http::Headers;

/// Serializes fields for the guest. Over the bounds there is nothing to read, as in Envoy.
pub(crate) fn encode(headers: &Headers, most: usize, most_bytes: usize) -> Vec<u8> {
    let framing = headers.len().saturating_mul(10).saturating_add(4);
    let size = headers.byte_size().saturating_add(framing);
    if headers.is_empty() || headers.len() > most || size > most_bytes {
        return Vec::new();
    }
    let mut bytes = Vec::with_capacity(size);
    bytes.extend(length(headers.len()));
    for (name, value) in headers.iter() {
        bytes.extend(length(name.len()));
        bytes.extend(length(value.len()));
    }
    for (name, value) in headers.iter() {
        bytes.extend(name);
        bytes.push(0);
        bytes.extend(value);
        bytes.push(0);
    }
    bytes
}

fn length(of: usize) -> [u8; 4] {
    u32::try_from(of).unwrap_or(u32::MAX).to_le_bytes()
}

/// Reads what a guest serialized. Anything malformed or over the bounds is an empty map, as in Envoy.
pub(crate) fn decode(bytes: &[u8], most: usize, most_bytes: usize) -> Headers {
    fields(bytes, most, most_bytes).into_iter().collect()
}

/// The fields in order, names as they are spelt. None of them when anything is malformed or over the bounds.
pub(crate) fn fields(bytes: &[u8], most: usize, most_bytes: usize) -> Vec<(&[u8], &[u8])> {
    if bytes.len() > most_bytes {
        return Vec::new();
    }
    parse(bytes, most).unwrap_or_default()
}

fn parse(bytes: &[u8], most: usize) -> Option<Vec<(&[u8], &[u8])>> {
    let (count, mut sizes) = word(bytes)?;
    if count > most {
        return None;
    }
    let mut data = sizes.get(count.checked_mul(8)?..)?;
    let mut fields = Vec::with_capacity(count);
    for _ in 0..count {
        let (name_size, rest) = word(sizes)?;
        let (value_size, rest) = word(rest)?;
        sizes = rest;
        let (name, rest) = terminated(data, name_size)?;
        let (value, rest) = terminated(rest, value_size)?;
        data = rest;
        fields.push((name, value));
    }
    data.is_empty().then_some(fields)
}

fn word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

fn terminated(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(size)?;
    let (end, rest) = rest.split_first()?;
    (*end == 0).then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(count: usize) -> Headers {
        (0..count).map(|n| (format!("x-{n}"), "v")).collect()
    }

    #[test]
    fn fields_come_back_as_they_went() {
        let headers: Headers = [("a", "1"), ("a", ""), ("b", "\0\u{ff}")]
            .into_iter()
            .collect();
        assert_eq!(
            decode(&encode(&headers, 1024, 1 << 20), 1024, 1 << 20),
            headers
        );
    }

    #[test]
    fn one_field_too_many_reads_as_none() {
        assert!(!encode(&fields(1024), 1024, 1 << 20).is_empty());
        assert!(encode(&fields(1025), 1024, 1 << 20).is_empty());
        let bytes = encode(&fields(3), 1024, 1 << 20);
        assert_eq!(decode(&bytes, 3, 1 << 20).len(), 3);
        assert!(decode(&bytes, 2, 1 << 20).is_empty());
        assert!(decode(&bytes, 3, bytes.len() - 1).is_empty());
    }

    #[test]
    fn every_cut_and_every_wrong_byte_of_the_framing_is_survived() {
        let bytes = encode(&fields(3), 1024, 1 << 20);
        for end in 0..bytes.len() {
            assert!(
                decode(&bytes[..end], 1024, 1 << 20).is_empty(),
                "cut at {end}"
            );
        }
        for at in 0..28 {
            let mut bad = bytes.clone();
            bad[at] = 0xff;
            assert!(decode(&bad, 1024, 1 << 20).is_empty(), "byte {at}");
        }
        let mut long = bytes;
        long.push(0);
        assert!(decode(&long, 1024, 1 << 20).is_empty());
    }
}
