//! Tables change no verdict: random and hostile signatures through both verifiers; and tables stay within their bounds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: a failure should be loud"
)]

use base64ct::{Base64UrlUnpadded, Encoding as _};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar as EdwardsScalar;
use elliptic_curve::ops::Reduce as _;
use elliptic_curve::point::AffineCoordinates as _;
use elliptic_curve::{Field as _, Group as _, PrimeField as _};
use p256::{ProjectivePoint, Scalar};
use portcullis_jose::{
    Algorithm, KeySet, KeySetLimits, Precomputed, PublicKey, SignatureError, Software,
    Verifier as _,
};
use rsa::BoxedUint;
use sha2::{Digest as _, Sha256, Sha512};

/// Bytes that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for (index, chunk) in bytes.chunks_mut(32).enumerate() {
            let hash =
                Sha256::digest([self.0.to_le_bytes(), (index as u64).to_le_bytes()].concat());
            chunk.copy_from_slice(&hash[..chunk.len()]);
        }
        self.0 += 1;
        bytes
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(u64::from_le_bytes(self.bytes()) % end as u64).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn key(jwk: &str) -> PublicKey {
    let json = format!(r#"{{"keys":[{jwk}]}}"#);
    let set = KeySet::parse(json.as_bytes(), &KeySetLimits::default()).unwrap();
    assert!(set.skipped().is_empty(), "{:?}", set.skipped());
    PublicKey::clone(&set.keys()[0])
}

fn p256_key(point: &ProjectivePoint) -> PublicKey {
    let point = point.to_affine();
    let (x, y) = (text(&point.x()), text(&point.y()));
    key(&format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#
    ))
}

fn ed25519_key(point: &EdwardsPoint) -> PublicKey {
    let x = text(point.compress().as_bytes());
    key(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#))
}

/// The number from `seed` as a key, for tests that care for keys and not for signatures.
fn some_key(seed: u64) -> PublicKey {
    p256_key(&(ProjectivePoint::GENERATOR * Scalar::from(seed)))
}

fn finish(verifier: &Precomputed) {
    let mut before = None;
    for _ in 0..10_000 {
        verifier.advance();
        let state = Some(verifier.bytes());
        if state == before {
            break;
        }
        before = state;
    }
    (0..400).for_each(|_| verifier.advance());
}

/// A verifier that has this key's table.
fn with_table(key: &PublicKey) -> Precomputed {
    let verifier = Precomputed::default();
    verifier.prepare(key);
    finish(&verifier);
    assert!(verifier.has_table(key));
    verifier
}

/// What both say, which is the same.
#[track_caller]
fn agreed(
    tables: &Precomputed,
    key: &PublicKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let plain = Software.verify(key, algorithm, message, signature);
    let by_table = tables.verify(key, algorithm, message, signature);
    assert_eq!(by_table, plain, "{algorithm} {signature:02x?}");
    plain
}

/// Every signature that differs from `good` in one bit, cut short, or grown is judged alike; so is another message.
fn mutate(
    tables: &Precomputed,
    key: &PublicKey,
    algorithm: Algorithm,
    message: &[u8],
    good: &[u8],
    step: usize,
) {
    for bit in (0..good.len() * 8).step_by(step) {
        let mut bad = good.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(
            agreed(tables, key, algorithm, message, &bad).is_err(),
            "bit {bit}"
        );
    }
    for length in [0, 1, good.len() / 2, good.len() - 1] {
        assert!(agreed(tables, key, algorithm, message, &good[..length]).is_err());
    }
    assert!(agreed(tables, key, algorithm, message, &[good, &[0]].concat()).is_err());
    assert!(agreed(tables, key, algorithm, &[message, b"."].concat(), good).is_err());
}

mod es256 {
    use super::*;

    fn hash(message: &[u8]) -> Scalar {
        Scalar::reduce(&Sha256::digest(message))
    }

    /// `r || s` of a signature with this nonce.
    fn sign(secret: &Scalar, nonce: &Scalar, message: &[u8]) -> (Scalar, Scalar) {
        let point = (ProjectivePoint::GENERATOR * nonce).to_affine();
        let r = Scalar::reduce(&point.x());
        (r, nonce.invert().unwrap() * (hash(message) + r * secret))
    }

    fn join(r: &Scalar, s: &Scalar) -> Vec<u8> {
        [r.to_repr(), s.to_repr()].concat()
    }

    fn scalar(random: &mut Random) -> Scalar {
        Scalar::reduce(&p256::FieldBytes::from(random.bytes::<32>()))
    }

    #[test]
    fn random_keys_and_messages() {
        let mut random = Random(1);
        for round in 0..24 {
            let secret = scalar(&mut random);
            let key = p256_key(&(ProjectivePoint::GENERATOR * secret));
            let tables = with_table(&key);
            for _ in 0..4 {
                let message = random.bytes::<77>();
                let (r, s) = sign(&secret, &scalar(&mut random), &message);
                for s in [s, -s] {
                    let verdict = agreed(&tables, &key, Algorithm::Es256, &message, &join(&r, &s));
                    assert_eq!(verdict, Ok(()), "with s as with -s");
                }
                let noise = random.bytes::<64>();
                assert!(agreed(&tables, &key, Algorithm::Es256, &message, &noise).is_err());
            }
            if round == 0 {
                let (r, s) = sign(&secret, &scalar(&mut random), b"message");
                mutate(
                    &tables,
                    &key,
                    Algorithm::Es256,
                    b"message",
                    &join(&r, &s),
                    3,
                );
            }
        }
    }

    /// Keys that are small multiples of the base point, and nonces likewise: sums of equal and of opposite points, and the
    /// identity, come up in the middle and at the end.
    #[test]
    fn edge_scalars() {
        let edges = [
            Scalar::ONE,
            Scalar::from(2_u64),
            Scalar::from(3_u64),
            Scalar::from(1_u64 << 44),
            Scalar::from(u64::MAX),
            -Scalar::ONE,
            -Scalar::from(2_u64),
            Scalar::from(2_u64).invert().unwrap(),
        ];
        for secret in &edges {
            let key = p256_key(&(ProjectivePoint::GENERATOR * secret));
            let tables = with_table(&key);
            for nonce in &edges {
                let (r, s) = sign(secret, nonce, b"edge");
                if bool::from(s.is_zero()) {
                    continue;
                }
                let verdict = agreed(&tables, &key, Algorithm::Es256, b"edge", &join(&r, &s));
                assert_eq!(verdict, Ok(()));
            }
            for r in &edges {
                for s in &edges {
                    agreed(&tables, &key, Algorithm::Es256, b"edge", &join(r, s)).ok();
                }
            }
        }
    }

    /// `u1 G + u2 Q` is the identity when the hash is `-r d`: there is no x, whatever `r` says.
    #[test]
    fn the_identity_is_no_signature() {
        let r = hash(b"identity");
        let secret = -Scalar::ONE;
        let key = p256_key(&(ProjectivePoint::GENERATOR * secret));
        let tables = with_table(&key);
        for s in [Scalar::ONE, Scalar::from(77_u64)] {
            let verdict = agreed(&tables, &key, Algorithm::Es256, b"identity", &join(&r, &s));
            assert_eq!(verdict, Err(SignatureError::Invalid));
        }
    }

    /// An x between n and p stands for `r = x - n`: the key is chosen so that the sum is that point.
    #[test]
    fn an_x_beyond_the_order_is_reduced() {
        let (point, r) = (0_u64..)
            .find_map(|offset| {
                // n + offset, big-endian.
                let mut x = (-Scalar::ONE).to_repr();
                let low = u64::from_be_bytes(x[24..].try_into().unwrap()) + 1 + offset;
                x[24..].copy_from_slice(&low.to_be_bytes());
                let encoded = [&[2][..], x.as_slice()].concat();
                let point = p256::PublicKey::from_sec1_bytes(&encoded).ok()?;
                (offset > 0).then(|| (point.to_projective(), Scalar::from(offset)))
            })
            .unwrap();
        // R = (z G + r Q) / s with s = 1, so Q = (R - z G) / r.
        let s = Scalar::ONE;
        let key = (point - ProjectivePoint::GENERATOR * hash(b"beyond")) * r.invert().unwrap();
        assert!(!bool::from(key.is_identity()));
        let key = p256_key(&key);
        let tables = with_table(&key);
        let verdict = agreed(&tables, &key, Algorithm::Es256, b"beyond", &join(&r, &s));
        assert_eq!(verdict, Ok(()));
        let verdict = agreed(&tables, &key, Algorithm::Es256, b"beyonD", &join(&r, &s));
        assert_eq!(verdict, Err(SignatureError::Invalid));
    }

    #[test]
    fn r_and_s_out_of_range() {
        let key = p256_key(&ProjectivePoint::GENERATOR);
        let tables = with_table(&key);
        let (mut order, one) = ((-Scalar::ONE).to_repr(), Scalar::ONE.to_repr());
        order[31] += 1;
        let zero = p256::FieldBytes::default();
        let beyond = p256::FieldBytes::from([0xff; 32]);
        for (r, s) in [
            (zero, one),
            (one, zero),
            (zero, zero),
            (order, one),
            (one, order),
            (beyond, one),
            (one, beyond),
        ] {
            let verdict = agreed(&tables, &key, Algorithm::Es256, b"", &[r, s].concat());
            assert_eq!(verdict, Err(SignatureError::Malformed));
        }
    }
}

/// The same for the longer curves: random and hostile signatures, small and large scalars.
macro_rules! longer_curve {
    ($module:ident, $curve:ident, $name:literal, $algorithm:expr, $hash:ty, $seed:literal) => {
        mod $module {
            use $curve::{FieldBytes, ProjectivePoint, Scalar};

            use super::*;

            fn key_of(point: &ProjectivePoint) -> PublicKey {
                let point = point.to_affine();
                let (x, y) = (text(&point.x()), text(&point.y()));
                key(&format!(
                    r#"{{"kty":"EC","crv":"{}","x":"{x}","y":"{y}"}}"#,
                    $name
                ))
            }

            fn hash(message: &[u8]) -> Scalar {
                let digest = <$hash>::digest(message);
                let mut number = FieldBytes::default();
                let start = number.len() - digest.len();
                number[start..].copy_from_slice(&digest);
                Scalar::reduce(&number)
            }

            fn sign(secret: &Scalar, nonce: &Scalar, message: &[u8]) -> (Scalar, Scalar) {
                let point = (ProjectivePoint::GENERATOR * nonce).to_affine();
                let r = Scalar::reduce(&point.x());
                (r, nonce.invert().unwrap() * (hash(message) + r * secret))
            }

            fn join(r: &Scalar, s: &Scalar) -> Vec<u8> {
                [r.to_repr(), s.to_repr()].concat()
            }

            fn scalar(random: &mut Random) -> Scalar {
                let mut number = FieldBytes::default();
                let length = number.len();
                number.copy_from_slice(&random.bytes::<66>()[..length]);
                Scalar::reduce(&number)
            }

            #[test]
            fn random_keys_and_messages() {
                let mut random = Random($seed);
                for round in 0..6 {
                    let secret = scalar(&mut random);
                    let key = key_of(&(ProjectivePoint::GENERATOR * secret));
                    let tables = with_table(&key);
                    for _ in 0..3 {
                        let message = random.bytes::<77>();
                        let (r, s) = sign(&secret, &scalar(&mut random), &message);
                        for s in [s, -s] {
                            let good = join(&r, &s);
                            let verdict = agreed(&tables, &key, $algorithm, &message, &good);
                            assert_eq!(verdict, Ok(()), "with s as with -s");
                        }
                        let noise = join(&scalar(&mut random), &scalar(&mut random));
                        assert!(agreed(&tables, &key, $algorithm, &message, &noise).is_err());
                    }
                    if round == 0 {
                        let (r, s) = sign(&secret, &scalar(&mut random), b"message");
                        mutate(&tables, &key, $algorithm, b"message", &join(&r, &s), 41);
                    }
                }
            }

            #[test]
            fn edge_scalars() {
                let edges = [
                    Scalar::ONE,
                    Scalar::from(2_u64),
                    Scalar::from(u64::MAX),
                    -Scalar::ONE,
                    Scalar::from(2_u64).invert().unwrap(),
                ];
                for secret in &edges {
                    let key = key_of(&(ProjectivePoint::GENERATOR * secret));
                    let tables = with_table(&key);
                    for nonce in &edges {
                        let (r, s) = sign(secret, nonce, b"edge");
                        if !bool::from(s.is_zero()) {
                            let good = join(&r, &s);
                            let verdict = agreed(&tables, &key, $algorithm, b"edge", &good);
                            assert_eq!(verdict, Ok(()));
                        }
                    }
                    for r in &edges {
                        agreed(&tables, &key, $algorithm, b"edge", &join(r, &edges[1])).ok();
                    }
                }
            }

            #[test]
            fn the_identity_and_numbers_out_of_range_are_no_signature() {
                let r = hash(b"identity");
                let key = key_of(&-ProjectivePoint::GENERATOR);
                let tables = with_table(&key);
                let good = join(&r, &Scalar::ONE);
                let verdict = agreed(&tables, &key, $algorithm, b"identity", &good);
                assert_eq!(verdict, Err(SignatureError::Invalid));
                let half = good.len() / 2;
                for fill in [0_u8, 0xff] {
                    for range in [0..half, half..good.len()] {
                        let mut bad = good.clone();
                        bad[range].fill(fill);
                        let verdict = agreed(&tables, &key, $algorithm, b"identity", &bad);
                        assert_eq!(verdict, Err(SignatureError::Malformed));
                    }
                }
            }
        }
    };
}

longer_curve!(es384, p384, "P-384", Algorithm::Es384, sha2::Sha384, 3);
longer_curve!(es512, p521, "P-521", Algorithm::Es512, sha2::Sha512, 4);

mod ed25519 {
    use super::*;

    /// `R || s` with `s` as it comes out for this nonce point and the secret behind `key`.
    fn sign(
        secret: &EdwardsScalar,
        key: &[u8; 32],
        nonce: &EdwardsScalar,
        r: &[u8; 32],
        message: &[u8],
    ) -> [u8; 64] {
        let s = nonce + challenge(r, key, message) * secret;
        join(r, s.as_bytes())
    }

    fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> EdwardsScalar {
        let hash = Sha512::digest([r.as_slice(), key, message].concat());
        EdwardsScalar::from_bytes_mod_order_wide(&hash.into())
    }

    fn join(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
        [*r, *s].concat().try_into().unwrap()
    }

    fn scalar(random: &mut Random) -> EdwardsScalar {
        EdwardsScalar::from_bytes_mod_order_wide(&random.bytes())
    }

    #[test]
    fn random_keys_and_messages() {
        let mut random = Random(2);
        for round in 0..24 {
            let secret = scalar(&mut random);
            let point = ED25519_BASEPOINT_POINT * secret;
            let (key, encoded) = (ed25519_key(&point), point.compress().to_bytes());
            let tables = with_table(&key);
            for _ in 0..6 {
                let message = random.bytes::<99>();
                let nonce = scalar(&mut random);
                let r = (ED25519_BASEPOINT_POINT * nonce).compress().to_bytes();
                let good = sign(&secret, &encoded, &nonce, &r, &message);
                for algorithm in [Algorithm::EdDsa, Algorithm::Ed25519] {
                    assert_eq!(agreed(&tables, &key, algorithm, &message, &good), Ok(()));
                }
                let noise = random.bytes::<64>();
                assert!(agreed(&tables, &key, Algorithm::EdDsa, &message, &noise).is_err());
                if round == 0 {
                    mutate(&tables, &key, Algorithm::EdDsa, &message, &good, 5);
                }
            }
        }
    }

    #[test]
    fn edge_scalars() {
        let edges = [
            EdwardsScalar::ONE,
            EdwardsScalar::from(2_u8),
            -EdwardsScalar::ONE,
            -EdwardsScalar::from(2_u8),
            EdwardsScalar::from(1_u64 << 63),
        ];
        for secret in &edges {
            let point = ED25519_BASEPOINT_POINT * secret;
            let (key, encoded) = (ed25519_key(&point), point.compress().to_bytes());
            let tables = with_table(&key);
            for nonce in &edges {
                let r = (ED25519_BASEPOINT_POINT * nonce).compress().to_bytes();
                let good = sign(secret, &encoded, nonce, &r, b"edge");
                assert_eq!(
                    agreed(&tables, &key, Algorithm::EdDsa, b"edge", &good),
                    Ok(())
                );
                for s in [EdwardsScalar::ZERO, EdwardsScalar::ONE, -EdwardsScalar::ONE] {
                    let bad = join(&r, s.as_bytes());
                    assert!(agreed(&tables, &key, Algorithm::EdDsa, b"edge", &bad).is_err());
                }
            }
        }
    }

    /// Signatures that the equation holds for and whose R is of small order, canonical and not.
    #[test]
    fn r_of_small_order_is_refused() {
        let secret = EdwardsScalar::from(7_u8);
        // Keys with a part of small order, too: then the equation can hold for each of these R.
        for torsion in EIGHT_TORSION {
            let point = ED25519_BASEPOINT_POINT * secret + torsion;
            let (key, encoded) = (ed25519_key(&point), point.compress().to_bytes());
            let tables = with_table(&key);
            let mut held = 0;
            for r in EIGHT_TORSION {
                let r = r.compress().to_bytes();
                for round in 0..16_u8 {
                    let message = [b's', round];
                    let signature = sign(&secret, &encoded, &EdwardsScalar::ZERO, &r, &message);
                    let k = challenge(&r, &encoded, &message);
                    let s =
                        EdwardsScalar::from_bytes_mod_order(signature[32..].try_into().unwrap());
                    held += usize::from(
                        (ED25519_BASEPOINT_POINT * s - point * k)
                            .compress()
                            .to_bytes()
                            == r,
                    );
                    let verdict = agreed(&tables, &key, Algorithm::EdDsa, &message, &signature);
                    assert_eq!(verdict, Err(SignatureError::Invalid));
                }
            }
            assert!(
                held > 0,
                "the case is worth nothing if the equation never holds"
            );
        }
    }

    /// Keys outside of the prime-order subgroup are used (RFC 8032 does not forbid them): the challenge is an integer there,
    /// not a class modulo the order.
    #[test]
    fn keys_with_a_part_of_small_order() {
        let mut random = Random(3);
        let secret = scalar(&mut random);
        let (mut good, mut bad) = (0, 0);
        for torsion in EIGHT_TORSION {
            let point = ED25519_BASEPOINT_POINT * secret + torsion;
            let (key, encoded) = (ed25519_key(&point), point.compress().to_bytes());
            let tables = with_table(&key);
            for _ in 0..24 {
                let message = random.bytes::<16>();
                let nonce = scalar(&mut random);
                let r = (ED25519_BASEPOINT_POINT * nonce).compress().to_bytes();
                let signature = sign(&secret, &encoded, &nonce, &r, &message);
                match agreed(&tables, &key, Algorithm::EdDsa, &message, &signature) {
                    Ok(()) => good += 1,
                    Err(_) => bad += 1,
                }
            }
        }
        // Without cofactor: good when the challenge is a multiple of the order of the key's small part.
        assert!(good > 40 && bad > 80, "{good} good, {bad} bad");
    }

    #[test]
    fn non_canonical_r_and_s_are_refused() {
        let secret = EdwardsScalar::from(7_u8);
        let point = ED25519_BASEPOINT_POINT * secret;
        let (key, encoded) = (ed25519_key(&point), point.compress().to_bytes());
        let tables = with_table(&key);
        // y = 1 + p and y = p, with both signs; the identity with the sign of a negative zero.
        let (mut high, mut zero, mut one) = ([0xff_u8; 32], [0xff_u8; 32], [0_u8; 32]);
        (high[0], zero[0], one[0]) = (0xee, 0xed, 1);
        for sign_bit in [0, 0x80] {
            for mut r in [high, zero, one] {
                r[31] = (r[31] & 0x7f) | sign_bit;
                let signature = sign(&secret, &encoded, &EdwardsScalar::ZERO, &r, b"m");
                let verdict = agreed(&tables, &key, Algorithm::EdDsa, b"m", &signature);
                assert_eq!(verdict, Err(SignatureError::Invalid));
            }
        }
        let nonce = EdwardsScalar::from(9_u8);
        let r = (ED25519_BASEPOINT_POINT * nonce).compress().to_bytes();
        let good = sign(&secret, &encoded, &nonce, &r, b"m");
        assert_eq!(agreed(&tables, &key, Algorithm::EdDsa, b"m", &good), Ok(()));
        // s + L, 2 L, …: as long as it fits into 32 bytes.
        let order = (-EdwardsScalar::ONE).to_bytes();
        let mut s: [u8; 32] = good[32..].try_into().unwrap();
        for _ in 0..14 {
            let mut carry = 1;
            for (byte, addend) in s.iter_mut().zip(order) {
                let sum = u16::from(*byte) + u16::from(addend) + carry;
                *byte = (sum & 0xff) as u8;
                carry = sum >> 8;
            }
            let verdict = agreed(&tables, &key, Algorithm::EdDsa, b"m", &join(&r, &s));
            assert_eq!(verdict, Err(SignatureError::Invalid));
        }
        let verdict = agreed(
            &tables,
            &key,
            Algorithm::EdDsa,
            b"m",
            &join(&r, &[0xff; 32]),
        );
        assert_eq!(verdict, Err(SignatureError::Invalid));
    }
}

mod rs256 {
    use super::*;

    const RSA: [Algorithm; 6] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ];

    /// What a good signature's power is.
    fn encoded(message: &[u8], length: usize) -> Vec<u8> {
        let info = [
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            0x01, 0x05, 0, 4, 32,
        ];
        let mut all = vec![0xff; length - 52];
        (all[0], all[1]) = (0, 1);
        all.push(0);
        all.extend(info);
        all.extend(Sha256::digest(message));
        all
    }

    fn rsa_key(modulus: &[u8], exponent: &[u8]) -> PublicKey {
        let (n, e) = (text(modulus), text(exponent));
        key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#))
    }

    #[test]
    fn noise_under_moduli_and_exponents_of_all_sizes() {
        let mut random = Random(4);
        let tables = Precomputed::default();
        for bits in [2048, 2049, 2056, 2047 + 64, 3072, 4095, 4096_usize] {
            let length = bits.div_ceil(8);
            let mut modulus = random.bytes::<512>()[..length].to_vec();
            modulus[0] = (modulus[0] | 0x80) >> (length * 8 - bits);
            modulus[length - 1] |= 1;
            for exponent in [
                &[3][..],
                &[5],
                &[0x11],
                &[1, 0, 1],
                &[0xff, 0xff, 0xff, 0xff],
            ] {
                let key = rsa_key(&modulus, exponent);
                let noise = random.bytes::<512>();
                for signature in [
                    noise[..length].to_vec(),
                    vec![0; length],
                    vec![0xff; length],
                    modulus.clone(),
                    [&vec![0; length - 1][..], &[1]].concat(),
                    encoded(b"m", length),
                    noise[..length - 1].to_vec(),
                    [&noise[..length], &[0]].concat(),
                ] {
                    for algorithm in RSA {
                        assert!(agreed(&tables, &key, algorithm, b"m", &signature).is_err());
                    }
                }
                assert!(!tables.has_table(&key));
            }
        }
    }

    /// With the modulus `s^e - EM`, `s` is a good signature: a way to good ones for any small exponent that needs no primes.
    /// Then every bit of the encoding counts.
    #[test]
    fn forged_moduli_make_good_signatures_for_every_exponent() {
        let mut random = Random(5);
        let tables = Precomputed::default();
        let wide = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 4096).unwrap();
        for exponent in [3_u8, 5, 17] {
            let mut good = 0;
            while good < 6 {
                // A little below 2^(4080 / e), so that the power has 510 bytes.
                let mut s = random.bytes::<170>();
                let length = 510 / usize::from(exponent);
                s[0] |= 0xc0;
                let s = wide(&s[..length]);
                let power = (1..exponent).fold(s.clone(), |power, _| power.wrapping_mul(&s));
                let modulus = power.wrapping_sub(wide(&encoded(b"m", 510))).to_be_bytes();
                let modulus = &modulus[2..];
                if modulus[0] == 0 || modulus[509] & 1 == 0 {
                    continue;
                }
                let key = rsa_key(modulus, &[exponent]);
                let signature = &s.to_be_bytes()[2..];
                let verdict = agreed(&tables, &key, Algorithm::Rs256, b"m", signature);
                assert_eq!(verdict, Ok(()), "e = {exponent}");
                mutate(&tables, &key, Algorithm::Rs256, b"m", signature, 401);
                good += 1;
            }
        }
    }

    /// As above, but what the power is equal to is almost the encoding: one byte of it is wrong, anywhere.
    #[test]
    fn an_encoding_with_one_wrong_byte_is_refused() {
        let mut random = Random(6);
        let tables = Precomputed::default();
        let wide = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 4096).unwrap();
        // With an even encoding: the difference of an odd power and it is odd, as a modulus must be.
        let message = (b'a'..=b'z')
            .find(|message| encoded(&[*message], 510)[509] & 1 == 0)
            .map(|message| [message])
            .unwrap();
        let mut tried = 0;
        for place in (0..510).step_by(7).chain(440..510) {
            let mut s = random.bytes::<170>();
            (s[0], s[169]) = (s[0] | 0xc0, s[169] | 1);
            let s = wide(&s);
            let mut encoding = encoded(&message, 510);
            encoding[place] ^= if place == 0 { 1 } else { 0x10 };
            let power = s.wrapping_mul(&s).wrapping_mul(&s);
            let modulus = power.wrapping_sub(wide(&encoding)).to_be_bytes();
            if modulus[2] == 0 {
                continue;
            }
            let key = rsa_key(&modulus[2..], &[3]);
            let signature = &s.to_be_bytes()[2..];
            let verdict = agreed(&tables, &key, Algorithm::Rs256, &message, signature);
            assert_eq!(verdict, Err(SignatureError::Invalid), "byte {place}");
            tried += 1;
        }
        assert!(tried > 100);
    }
}

/// By moduli that are forged as above, so that any encoding can be had as the power of a signature.
mod pss {
    use sha2::{Sha384, Sha512};

    use super::*;

    const HASHES: [(Algorithm, usize); 3] = [
        (Algorithm::Ps256, 32),
        (Algorithm::Ps384, 48),
        (Algorithm::Ps512, 64),
    ];

    fn hash(length: usize, message: &[u8]) -> Vec<u8> {
        match length {
            32 => Sha256::digest(message).to_vec(),
            48 => Sha384::digest(message).to_vec(),
            _ => Sha512::digest(message).to_vec(),
        }
    }

    /// EMSA-PSS-ENCODE (RFC 8017 section 9.1.1), before the mask where `spoil` may change the block.
    fn encoded(bits: usize, length: usize, salt: &[u8], spoil: impl Fn(&mut [u8])) -> Vec<u8> {
        let whole = bits.div_ceil(8);
        let own = hash(length, &[&[0; 8], &hash(length, b"m")[..], salt].concat());
        let mut block = vec![0; whole - length - 1];
        let one = block.len() - salt.len() - 1;
        block[one] = 1;
        block[one + 1..].copy_from_slice(salt);
        spoil(&mut block);
        let mask: Vec<u8> = (0_u32..)
            .flat_map(|counter| hash(length, &[&own[..], &counter.to_be_bytes()].concat()))
            .take(block.len())
            .collect();
        for (byte, mask) in block.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        block[0] &= 0xff >> (whole * 8 - bits);
        [block, own, vec![0xbc]].concat()
    }

    /// A key and a signature of it whose power is `encoding`. The modulus has `bits` bits; `None` where none was found.
    fn forge(random: &mut Random, bits: usize, encoding: &[u8]) -> Option<(PublicKey, Vec<u8>)> {
        let wide = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 4096).unwrap();
        let length = bits.div_ceil(8);
        (0..100).find_map(|_| {
            let mut s = random.bytes::<171>();
            // The cube has 4080 bits, or 4081, and is large enough to stay so.
            (s[0], s[1]) = if bits == 4081 {
                (1, 0x3c | s[1] & 3)
            } else {
                (0, s[1] | 0xfc)
            };
            s[170] = s[170] & 0xfe | (1 ^ encoding.last().unwrap() & 1);
            let s = wide(&s);
            let power = s.wrapping_mul(&s).wrapping_mul(&s);
            let modulus = power.wrapping_sub(wide(encoding));
            if usize::try_from(modulus.bits_vartime()).unwrap() != bits {
                return None;
            }
            let (n, s) = (modulus.to_be_bytes(), s.to_be_bytes());
            let n = text(&n[n.len() - length..]);
            let key = key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"Aw"}}"#));
            Some((key, s[s.len() - length..].to_vec()))
        })
    }

    /// What both say of a signature with this encoding, for one of the salts.
    fn verdict(
        random: &mut Random,
        (algorithm, bits): (Algorithm, usize),
        encode: impl Fn(&[u8]) -> Vec<u8>,
    ) -> (Result<(), SignatureError>, PublicKey, Vec<u8>) {
        loop {
            let salt = random.bytes::<64>();
            let Some((key, signature)) = forge(random, bits, &encode(&salt)) else {
                continue;
            };
            let tables = Precomputed::default();
            let verdict = agreed(&tables, &key, algorithm, b"m", &signature);
            return (verdict, key, signature);
        }
    }

    #[test]
    fn encodings_under_moduli_of_both_lengths() {
        let mut random = Random(8);
        for bits in [4080, 4081] {
            for (algorithm, length) in HASHES {
                let what = (algorithm, bits);
                let plain = |salt: &[u8]| encoded(bits - 1, length, &salt[..length], |_| ());
                let (good, key, signature) = verdict(&mut random, what, plain);
                assert_eq!(good, Ok(()), "{algorithm} {bits}");
                let tables = Precomputed::default();
                mutate(&tables, &key, algorithm, b"m", &signature, 401);
                for (other, _) in HASHES {
                    let verdict = agreed(&tables, &key, other, b"m", &signature);
                    assert_eq!(verdict.is_ok(), other == algorithm, "{other}");
                }
                let refused = Err(SignatureError::Invalid);
                // RFC 7518 section 3.5: no salt of another length, which plain PSS would take.
                for other in [1, 20, length - 1] {
                    let short = |salt: &[u8]| encoded(bits - 1, length, &salt[..other], |_| ());
                    assert_eq!(
                        verdict(&mut random, what, short).0,
                        refused,
                        "salt of {other}"
                    );
                }
                let block = bits.div_ceil(8) - length - 2;
                let one = block - length - 1;
                for place in [1, one / 2, one - 1, one] {
                    let spoilt = |salt: &[u8]| {
                        encoded(bits - 1, length, &salt[..length], |block| {
                            block[place] ^= 0x10
                        })
                    };
                    assert_eq!(
                        verdict(&mut random, what, spoilt).0,
                        refused,
                        "byte {place}"
                    );
                }
                let trailer = |salt: &[u8]| {
                    let mut encoding = plain(salt);
                    *encoding.last_mut().unwrap() = 0xcc;
                    encoding
                };
                assert_eq!(
                    verdict(&mut random, what, trailer).0,
                    refused,
                    "another trailer"
                );
            }
        }
    }
}

mod bounds {
    use super::*;

    /// Bytes of one P-256 key's table, and of the base point's.
    fn sizes() -> (usize, usize) {
        let verifier = Precomputed::default();
        verifier.prepare(&some_key(1));
        let both = verifier.bytes();
        verifier.prepare(&some_key(2));
        let one = verifier.bytes() - both;
        (one, both - one)
    }

    /// A signature that `some_key(seed)` made.
    fn signature(seed: u64) -> Vec<u8> {
        let r = Scalar::reduce(&ProjectivePoint::GENERATOR.to_affine().x());
        let s = Scalar::reduce(&Sha256::digest(b"m")) + r * Scalar::from(seed);
        [r.to_repr(), s.to_repr()].concat()
    }

    fn use_key(verifier: &Precomputed, seed: u64) {
        let verdict = verifier.verify(&some_key(seed), Algorithm::Es256, b"m", &signature(seed));
        assert_eq!(verdict, Ok(()));
    }

    fn base_point_jwk<C: primeorder::PrimeCurveParams>(crv: &str) -> String {
        let point = primeorder::ProjectivePoint::<C>::GENERATOR.to_affine();
        let (x, y) = (text(&point.x()), text(&point.y()));
        format!(r#"{{"kty":"EC","crv":"{crv}","x":"{x}","y":"{y}"}}"#)
    }

    #[test]
    fn sizes_are_as_documented() {
        let (key, base) = sizes();
        assert!((8 << 10..=11 << 10).contains(&key), "{key}");
        assert!((32 << 10..=38 << 10).contains(&base), "{base}");
        for (jwk, both) in [
            (base_point_jwk::<p384::NistP384>("P-384"), 62..=70),
            (base_point_jwk::<p521::NistP521>("P-521"), 52..=58),
        ] {
            let verifier = Precomputed::default();
            verifier.prepare(&super::key(&jwk));
            let kib = verifier.bytes() >> 10;
            assert!(both.contains(&kib), "{jwk}: {kib} KiB");
        }
        let verifier = Precomputed::default();
        verifier.prepare(&ed25519_key(&ED25519_BASEPOINT_POINT));
        assert!(
            (158 << 10..=164 << 10).contains(&verifier.bytes()),
            "{}",
            verifier.bytes()
        );
    }

    #[test]
    fn nothing_is_made_before_there_is_time() {
        let verifier = Precomputed::default();
        verifier.prepare(&some_key(1));
        assert!(!verifier.has_table(&some_key(1)));
        use_key(&verifier, 1);
        assert!(!verifier.has_table(&some_key(1)));
        verifier.advance();
        assert!(
            !verifier.has_table(&some_key(1)),
            "more than a millisecond's work"
        );
        finish(&verifier);
        assert!(verifier.has_table(&some_key(1)));
        use_key(&verifier, 1);
    }

    #[test]
    fn a_key_announced_twice_has_one_table() {
        let verifier = Precomputed::default();
        verifier.prepare(&some_key(1));
        let bytes = verifier.bytes();
        verifier.prepare(&some_key(1));
        assert_eq!(verifier.bytes(), bytes);
        finish(&verifier);
        verifier.prepare(&some_key(1));
        assert_eq!(verifier.bytes(), bytes);
    }

    #[test]
    fn tables_stop_at_the_limit() {
        let (one, base) = sizes();
        let limit = base + 3 * one + one / 2;
        let verifier = Precomputed::with_limit(limit);
        for seed in 1..=10 {
            verifier.prepare(&some_key(seed));
            assert!(verifier.bytes() <= limit);
        }
        finish(&verifier);
        assert_eq!(verifier.bytes(), base + 3 * one);
        let have: Vec<u64> = (1..=10)
            .filter(|seed| verifier.has_table(&some_key(*seed)))
            .collect();
        assert_eq!(have, [1, 2, 3], "who came first");
        for seed in 1..=10 {
            use_key(&verifier, seed);
        }
    }

    #[test]
    fn without_room_there_are_no_tables_and_the_same_verdicts() {
        let verifier = Precomputed::with_limit(0);
        verifier.prepare(&some_key(1));
        finish(&verifier);
        assert!(!verifier.has_table(&some_key(1)));
        assert_eq!(verifier.bytes(), 0);
        for _ in 0..200 {
            use_key(&verifier, 1);
        }
        assert_eq!(verifier.bytes(), 0);
    }

    #[test]
    fn a_forgotten_key_frees_its_room() {
        let (one, base) = sizes();
        let verifier = Precomputed::with_limit(base + 2 * one);
        verifier.prepare(&some_key(1));
        verifier.prepare(&some_key(2));
        verifier.forget(&some_key(2));
        finish(&verifier);
        assert!(!verifier.has_table(&some_key(2)), "not even made");
        verifier.forget(&some_key(1));
        assert!(!verifier.has_table(&some_key(1)));
        assert_eq!(verifier.bytes(), base);
        use_key(&verifier, 1);
        finish(&verifier);
        assert!(verifier.has_table(&some_key(1)), "planned again by its use");
    }

    #[test]
    fn the_table_used_longest_ago_makes_room() {
        let (one, base) = sizes();
        let verifier = Precomputed::with_limit(base + 3 * one);
        for seed in 1..=3 {
            verifier.prepare(&some_key(seed));
        }
        finish(&verifier);
        for seed in [2, 3, 1, 3] {
            use_key(&verifier, seed);
        }
        for _ in 0..64 {
            use_key(&verifier, 4);
        }
        assert!(verifier.bytes() <= base + 3 * one);
        finish(&verifier);
        let have: Vec<u64> = (1..=4)
            .filter(|seed| verifier.has_table(&some_key(*seed)))
            .collect();
        assert_eq!(have, [1, 3, 4]);
    }

    /// A key's table is of no use without the base's, and room that cannot be made is not made.
    #[test]
    fn where_both_tables_do_not_fit_there_is_neither() {
        let (one, base) = sizes();
        let verifier = Precomputed::with_limit(base + one - 1);
        verifier.prepare(&some_key(1));
        for _ in 0..200 {
            use_key(&verifier, 1);
        }
        finish(&verifier);
        assert_eq!(verifier.bytes(), 0);
        assert!(!verifier.has_table(&some_key(1)));
    }

    /// Forged tokens move no table: neither do they keep one, nor do they get one.
    #[test]
    fn bad_signatures_count_for_nothing() {
        let (one, base) = sizes();
        let verifier = Precomputed::with_limit(base + 2 * one);
        verifier.prepare(&some_key(1));
        verifier.prepare(&some_key(2));
        finish(&verifier);
        use_key(&verifier, 1);
        use_key(&verifier, 2);
        for seed in [1, 3] {
            for _ in 0..300 {
                let verdict = verifier.verify(
                    &some_key(seed),
                    Algorithm::Es256,
                    b"other",
                    &signature(seed),
                );
                assert_eq!(verdict, Err(SignatureError::Invalid));
            }
        }
        finish(&verifier);
        assert!(!verifier.has_table(&some_key(3)));
        for _ in 0..64 {
            use_key(&verifier, 4);
        }
        finish(&verifier);
        assert!(verifier.has_table(&some_key(2)) && !verifier.has_table(&some_key(1)));
    }

    /// More keys than fit, each as often as the others: hardly any table is made.
    #[test]
    fn keys_that_take_turns_do_not_push_each_other_out() {
        let (one, base) = sizes();
        let verifier = Precomputed::with_limit(base + 4 * one);
        let mut made = 0;
        let mut had = [false; 12];
        for _ in 0..30 {
            for seed in 0..12_u64 {
                use_key(&verifier, seed + 1);
                finish(&verifier);
            }
            for (seed, had) in had.iter_mut().enumerate() {
                let has = verifier.has_table(&some_key(seed as u64 + 1));
                made += usize::from(has && !*had);
                *had = has;
            }
        }
        // 360 verifications, a third of them with tables at best: 4 tables at first and one for every 64 misses.
        assert!((4..=4 + 360 / 64).contains(&made), "{made}");
    }

    /// Each key has a table of its own, whatever it is called.
    #[test]
    fn a_table_belongs_to_its_key() {
        let verifier = Precomputed::default();
        let points = [
            ED25519_BASEPOINT_POINT,
            ED25519_BASEPOINT_POINT * EdwardsScalar::from(2_u8),
        ];
        for seed in 1..=4 {
            verifier.prepare(&some_key(seed));
        }
        for point in &points {
            verifier.prepare(&ed25519_key(point));
        }
        finish(&verifier);
        for seed in 1..=4 {
            assert!(verifier.has_table(&some_key(seed)));
            for by in 1..=4 {
                let verdict =
                    verifier.verify(&some_key(seed), Algorithm::Es256, b"m", &signature(by));
                assert_eq!(verdict.is_ok(), by == seed, "{by} for {seed}");
            }
        }
        for point in &points {
            assert!(verifier.has_table(&ed25519_key(point)));
        }
    }

    #[test]
    fn a_noise_of_seeds_stays_within_the_limit() {
        let (one, base) = sizes();
        let limit = base + 5 * one;
        let verifier = Precomputed::with_limit(limit);
        let mut random = Random(6);
        for _ in 0..600 {
            let seed = random.below(9) as u64 + 1;
            match random.below(10) {
                0 => verifier.prepare(&some_key(seed)),
                1 => verifier.forget(&some_key(seed)),
                2..5 => verifier.advance(),
                _ => use_key(&verifier, seed),
            }
            assert!(verifier.bytes() <= limit);
        }
        for seed in 1..=9 {
            verifier.forget(&some_key(seed));
        }
        assert!(verifier.bytes() <= base, "nothing is lost");
    }
}
