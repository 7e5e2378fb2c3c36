//! The wire form of header maps: count, lengths, then names and values, each followed by a NUL.

use crate::HostError;

/// One header: name and value, as bytes, neither checked nor changed.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// Most pairs and bytes of a map, in either direction. proxy-wasm-cpp-host takes no more from a module, but gives a module
/// whatever came; other hosts cut at some number. With one limit for all a request reads the same everywhere.
const PAIRS_LIMIT: usize = 1024;
const BYTES_LIMIT: usize = 1 << 20;

const WORD: usize = 4;

/// A header map as the host gave it.
#[derive(Debug, Default)]
pub struct HeaderPairs {
    wire: Vec<u8>,
}

impl HeaderPairs {
    pub(crate) const fn new(wire: Vec<u8>) -> Self {
        Self { wire }
    }

    /// The headers in the host's order, duplicates included.
    ///
    /// # Errors
    ///
    /// [`HostError::TooLarge`] above 1,024 headers or 1 MiB; [`HostError::Malformed`] when the lengths don't add up to
    /// exactly the bytes that came.
    pub fn decode(&self) -> Result<Vec<Pair<'_>>, HostError> {
        if self.wire.len() > BYTES_LIMIT {
            return Err(HostError::TooLarge);
        }
        match decode(&self.wire) {
            Some(pairs) if pairs.len() > PAIRS_LIMIT => Err(HostError::TooLarge),
            Some(pairs) => Ok(pairs),
            None => Err(HostError::Malformed),
        }
    }
}

fn decode(wire: &[u8]) -> Option<Vec<Pair<'_>>> {
    if wire.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = word(wire)?;
    let sizes_len = count.checked_mul(2 * WORD)?;
    let (mut sizes, mut data) = rest.split_at_checked(sizes_len)?;
    // `count` is now bounded by the bytes that are there.
    let mut pairs = Vec::with_capacity(count);
    while !sizes.is_empty() {
        let (name_len, after_name) = word(sizes)?;
        let (value_len, after_value) = word(after_name)?;
        sizes = after_value;
        let (name, after_name) = terminated(data, name_len)?;
        let (value, after_value) = terminated(after_name, value_len)?;
        data = after_value;
        pairs.push((name, value));
    }
    data.is_empty().then_some(pairs)
}

fn word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<WORD>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

fn terminated(bytes: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(len)?;
    let (nul, rest) = rest.split_first()?;
    (*nul == 0).then_some((text, rest))
}

/// The wire form of `pairs`.
///
/// # Errors
///
/// [`HostError::TooLarge`] beyond what hosts accept.
pub(crate) fn encode(pairs: &[Pair<'_>]) -> Result<Vec<u8>, HostError> {
    if pairs.len() > PAIRS_LIMIT {
        return Err(HostError::TooLarge);
    }
    let mut wire = Vec::new();
    push_word(&mut wire, pairs.len())?;
    for (name, value) in pairs {
        push_word(&mut wire, name.len())?;
        push_word(&mut wire, value.len())?;
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        if wire.len().saturating_add(text.len()) >= BYTES_LIMIT {
            return Err(HostError::TooLarge);
        }
        wire.extend_from_slice(text);
        wire.push(0);
    }
    Ok(wire)
}

fn push_word(wire: &mut Vec<u8>, len: usize) -> Result<(), HostError> {
    let len = u32::try_from(len).map_err(|_| HostError::TooLarge)?;
    wire.extend_from_slice(&len.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{HeaderPairs, Pair, decode, encode};
    use crate::HostError;

    const PAIRS: &[Pair<'_>] = &[(b":method", b"GET"), (b"x", b""), (b"x", b"\xff\x00,")];

    #[test]
    fn what_was_encoded_decodes_to_the_same() {
        let wire = encode(PAIRS).unwrap();
        assert_eq!(decode(&wire).unwrap(), PAIRS);
        assert_eq!(encode(&[]).unwrap(), [0; 4]);
        assert_eq!(decode(&[0; 4]).unwrap(), []);
        assert_eq!(decode(&[]).unwrap(), []);
    }

    #[test]
    fn the_layout_is_the_abi_s() {
        let wire = encode(&[(b"ab", b"c")]).unwrap();
        assert_eq!(wire, b"\x01\0\0\0\x02\0\0\0\x01\0\0\0ab\0c\0");
    }

    #[test]
    fn no_cut_and_no_extra_byte_is_taken() {
        let wire = encode(PAIRS).unwrap();
        for len in 1..wire.len() {
            assert_eq!(decode(wire.get(..len).unwrap()), None, "{len}");
        }
        let mut longer = wire;
        longer.push(0);
        assert_eq!(decode(&longer), None);
    }

    #[test]
    fn hostile_lengths_are_malformed() {
        for count in [1, 2, 0x1fff_ffff, 0x2000_0000, 0x7fff_ffff, u32::MAX] {
            for name in [0, 1, 3, 0x7fff_ffff, 0xffff_fff8, u32::MAX] {
                let mut wire = count.to_le_bytes().to_vec();
                wire.extend_from_slice(&name.to_le_bytes());
                wire.extend_from_slice(&u32::MAX.to_le_bytes());
                wire.extend_from_slice(b"a\0b\0");
                assert_eq!(HeaderPairs::new(wire).decode(), Err(HostError::Malformed));
            }
        }
    }

    #[test]
    fn every_single_byte_change_decodes_or_is_refused_without_a_panic() {
        let wire = encode(PAIRS).unwrap();
        for at in 0..wire.len() {
            for byte in 0..=u8::MAX {
                let mut changed = wire.clone();
                *changed.get_mut(at).unwrap() = byte;
                if let Some(pairs) = decode(&changed) {
                    assert!(pairs.len() <= PAIRS.len());
                }
            }
        }
    }

    #[test]
    fn more_than_the_limits_is_not_read() {
        let one: &[u8] = b"\x01\0\0\0\x01\0\0\0a\0b\0";
        let (size, text) = (one.get(..8).unwrap(), one.get(8..).unwrap());
        let wire = |count: usize| {
            let count_word = u32::try_from(count).unwrap().to_le_bytes();
            HeaderPairs::new(
                [
                    &count_word,
                    size.repeat(count).as_slice(),
                    &text.repeat(count),
                ]
                .concat(),
            )
        };
        assert_eq!(wire(1024).decode().unwrap().len(), 1024);
        assert_eq!(wire(1025).decode(), Err(HostError::TooLarge));
        assert_eq!(
            HeaderPairs::new(vec![0; (1 << 20) + 1]).decode(),
            Err(HostError::TooLarge)
        );
    }

    #[test]
    fn more_than_hosts_take_is_not_sent() {
        let pair: Pair<'_> = (b"a", b"b");
        let wire = HeaderPairs::new(encode(&vec![pair; 1024]).unwrap());
        assert_eq!(wire.decode().unwrap().len(), 1024);
        assert_eq!(encode(&vec![pair; 1025]), Err(HostError::TooLarge));
        let big = vec![b'x'; 1 << 20];
        assert_eq!(encode(&[(b"a", &big)]), Err(HostError::TooLarge));
    }
}
