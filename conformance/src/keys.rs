//! The test keys: who they belong to is in `keys/README.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;

/// A key pair.
#[derive(Clone)]
pub struct Key {
    /// Its name, which is also its usual `kid`.
    pub name: String,
    /// The algorithm that it signs with unless a recipe says otherwise.
    pub algorithm: Algorithm,
    /// The private part.
    pub private: EncodingKey,
    /// The public part as a JWK, with `kid` and `alg`.
    pub jwk: Value,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The key of that name.
pub fn key(name: &str) -> Result<&'static Key> {
    static KEYS: OnceLock<BTreeMap<String, Key>> = OnceLock::new();
    let keys = match KEYS.get() {
        Some(keys) => keys,
        None => {
            let loaded = load_all()?;
            KEYS.get_or_init(|| loaded)
        }
    };
    keys.get(name)
        .with_context(|| format!("there is no test key {name}"))
}

/// The public half of the key in the PEM file that its owner would publish, for RS -> HS confusion.
pub fn public_pem(name: &str) -> Result<Vec<u8>> {
    let path = directory().join(format!("{name}.pub.pem"));
    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("keys")
}

fn load_all() -> Result<BTreeMap<String, Key>> {
    let mut keys = BTreeMap::new();
    for entry in std::fs::read_dir(directory())? {
        let path = entry?.path();
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some(name) = file
            .strip_suffix(".pem")
            .filter(|name| !name.ends_with(".pub"))
        else {
            continue;
        };
        let key = load(name, &std::fs::read(&path)?)
            .with_context(|| format!("{} is no key", path.display()))?;
        keys.insert(name.to_owned(), key);
    }
    Ok(keys)
}

fn load(name: &str, pem: &[u8]) -> Result<Key> {
    let (algorithm, private) = match name.split('_').next() {
        Some("es") => (Algorithm::ES256, EncodingKey::from_ec_pem(pem)?),
        Some("rs") => (Algorithm::RS256, EncodingKey::from_rsa_pem(pem)?),
        Some("ed") => (Algorithm::EdDSA, EncodingKey::from_ed_pem(pem)?),
        _ => bail!("a key's name starts with es_, rs_ or ed_"),
    };
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&private, algorithm)?)?;
    jwk["kid"] = Value::from(name);
    jwk["alg"] = serde_json::to_value(algorithm)?;
    Ok(Key {
        name: name.to_owned(),
        algorithm,
        private,
        jwk,
    })
}

#[cfg(test)]
mod tests {
    use super::{key, public_pem};

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
        assert!(key("es_z").is_err());
        assert!(
            public_pem("rs_a")
                .unwrap()
                .starts_with(b"-----BEGIN PUBLIC KEY")
        );
    }
}
