//! What workers of a proxy share, and the secret by which they know each other's work.

use portcullis_jose::{DerivedKey, SecretKey};
use portcullis_policy::{Field, Section};

use super::environment::Environment;
use super::secrets::read_secret;

/// The keys that are made of `shared.secret`, each for one purpose.
#[derive(Debug)]
pub(crate) struct Sharing {
    /// Says that what is read from shared data was written by a guard of the same secret.
    pub(crate) seal: DerivedKey,
    /// Names what is shared.
    pub(crate) name: DerivedKey,
}

/// Reads `shared`.
pub(super) fn read(section: &mut Section<'_>, environment: &dyn Environment) -> Option<Sharing> {
    let (secret, field) = read_secret(section, "secret", None, environment)?;
    let sharing = derive(&secret);
    if sharing.is_none() {
        too_short(&field);
    }
    sharing
}

fn derive(secret: &SecretKey) -> Option<Sharing> {
    Some(Sharing {
        seal: secret.derive("portcullis shared data: seal").ok()?,
        name: secret.derive("portcullis shared data: name").ok()?,
    })
}

fn too_short(field: &Field<'_>) {
    field.problem_with_help(
        "is too short a secret",
        "it has 32 bytes at least, at random: `openssl rand -base64 32` with `encoding: base64`",
    );
}
