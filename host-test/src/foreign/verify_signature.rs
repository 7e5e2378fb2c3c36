//! Envoy's `verify_signature`: RSA with PKCS#1 v1.5 padding, ECDSA with signatures in DER.
//!
//! Arguments `hash_function = 1 string, public_key = 2 bytes, signature = 3 bytes, text = 4 bytes, public_key_pem = 5
//! string`; result `result = 1 bool, error = 2 string`. Errors read as in Envoy 1.40.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use super::ForeignError;
use super::public_key::{self, PublicKey};
use super::wire;

/// About what 50 µs of a guest's own work would take.
pub(super) const FUEL: u64 = 100_000;

/// The message `VerifySignatureArguments`. Of a field that comes twice the last counts, as protobuf has it.
#[derive(Default)]
struct Arguments<'m> {
    hash: &'m str,
    public_key: &'m [u8],
    signature: &'m [u8],
    text: &'m [u8],
    public_key_pem: &'m str,
}

impl<'m> Arguments<'m> {
    fn read(message: &'m [u8]) -> Option<Self> {
        let mut arguments = Self::default();
        for field in wire::fields(message)? {
            // A number where bytes belong is an unknown field, and passed over.
            let Some(bytes) = field.bytes else { continue };
            match field.number {
                1 => arguments.hash = std::str::from_utf8(bytes).ok()?,
                2 => arguments.public_key = bytes,
                3 => arguments.signature = bytes,
                4 => arguments.text = bytes,
                5 => arguments.public_key_pem = std::str::from_utf8(bytes).ok()?,
                _ => {}
            }
        }
        Some(arguments)
    }
}

/// Runs it.
pub(super) fn run(arguments: &[u8]) -> Result<Vec<u8>, ForeignError> {
    let arguments = Arguments::read(arguments).ok_or(ForeignError::BadArgument)?;
    let from_pem;
    let der = match (arguments.public_key, arguments.public_key_pem) {
        (der, "") if !der.is_empty() => der,
        ([], pem) if !pem.is_empty() => {
            from_pem = public_key::der_of_pem(pem).ok_or(ForeignError::BadArgument)?;
            &from_pem
        }
        // None, or both.
        _ => return Err(ForeignError::BadArgument),
    };
    let key = public_key::read(der).ok_or(ForeignError::BadArgument)?;
    let mut result = Vec::new();
    match verify(&key, &arguments) {
        // Field 1, a number: one.
        Ok(()) => result.extend([0x08, 1]),
        Err(error) => wire::put_bytes(&mut result, 2, error.as_bytes()),
    }
    Ok(result)
}

fn verify(key: &PublicKey<'_>, arguments: &Arguments<'_>) -> Result<(), String> {
    // The library has no combination that is missing in these tables.
    let beyond = |what: &str| Err(format!("host-test does not offer {what}"));
    let hash = arguments.hash.to_ascii_lowercase();
    let known = ["sha1", "sha224", "sha256", "sha384", "sha512"];
    if !known.contains(&&*hash) {
        return Err(format!("{} is not supported.", arguments.hash));
    }
    let wrong = || "Failed to verify digest. Error code: 0".to_owned();
    let (algorithm, key): (&dyn VerificationAlgorithm, &[u8]) = match (key, &*hash) {
        (PublicKey::P521(key), "sha512") => {
            return verify_p521(key, arguments).ok_or_else(wrong);
        }
        (PublicKey::WithoutHash, _) => {
            return Err("Failed to initialize digest verify.".to_owned());
        }
        (PublicKey::Rsa(key), "sha1") => (
            &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            key,
        ),
        (PublicKey::Rsa(key), "sha256") => (
            &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            key,
        ),
        (PublicKey::Rsa(key), "sha384") => (&signature::RSA_PKCS1_2048_8192_SHA384, key),
        (PublicKey::Rsa(key), "sha512") => (
            &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
            key,
        ),
        (PublicKey::P256(key), "sha256") => (&signature::ECDSA_P256_SHA256_ASN1, key),
        (PublicKey::P256(key), "sha384") => (&signature::ECDSA_P256_SHA384_ASN1, key),
        (PublicKey::P384(key), "sha256") => (&signature::ECDSA_P384_SHA256_ASN1, key),
        (PublicKey::P384(key), "sha384") => (&signature::ECDSA_P384_SHA384_ASN1, key),
        (
            PublicKey::Rsa(_) | PublicKey::P256(_) | PublicKey::P384(_) | PublicKey::P521(_),
            hash,
        ) => {
            return beyond(&format!("{hash} with this type of key"));
        }
        (PublicKey::Beyond(curve), _) => return beyond(curve),
    };
    UnparsedPublicKey::new(algorithm, key)
        .verify(arguments.text, arguments.signature)
        .map_err(|_| wrong())
}

/// With SHA-512, by a crate of its own: `ring` has no P-521.
fn verify_p521(key: &[u8], arguments: &Arguments<'_>) -> Option<()> {
    use p521::ecdsa::signature::Verifier as _;
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p521::ecdsa::Signature::from_der(arguments.signature).ok()?;
    key.verify(arguments.text, &signature).ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

    /// RFC 7515 appendix A.2: the modulus, what was signed, and the signature.
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const TEXT: &[u8] = b"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

    const WRONG: &str = "Failed to verify digest. Error code: 0";

    fn rsa_key() -> Vec<u8> {
        let n = URL_SAFE_NO_PAD.decode(N).unwrap();
        let start = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00\x30\x82\x01\x0a\x02\x82\x01\x01\x00";
        [&start[..], &n, b"\x02\x03\x01\x00\x01"].concat()
    }

    fn p256_key(pair: &EcdsaKeyPair) -> Vec<u8> {
        let start = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
        [&start[..], pair.public_key().as_ref()].concat()
    }

    fn message(hash: &str, key: &[u8], signature: &[u8], text: &[u8], pem: &str) -> Vec<u8> {
        let mut message = Vec::new();
        let fields = [hash.as_bytes(), key, signature, text, pem.as_bytes()];
        for (number, bytes) in (1..).zip(fields) {
            wire::put_bytes(&mut message, number, bytes);
        }
        message
    }

    /// The result's two fields.
    fn verified(message: &[u8]) -> (bool, String) {
        let result = run(message).unwrap();
        if result == [0x08, 1] {
            return (true, String::new());
        }
        let fields = wire::fields(&result).unwrap();
        assert_eq!((fields.len(), fields[0].number), (1, 2));
        let error = std::str::from_utf8(fields[0].bytes.unwrap()).unwrap();
        (false, error.to_owned())
    }

    fn refused(error: &str) -> (bool, String) {
        (false, error.to_owned())
    }

    #[test]
    fn rsa_is_verified() {
        let (key, signature) = (rsa_key(), URL_SAFE_NO_PAD.decode(SIGNATURE).unwrap());
        let good = (true, String::new());
        assert_eq!(
            verified(&message("sha256", &key, &signature, TEXT, "")),
            good
        );
        assert_eq!(
            verified(&message("SHA256", &key, &signature, TEXT, "")),
            good
        );
        for (hash, text, signature) in [
            ("sha256", b"another".as_slice(), signature.as_slice()),
            ("sha512", TEXT, &signature),
            ("sha256", TEXT, &signature[1..]),
            ("sha256", TEXT, &[]),
        ] {
            let said = verified(&message(hash, &key, signature, text, ""));
            assert_eq!(said, refused(WRONG));
        }
        let body = STANDARD.encode(&key);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        assert_eq!(
            verified(&message("sha256", b"", &signature, TEXT, &pem)),
            good
        );
        assert_eq!(
            run(&message("sha256", &key, &signature, TEXT, &pem)),
            Err(ForeignError::BadArgument),
            "two keys"
        );
    }

    #[test]
    fn ecdsa_is_verified_in_der_only() {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let key = p256_key(&pair);
        let signature = pair.sign(&random, TEXT).unwrap();
        let say = |signature: &[u8]| verified(&message("sha256", &key, signature, TEXT, ""));
        assert_eq!(say(signature.as_ref()), (true, String::new()));
        assert_eq!(say(&[1; 64]), refused(WRONG), "r || s");
        let mut changed = signature.as_ref().to_vec();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(say(&changed), refused(WRONG));
    }

    /// The curves beyond P-256, each with the hash that JOSE gives it.
    #[test]
    fn further_curves_are_verified() {
        use p521::ecdsa::signature::Signer as _;
        let random = SystemRandom::new();
        let algorithm = &ring::signature::ECDSA_P384_SHA384_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let start = b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";
        let p384 = [&start[..], pair.public_key().as_ref()].concat();
        let by_p384 = pair.sign(&random, TEXT).unwrap();
        let key = p521::ecdsa::SigningKey::from_slice(&[1; 66]).unwrap();
        let start = b"\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00";
        let point = key.verifying_key().to_sec1_point(false);
        let p521 = [&start[..], point.as_bytes()].concat();
        let by_p521: p521::ecdsa::Signature = key.sign(TEXT);
        let by_p521 = by_p521.to_der();
        for (hash, key, signature) in [
            ("sha384", &p384, by_p384.as_ref()),
            ("sha512", &p521, by_p521.as_bytes()),
        ] {
            let say =
                |signature: &[u8], text: &[u8]| verified(&message(hash, key, signature, text, ""));
            assert_eq!(say(signature, TEXT), (true, String::new()), "{hash}");
            assert_eq!(say(signature, b"another"), refused(WRONG));
            let mut changed = signature.to_vec();
            *changed.last_mut().unwrap() ^= 1;
            assert_eq!(say(&changed, TEXT), refused(WRONG));
            assert_eq!(say(&signature[1..], TEXT), refused(WRONG));
        }
    }

    #[test]
    fn what_cannot_be_done_is_said_as_envoy_says_it() {
        let ed25519 = [
            &b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..],
            &[9; 32],
        ]
        .concat();
        assert_eq!(
            verified(&message("sha512", &ed25519, &[0; 64], TEXT, "")),
            refused("Failed to initialize digest verify.")
        );
        assert_eq!(
            verified(&message("Md5", &rsa_key(), b"", TEXT, "")),
            refused("Md5 is not supported.")
        );
        for bad in [
            message("sha256", b"", b"s", TEXT, ""),
            message("sha256", b"no key", b"s", TEXT, ""),
            message("sha256", b"", b"s", TEXT, "no key"),
            b"\x0a\x01\xff".to_vec(),
            b"no message".to_vec(),
        ] {
            assert_eq!(run(&bad), Err(ForeignError::BadArgument));
        }
    }
}
