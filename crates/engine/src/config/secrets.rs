//! Secrets that an issuer shares with us, for HMACs.
//!
//! INVARIANT: what is read here stands in no message: a mistake is told with its place, never with the text.

use portcullis_jose::{
    CompactJws, KeyError, MAX_CANDIDATES, SecretEncoding, SecretKey, SignatureError,
};
use portcullis_policy::{Field, Section};

use super::algorithms::Accepted;
use super::environment::{Environment, reference};

/// Most secrets of an issuer: the one in use, those that come and those that go.
const MOST: usize = 16;

/// The secrets of an issuer; never empty.
#[derive(Debug)]
pub(crate) struct Secrets {
    keys: Box<[SecretKey]>,
}

impl Secrets {
    /// How many may have made the HMAC of a token with this `kid`.
    ///
    /// # Errors
    /// None, or without a `kid` more than [`MAX_CANDIDATES`]: as with the keys of a set, nothing is guessed.
    pub(crate) fn candidates(&self, kid: Option<&str>) -> Result<usize, KeyError> {
        match self.fitting(kid).count() {
            0 => Err(KeyError::UnknownKid),
            several if several > MAX_CANDIDATES => Err(KeyError::TooMany),
            some => Ok(some),
        }
    }

    /// Checks the HMAC of a token by the first that can.
    ///
    /// # Errors
    /// Why the last one did not, or `None` where none may have made it.
    pub(crate) fn verify(&self, token: &CompactJws<'_>) -> Result<(), Option<SignatureError>> {
        let header = token.header();
        let mut last = None;
        for key in self.fitting(header.kid.as_deref()) {
            match key.verify(header.algorithm, token.signing_input(), token.signature()) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last)
    }

    /// A present `kid` must match exactly.
    fn fitting(&self, kid: Option<&str>) -> impl Iterator<Item = &SecretKey> {
        let keys = self.keys.iter();
        keys.filter(move |key| kid.is_none() || key.kid() == kid)
    }
}

/// A non-empty list of `{ kid, value | dangerous_inline_secret, encoding }`.
pub(super) fn read(
    field: &Field<'_>,
    algorithms: Option<&[Accepted]>,
    environment: &dyn Environment,
) -> Option<Secrets> {
    let algorithms = algorithms.unwrap_or_default();
    let mut whole = true;
    if algorithms.iter().any(|one| !one.algorithm.is_symmetric()) {
        field.problem_with_help(
            "is for HMACs alone: `algorithms` names others",
            "HS256, HS384 and HS512 are HMACs; the keys of all others are in `jwks`",
        );
        whole = false;
    }
    let mut keys: Vec<SecretKey> = Vec::new();
    let items = field.non_empty_list()?;
    if items.len() > MOST {
        field.problem(format!("has more than {MOST} secrets"));
        return None;
    }
    for item in items {
        let Some(key) = item
            .section()
            .and_then(|mut section| read_one(&mut section, environment))
        else {
            whole = false;
            continue;
        };
        if keys.iter().any(|known| known.kid() == key.kid()) {
            item.problem("another secret has this `kid`, or has none either");
            whole = false;
        }
        for one in algorithms {
            if one.algorithm.is_symmetric() && !key.allows(one.algorithm) {
                item.problem_with_help(
                    format!("is too short a secret for {}", one.algorithm),
                    "it is at least as long as the hash: 32, 48 or 64 bytes (RFC 7518 section 3.2)",
                );
                whole = false;
            }
        }
        keys.push(key);
    }
    whole.then(|| Secrets { keys: keys.into() })
}

fn read_one(section: &mut Section<'_>, environment: &dyn Environment) -> Option<SecretKey> {
    let kid = section.optional("kid", Field::non_empty_text);
    read_secret(section, "value", kid, environment).map(|(key, _)| key)
}

/// A secret from the variable that the field `name` names, or inline, and where it stands.
pub(super) fn read_secret<'d>(
    section: &mut Section<'d>,
    name: &'static str,
    kid: Option<&str>,
    environment: &dyn Environment,
) -> Option<(SecretKey, Field<'d>)> {
    let encoding = section.optional("encoding", |field| {
        field.one_of(&[
            ("text", SecretEncoding::Text),
            ("base64", SecretEncoding::Base64),
            ("base64url", SecretEncoding::Base64url),
        ])
    });
    let value = section.field(name);
    let inline = section.field("dangerous_inline_secret");
    let (field, written) = match (value, inline) {
        (Some(field), None) => {
            let written = read_variable(&field, environment)?;
            (field, written)
        }
        (None, Some(field)) => {
            let written = field.non_empty_text()?.as_bytes().to_vec();
            (field, written)
        }
        (None, None) => {
            section.problem(format!(
                "wants a `{name}`: the variable that holds the secret, `${{env:NAME}}`"
            ));
            return None;
        }
        (Some(_), Some(field)) => {
            field.problem(format!("a secret is a `{name}` or inline, not both"));
            return None;
        }
    };
    match SecretKey::read(kid, written, encoding.unwrap_or_default()) {
        Ok(key) => Some((key, field)),
        Err(error) => {
            field.problem(error.to_string());
            None
        }
    }
}

fn read_variable(field: &Field<'_>, environment: &dyn Environment) -> Option<Vec<u8>> {
    let Some(name) = reference(field.text()?) else {
        field.problem_with_help(
            "wants a variable, `${env:NAME}`, and nothing beside it",
            "a secret in the document itself is named `dangerous_inline_secret`: hosts show their configuration to many",
        );
        return None;
    };
    let value = environment.variable(name).filter(|value| !value.is_empty());
    if value.is_none() {
        field.problem_with_help(
            format!("the environment has no `{name}`, or it is empty"),
            "the host passes it on: in Envoy `vm_config.environment_variables`, in nginx `env`",
        );
    }
    value
}
