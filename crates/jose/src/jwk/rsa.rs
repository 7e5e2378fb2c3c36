//! RSA keys (RFC 7518 section 6.3.1).

use serde_json::{Map, Value};

use super::{Parsed, octets};
use crate::error::SkipReason;
use crate::public_key::Material;
use crate::rsa_key::RsaKey;
use crate::spki;

/// Bits of an RSA modulus that we accept: below it is weak, above it a denial of service.
const MODULUS_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

pub(super) fn parse(jwk: &Map<String, Value>) -> Result<Parsed, SkipReason> {
    let (n_text, modulus) = unsigned(jwk, "n")?;
    let (e_text, exponent) = unsigned(jwk, "e")?;
    if exponent.len() > 4 || exponent.last().is_none_or(|low| low & 1 == 0) || exponent == [1] {
        return Err(SkipReason::ExponentUnacceptable);
    }
    // Before any arithmetic: the cost of preparing a modulus grows with its square.
    let bits = bit_length(&modulus);
    if !MODULUS_BITS.contains(&bits) {
        return Err(SkipReason::ModulusSize);
    }
    if modulus.last().is_none_or(|low| low & 1 == 0) {
        return Err(SkipReason::ModulusEven);
    }
    Ok(Parsed {
        material: Material::Rsa {
            key: RsaKey::new(&modulus, &exponent),
            bits: u16::try_from(bits).map_err(|_| SkipReason::ModulusSize)?,
        },
        spki: spki::rsa(&modulus, &exponent),
        canonical: format!(r#"{{"e":"{e_text}","kty":"RSA","n":"{n_text}"}}"#),
    })
}

/// A Base64urlUInt (RFC 7518 section 2): "the minimum number of octets needed to represent the value".
fn unsigned<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<(&'j str, Vec<u8>), SkipReason> {
    let (text, bytes) = octets(jwk, name)?;
    match bytes.first() {
        None | Some(0) => Err(SkipReason::MemberMalformed),
        Some(_) => Ok((text, bytes)),
    }
}

/// Bits of a big-endian number without leading zero bytes; `u32::MAX` for one beyond all bounds.
fn bit_length(magnitude: &[u8]) -> u32 {
    let bytes = u32::try_from(magnitude.len()).unwrap_or(u32::MAX);
    let unused = magnitude.first().map_or(0, |first| first.leading_zeros());
    bytes.saturating_mul(8).saturating_sub(unused)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, refusal};
    use super::*;
    #[cfg(feature = "more-algorithms")]
    use crate::Algorithm;
    use crate::KeyKind;
    use crate::fixture::{self, RSA_N};

    /// An RSA key whose modulus has this many bits; hygiene does not ask whether it is a product of two primes.
    fn rsa_of_bits(bits: usize, low: u8) -> String {
        let mut modulus = vec![0x5a; bits.div_ceil(8)];
        let top = u32::try_from(bits).unwrap().wrapping_sub(1);
        modulus[0] = 1_u8.rotate_left(top);
        *modulus.last_mut().unwrap() = low;
        format!(
            r#"{{"kty":"RSA","e":"AQAB","n":"{}"}}"#,
            fixture::encode(&modulus)
        )
    }

    #[test]
    fn rsa_moduli_are_between_2048_and_4096_bits() {
        for bits in [2048, 2049, 2056, 3072, 4095, 4096] {
            let key = parse(&rsa_of_bits(bits, 0xff)).unwrap();
            assert_eq!(
                key.kind(),
                KeyKind::Rsa {
                    bits: u16::try_from(bits).unwrap()
                }
            );
        }
        for bits in [8, 512, 1024, 2040, 2047, 4097, 4104, 8192, 65_536] {
            assert_eq!(
                refusal(&rsa_of_bits(bits, 0xff)),
                SkipReason::ModulusSize,
                "{bits}"
            );
        }
    }

    #[test]
    fn an_even_rsa_modulus_is_refused() {
        assert_eq!(refusal(&rsa_of_bits(2048, 0xfe)), SkipReason::ModulusEven);
    }

    #[test]
    fn rsa_exponents_are_odd_from_3_and_at_most_32_bits() {
        let with = |exponent: &[u8]| {
            let text = fixture::encode(exponent);
            parse(&format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"{text}"}}"#)).map(|_| ())
        };
        for exponent in [
            &[3][..],
            &[5],
            &[0x11],
            &[1, 0, 1],
            &[0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(with(exponent), Ok(()), "{exponent:?}");
        }
        for exponent in [
            &[1][..],
            &[2],
            &[4],
            &[1, 0, 0],
            &[1, 0, 0, 0, 1],
            &[0xff; 256],
        ] {
            assert_eq!(
                with(exponent),
                Err(SkipReason::ExponentUnacceptable),
                "{exponent:?}"
            );
        }
        for exponent in [&[][..], &[0], &[0, 1, 0, 1]] {
            assert_eq!(
                with(exponent),
                Err(SkipReason::MemberMalformed),
                "{exponent:?}"
            );
        }
    }

    /// A key for RSASSA-PKCS1-v1_5 with SHA-512 is for nothing else.
    #[cfg(feature = "more-algorithms")]
    #[test]
    fn an_rsa_key_with_alg_allows_that_alone() {
        let rsa = parse(&fixture::rsa(r#","alg":"RS512""#)).unwrap();
        for algorithm in Algorithm::ALL {
            assert_eq!(rsa.allows(algorithm), algorithm == Algorithm::Rs512);
        }
        let open = parse(&fixture::rsa("")).unwrap();
        let names: Vec<_> = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| open.allows(*algorithm))
            .map(Algorithm::name)
            .collect();
        assert_eq!(
            names,
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
        );
    }
}
