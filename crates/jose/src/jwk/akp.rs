//! ML-DSA keys (RFC 9964 section 3).

use serde_json::{Map, Value};

use super::{Parsed, octets};
use crate::error::SkipReason;
use crate::ml_dsa::MlDsaKey;
use crate::public_key::Material;
use crate::spki;

/// RFC 9964 section 3: `alg` is required, and says what `pub` is.
pub(super) fn parse(jwk: &Map<String, Value>) -> Result<Parsed, SkipReason> {
    type Read = fn(&[u8]) -> Option<MlDsaKey>;
    let alg = jwk.get("alg").and_then(Value::as_str);
    let alg = alg.ok_or(SkipReason::AlgorithmMalformed)?;
    let (set, read): (u8, Read) = match alg {
        "ML-DSA-44" => (0, MlDsaKey::parse_44),
        "ML-DSA-65" => (1, MlDsaKey::parse_65),
        "ML-DSA-87" => (2, MlDsaKey::parse_87),
        _ => return Err(SkipReason::AlgorithmUnsupported),
    };
    let (text, encoded) = octets(jwk, "pub")?;
    let key = read(&encoded).ok_or(SkipReason::MemberMalformed)?;
    Ok(Parsed {
        material: Material::MlDsa(key),
        spki: spki::ml_dsa(set, &encoded),
        canonical: format!(r#"{{"alg":"{alg}","kty":"AKP","pub":"{text}"}}"#),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, refusal};
    use super::*;
    use crate::{Algorithm, fixture};

    #[test]
    fn an_akp_key_needs_its_alg_and_its_size() {
        for (alg, size) in [
            ("ML-DSA-44", 1312),
            ("ML-DSA-65", 1952),
            ("ML-DSA-87", 2592),
        ] {
            let text = fixture::encode(&vec![1; size]);
            let key = parse(&format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"{text}"}}"#)).unwrap();
            for algorithm in Algorithm::ALL {
                assert_eq!(
                    key.allows(algorithm),
                    algorithm.name() == alg,
                    "{algorithm}"
                );
            }
            let without = format!(r#"{{"kty":"AKP","pub":"{text}"}}"#);
            assert_eq!(refusal(&without), SkipReason::AlgorithmMalformed);
            let private = format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"{text}","priv":"AA"}}"#);
            assert_eq!(refusal(&private), SkipReason::PrivateKey);
            // The length of another set too: it is `alg` that says which.
            let others = [1312, 1952, 2592]
                .into_iter()
                .filter(|other| *other != size);
            for wrong in [0, size - 1, size + 1].into_iter().chain(others) {
                let text = fixture::encode(&vec![1; wrong]);
                let jwk = format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"{text}"}}"#);
                assert_eq!(refusal(&jwk), SkipReason::MemberMalformed, "{alg} {wrong}");
            }
        }
        for alg in ["ML-DSA-128", "ES256", "HS256"] {
            let jwk = format!(r#"{{"kty":"AKP","alg":"{alg}","pub":"AA"}}"#);
            assert_eq!(refusal(&jwk), SkipReason::AlgorithmUnsupported, "{alg}");
        }
    }
}
