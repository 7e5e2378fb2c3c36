//! EMSA-PSS (RFC 8017 section 9.1.2) as JOSE has it: MGF1 with the same hash, a salt as long as the hash.

use crate::hash::Hash;

/// Whether `encoded`, as long as a modulus of this many bits, is an encoding of this hash value.
pub(crate) fn verify(hash: Hash, digest: &[u8], encoded: &[u8], modulus_bits: u32) -> bool {
    is_consistent(hash, digest, encoded, modulus_bits).unwrap_or(false)
}

/// `None` is "inconsistent" too: the parts do not fit.
fn is_consistent(hash: Hash, digest: &[u8], encoded: &[u8], modulus_bits: u32) -> Option<bool> {
    let bits = usize::try_from(modulus_bits).ok()?.checked_sub(1)?;
    let length = bits.div_ceil(8);
    // One byte shorter than the modulus, where that has one bit more than a number of bytes (section 8.1.2, step 2c).
    let (above, encoded) = encoded.split_at_checked(encoded.len().checked_sub(length)?)?;
    if above.iter().any(|byte| *byte != 0) {
        return Some(false);
    }
    // Steps 3 to 5.
    let (masked, tail) =
        encoded.split_at_checked(length.checked_sub(hash.length().checked_add(1)?)?)?;
    let (own_hash, trailer) = tail.split_at_checked(hash.length())?;
    if trailer != [0xbc] {
        return Some(false);
    }
    // Step 6: the bits of the first byte that no number of so few bits has.
    let used = 0xff_u8 >> (length.checked_mul(8)?.checked_sub(bits)? & 7);
    let first = masked.first()?;
    if first & !used != 0 {
        return Some(false);
    }
    // Steps 7 to 9.
    let mask = mask(hash, own_hash, masked.len());
    let mut block: Vec<u8> = masked
        .iter()
        .zip(&mask)
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    *block.first_mut()? &= used;
    // Step 10.
    let (padding, salt) = block.split_at_checked(block.len().checked_sub(hash.length())?)?;
    let (one, zeros) = padding.split_last()?;
    if *one != 1 || zeros.iter().any(|byte| *byte != 0) {
        return Some(false);
    }
    // Steps 12 to 14.
    let message = [&[0; 8], digest, salt].concat();
    Some(hash.digest(&message).as_bytes() == own_hash)
}

/// MGF1 (RFC 8017 appendix B.2.1).
fn mask(hash: Hash, seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length.saturating_add(hash.length()));
    let mut counter = 0_u32;
    while mask.len() < length {
        let message = [seed, &counter.to_be_bytes()].concat();
        mask.extend_from_slice(hash.digest(&message).as_bytes());
        counter = counter.saturating_add(1);
    }
    mask.truncate(length);
    mask
}
