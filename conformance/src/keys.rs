//! The test keys: who they belong to is in `keys/README.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use serde_json::Value;
use test_signer::{Kind, Signer};

/// A key pair, or a secret.
#[derive(Debug)]
pub struct Key {
    /// Its name, which is also its usual `kid`.
    pub name: String,
    /// The algorithm that it signs with unless a recipe says otherwise.
    pub algorithm: &'static str,
    /// The private part.
    pub signer: Signer,
    /// The public part as a JWK, with `kid` and `alg`; of a secret the secret.
    pub jwk: Value,
}

/// The key of that name.
pub fn key(name: &str) -> Result<&'static Key> {
    all()?
        .get(name)
        .with_context(|| format!("there is no test key {name}"))
}

/// The secrets as a host passes them to the filter: the key `hs_a` as the variable `HS_A`.
pub fn environment() -> Result<Vec<(String, String)>> {
    let secrets = all()?
        .values()
        .filter(|key| key.signer.kind() == Kind::Secret);
    secrets
        .map(|key| Ok((key.name.to_uppercase(), secret(&key.name)?)))
        .collect()
}

/// The text of a secret.
pub fn secret(name: &str) -> Result<String> {
    let path = directory().join(format!("{name}.txt"));
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The public half of the key in the PEM file that its owner would publish, for RS -> HS confusion.
pub fn public_pem(name: &str) -> Result<Vec<u8>> {
    let path = directory().join(format!("{name}.pub.pem"));
    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("keys")
}

fn all() -> Result<&'static BTreeMap<String, Key>> {
    static KEYS: OnceLock<BTreeMap<String, Key>> = OnceLock::new();
    if let Some(keys) = KEYS.get() {
        return Ok(keys);
    }
    let loaded = load_all()?;
    Ok(KEYS.get_or_init(|| loaded))
}

fn load_all() -> Result<BTreeMap<String, Key>> {
    let mut keys = BTreeMap::new();
    for entry in std::fs::read_dir(directory())? {
        let path = entry?.path();
        let file = path.file_name().and_then(|name| name.to_str());
        let Some((name, extension)) = file.and_then(|name| name.split_once('.')) else {
            continue;
        };
        if !matches!(extension, "pem" | "txt") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let key = load(name, &text).with_context(|| format!("{} is no key", path.display()))?;
        keys.insert(name.to_owned(), key);
    }
    Ok(keys)
}

fn load(name: &str, text: &str) -> Result<Key> {
    let kind = match name.split('_').next() {
        Some("es") => Kind::P256,
        Some("es384") => Kind::P384,
        Some("es512") => Kind::P521,
        Some("rs" | "rs4096") => Kind::Rsa,
        Some("ed") => Kind::Ed25519,
        Some("ml44") => Kind::MlDsa44,
        Some("ml65") => Kind::MlDsa65,
        Some("ml87") => Kind::MlDsa87,
        Some("hs") => Kind::Secret,
        _ => anyhow::bail!("its name does not say what kind of key it is"),
    };
    let signer = match kind {
        Kind::Secret => Signer::from_secret(text.as_bytes()),
        other => Signer::from_pem(other, text)?,
    };
    let algorithm = kind.usual_algorithm();
    let mut jwk = signer.public_jwk()?;
    jwk.insert("kid".to_owned(), Value::from(name));
    jwk.insert("alg".to_owned(), Value::from(algorithm));
    Ok(Key {
        name: name.to_owned(),
        algorithm,
        signer,
        jwk: Value::Object(jwk),
    })
}

#[cfg(test)]
mod tests {
    use super::{environment, key, public_pem};

    #[test]
    fn every_kind_of_key_has_a_public_jwk() {
        assert_eq!(key("es_a").unwrap().jwk["crv"], "P-256");
        assert_eq!(key("rs_a").unwrap().jwk["e"], "AQAB");
        let ed = &key("ed_a").unwrap().jwk;
        assert_eq!(
            (&ed["crv"], &ed["kid"], &ed["alg"]),
            (&"Ed25519".into(), &"ed_a".into(), &"EdDSA".into())
        );
        assert!(ed.get("d").is_none());
        assert_eq!(key("es384_a").unwrap().jwk["crv"], "P-384");
        assert_eq!(key("es512_a").unwrap().jwk["crv"], "P-521");
        assert_eq!(key("ml65_a").unwrap().jwk["kty"], "AKP");
        assert_eq!(key("hs_a").unwrap().jwk["kty"], "oct");
        assert!(key("es_z").is_err());
        assert!(
            public_pem("rs_a")
                .unwrap()
                .starts_with(b"-----BEGIN PUBLIC KEY")
        );
    }

    #[test]
    fn every_secret_is_a_variable() {
        let variables = environment().unwrap();
        let length = |name: &str| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.len())
        };
        assert!(length("HS_A") >= Some(64) && length("HS_B") >= Some(64));
        assert_eq!(length("HS_SHORT"), Some(31));
        assert_eq!(length("ES_A"), None);
    }
}
