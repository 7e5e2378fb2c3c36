//! A secret shared with an issuer, and the HMACs that it checks (RFC 7518 section 3.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::error::SignatureError;

/// Longest secret, in bytes. Far more than any hash can use.
const LONGEST: usize = 4096;

/// A secret for HMACs. It is never logged, wiped when it is dropped, and made from configuration only: no key set gives one.
pub struct SecretKey {
    kid: Option<Box<str>>,
    bytes: Zeroizing<Vec<u8>>,
}

/// How the bytes of a secret are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SecretEncoding {
    /// The bytes themselves, such as the characters of a text.
    #[default]
    Text,
    /// Base64 with padding (RFC 4648 section 4).
    Base64,
    /// Base64url without padding (RFC 4648 section 5), as in the `k` of a JWK.
    Base64url,
}

/// Why bytes are no secret. The bytes are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKeyError {
    /// Not in the encoding that was named.
    Encoding,
    /// Longer than 4,096 bytes.
    TooLong,
}

impl SecretKey {
    /// Reads a secret. What it was written in is wiped too.
    ///
    /// # Errors
    /// [`SecretKeyError`]. One that is too short for an algorithm is told by [`SecretKey::allows`].
    pub fn read(
        kid: Option<&str>,
        written: Vec<u8>,
        encoding: SecretEncoding,
    ) -> Result<Self, SecretKeyError> {
        let written = Zeroizing::new(written);
        // Decoded, a secret is not longer than it is written.
        if written.len() > 2 * LONGEST {
            return Err(SecretKeyError::TooLong);
        }
        // Decoded in place: what a decoder had to make longer would leave pieces behind.
        let mut bytes = Zeroizing::new(vec![0; written.len()]);
        let decoded = match encoding {
            SecretEncoding::Text => {
                bytes.copy_from_slice(&written);
                Ok(written.len())
            }
            SecretEncoding::Base64 => STANDARD.decode_slice_unchecked(&*written, &mut bytes),
            SecretEncoding::Base64url => {
                URL_SAFE_NO_PAD.decode_slice_unchecked(&*written, &mut bytes)
            }
        };
        bytes.truncate(decoded.map_err(|_| SecretKeyError::Encoding)?);
        if bytes.len() > LONGEST {
            return Err(SecretKeyError::TooLong);
        }
        Ok(Self {
            kid: kid.map(Box::from),
            bytes,
        })
    }

    /// The `kid` of its tokens.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it may check this algorithm: an HMAC whose hash is not longer than the secret (RFC 7518 section 3.2).
    #[must_use]
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        hash_bytes(algorithm).is_some_and(|least| self.bytes.len() >= least)
    }

    /// Checks an HMAC, in time that does not depend on how much of it is right.
    ///
    /// # Errors
    /// [`SignatureError::KeyMismatch`] for any other algorithm or too short a secret, [`SignatureError::Malformed`] for another
    /// length than the hash's, [`SignatureError::Invalid`] for the HMAC of another secret or input.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        signing_input: &[u8],
        tag: &[u8],
    ) -> Result<(), SignatureError> {
        if !self.allows(algorithm) {
            return Err(SignatureError::KeyMismatch);
        }
        if hash_bytes(algorithm) != Some(tag.len()) {
            return Err(SignatureError::Malformed);
        }
        match algorithm {
            Algorithm::Hs256 => self.check::<Hmac<Sha256>>(signing_input, tag),
            Algorithm::Hs384 => self.check::<Hmac<Sha384>>(signing_input, tag),
            Algorithm::Hs512 => self.check::<Hmac<Sha512>>(signing_input, tag),
            _ => Err(SignatureError::KeyMismatch),
        }
    }

    /// A key for one purpose, so that what was made for another is worth nothing for it: one block of HKDF-Expand with SHA-256
    /// (RFC 5869 section 2.3). The secret has to be 32 bytes long at least.
    ///
    /// # Errors
    /// [`SignatureError::KeyMismatch`] for a shorter one.
    pub fn derive(&self, purpose: &str) -> Result<DerivedKey, SignatureError> {
        if !self.allows(Algorithm::Hs256) {
            return Err(SignatureError::KeyMismatch);
        }
        let block = mac_of(&self.bytes, &[purpose.as_bytes(), &[1]])?;
        Ok(DerivedKey {
            bytes: Zeroizing::new(block),
        })
    }

    fn check<M: Mac + KeyInit>(&self, input: &[u8], tag: &[u8]) -> Result<(), SignatureError> {
        let mut mac = M::new_from_slice(&self.bytes).map_err(|_| SignatureError::KeyMismatch)?;
        mac.update(input);
        // Compared by `subtle`.
        mac.verify_slice(tag).map_err(|_| SignatureError::Invalid)
    }
}

/// A key made of a secret for one purpose of our own. It is never logged, and wiped when it is dropped.
pub struct DerivedKey {
    bytes: Zeroizing<[u8; 32]>,
}

impl DerivedKey {
    /// The HMAC with SHA-256 of all parts, one after the other. INVARIANT: where they end is told by their form; the caller sees to it.
    ///
    /// # Errors
    /// None that is known; the MAC's own is passed on.
    pub fn mac(&self, parts: &[&[u8]]) -> Result<[u8; 32], SignatureError> {
        mac_of(&*self.bytes, parts)
    }

    /// Whether `tag` is the HMAC of all parts, in time that does not depend on how much of it is right.
    #[must_use]
    pub fn has_made(&self, tag: &[u8], parts: &[&[u8]]) -> bool {
        begun(&*self.bytes, parts).is_ok_and(|mac| mac.verify_slice(tag).is_ok())
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DerivedKey").finish_non_exhaustive()
    }
}

fn begun(key: &[u8], parts: &[&[u8]]) -> Result<Hmac<Sha256>, SignatureError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| SignatureError::KeyMismatch)?;
    parts.iter().for_each(|part| mac.update(part));
    Ok(mac)
}

fn mac_of(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 32], SignatureError> {
    Ok(begun(key, parts)?.finalize().into_bytes().into())
}

/// Bytes of an HMAC and of the shortest secret for it. `None` for what is no HMAC.
const fn hash_bytes(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Hs256 => Some(32),
        Algorithm::Hs384 => Some(48),
        Algorithm::Hs512 => Some(64),
        _ => None,
    }
}

/// Without the secret, and without its length.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SecretKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encoding => "is not in the encoding that `encoding` names",
            Self::TooLong => "is longer than 4096 bytes",
        })
    }
}

impl std::error::Error for SecretKeyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn secret(bytes: &[u8]) -> SecretKey {
        SecretKey::read(None, bytes.to_vec(), SecretEncoding::Text).unwrap()
    }

    /// RFC 7515 appendix A.1.
    #[test]
    fn the_figure_of_rfc_7515_verifies() {
        let key = SecretKey::read(
            Some("a"),
            b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
                .to_vec(),
            SecretEncoding::Base64url,
        )
        .unwrap();
        let input = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let tag = crate::base64url::decode(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(key.verify(Algorithm::Hs256, input, &tag), Ok(()));
        assert_eq!(key.kid(), Some("a"));
        for place in 0..tag.len() {
            let mut bad = tag.clone();
            bad[place] ^= 1;
            let verdict = key.verify(Algorithm::Hs256, input, &bad);
            assert_eq!(verdict, Err(SignatureError::Invalid), "{place}");
        }
        for length in [0, 1, 16, 31] {
            let verdict = key.verify(Algorithm::Hs256, input, &tag[..length]);
            assert_eq!(verdict, Err(SignatureError::Malformed), "{length}");
        }
    }

    #[test]
    fn a_secret_is_as_long_as_the_hash_or_of_no_use() {
        let hmacs = [
            (Algorithm::Hs256, 32),
            (Algorithm::Hs384, 48),
            (Algorithm::Hs512, 64),
        ];
        for (algorithm, least) in hmacs {
            let (short, enough) = (secret(&vec![7; least - 1]), secret(&vec![7; least]));
            assert!(!short.allows(algorithm), "{algorithm}");
            assert!(enough.allows(algorithm), "{algorithm}");
            let verdict = short.verify(algorithm, b"", &vec![0; least]);
            assert_eq!(verdict, Err(SignatureError::KeyMismatch), "{algorithm}");
        }
    }

    #[test]
    fn a_secret_checks_nothing_but_hmacs() {
        let key = secret(&[7; 512]);
        for algorithm in Algorithm::ALL {
            assert_eq!(key.allows(algorithm), algorithm.is_symmetric());
            if !algorithm.is_symmetric() {
                let verdict = key.verify(algorithm, b"", &[0; 64]);
                assert_eq!(verdict, Err(SignatureError::KeyMismatch), "{algorithm}");
            }
        }
    }

    #[test]
    fn encodings_are_read_strictly() {
        let read = |text: &str, encoding| SecretKey::read(None, text.as_bytes().to_vec(), encoding);
        let bytes = vec![0xfb; 48];
        for (text, encoding) in [
            (fixture::encode(&bytes), SecretEncoding::Base64url),
            (STANDARD.encode(&bytes), SecretEncoding::Base64),
        ] {
            assert_eq!(*read(&text, encoding).unwrap().bytes, bytes);
            for spoilt in [format!("{text}\n"), format!(" {text}"), format!("{text}=")] {
                assert_eq!(
                    read(&spoilt, encoding).err(),
                    Some(SecretKeyError::Encoding),
                    "{spoilt:?}"
                );
            }
        }
        assert_eq!(
            read("+/+/", SecretEncoding::Base64url).err(),
            Some(SecretKeyError::Encoding)
        );
        assert_eq!(
            read(&"a".repeat(4097), SecretEncoding::Text).err(),
            Some(SecretKeyError::TooLong)
        );
        assert_eq!(
            read(&"a".repeat(8193), SecretEncoding::Base64).err(),
            Some(SecretKeyError::TooLong)
        );
    }

    /// RFC 5869 appendix A.1: pseudo-random key, info and the first block of what they expand to.
    #[test]
    fn keys_are_derived_as_rfc_5869_expands() {
        let hex = |text: &str| -> Vec<u8> {
            let digits = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16);
            let pairs = text.as_bytes().chunks(2);
            pairs.map(|pair| digits(pair).unwrap()).collect()
        };
        let prk = hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        // Its info is no text, so the block is made by hand.
        let info = hex("f0f1f2f3f4f5f6f7f8f9");
        let block = mac_of(&prk, &[&info, &[1]]).unwrap();
        assert_eq!(
            block.to_vec(),
            hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
        );
        let derived = secret(&prk).derive("a").unwrap();
        assert_eq!(*derived.bytes, mac_of(&prk, &[b"a", &[1]]).unwrap());
    }

    #[test]
    fn what_one_purpose_made_is_worth_nothing_for_another() {
        let key = secret(&[7; 32]);
        let (one, other) = (key.derive("one").unwrap(), key.derive("other").unwrap());
        let tag = one.mac(&[b"a", b"b"]).unwrap();
        assert!(one.has_made(&tag, &[b"ab"]));
        assert!(!one.has_made(&tag, &[b"ac"]));
        assert!(!one.has_made(&tag[..31], &[b"ab"]));
        assert!(!other.has_made(&tag, &[b"ab"]));
        assert_ne!(tag, mac_of(&[7; 32], &[b"ab"]).unwrap());
        assert!(secret(&[7; 31]).derive("one").is_err());
        assert!(!format!("{one:?}").contains('7'));
    }

    #[test]
    fn secrets_are_wiped_when_they_are_dropped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        let key = secret(&[7; 32]);
        wiped(&key.bytes);
        wiped(&key.derive("one").unwrap().bytes);
    }

    #[test]
    fn no_secret_is_printed() {
        let key = SecretKey::read(Some("kid"), vec![b'x'; 40], SecretEncoding::Text).unwrap();
        let shown = format!("{key:?}");
        assert!(shown.contains("kid") && !shown.contains("xx") && !shown.contains("120"));
    }
}
