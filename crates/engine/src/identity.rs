//! Who a verified token speaks for. Identity only: whether that is enough is decided anew for every request.

use std::rc::Rc;

use portcullis_jose::{Claims, CompactJws, Json, SignatureError, Validity, Verifier};
use serde_json::{Map, Value};

use crate::config::{Accepted, Anchor, Config, Secrets};
use crate::identity_values::{self, NamedValue, Unfit, Values};
use crate::keys::{Life, LivingKey};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::time::UnixTime;

/// What a token said whose signature was verified by a key of the issuer that it names.
///
/// INVARIANT: [`Identity::verify`] and [`Identity::verify_by_secret`] are the only ways to one, and they verify the signature
/// themselves.
#[derive(Debug)]
pub(crate) struct Identity {
    anchor: Rc<Anchor>,
    /// The token's own, where the anchor stands for many.
    issuer: Rc<str>,
    tenant: Option<Box<str>>,
    slot: usize,
    algorithm: Accepted,
    validity: Validity,
    subject: Option<Box<str>>,
    client: Option<Box<str>>,
    jwt_id: Option<Box<str>>,
    /// All claims where the policy reads claims, else none: nobody would look at them.
    claims: Map<String, Value>,
    audiences: Vec<String>,
    scopes: Vec<String>,
    values: Result<Values, Unfit>,
    /// What becomes of it where it comes as a named credential.
    named: Box<[NamedValue]>,
    state: Values,
    life: Rc<Life>,
    heap_bytes: usize,
}

/// A token that passed all cheap checks and waits for its signature to be verified.
pub(crate) struct Unverified<'t> {
    pub(crate) anchor: Rc<Anchor>,
    /// The token's own, where the anchor stands for many.
    pub(crate) issuer: Rc<str>,
    /// The tenant in it.
    pub(crate) tenant: Option<Box<str>>,
    /// The configuration's word on the token's `alg`.
    pub(crate) algorithm: Accepted,
    pub(crate) jws: &'t CompactJws<'t>,
    pub(crate) claims: Claims<'t>,
    pub(crate) scopes: Vec<String>,
}

impl Identity {
    /// Verifies the signature of `token` by the first of `keys` that can: those of `slot`. Each key comes with its life.
    ///
    /// # Errors
    /// Why the last key did not verify it, or `None` where there was no key.
    pub(crate) fn verify(
        token: Unverified<'_>,
        slot: usize,
        keys: &[LivingKey],
        verifier: &dyn Verifier,
        config: &Config,
    ) -> Result<Self, Option<SignatureError>> {
        let (algorithm, input) = (token.jws.header().algorithm, token.jws.signing_input());
        let mut last = None;
        let mut life = None;
        for tried in keys {
            match verifier.verify(&tried.key, algorithm, input, token.jws.signature()) {
                Ok(()) => {
                    life = Some(Rc::clone(&tried.life));
                    break;
                }
                Err(error) => last = Some(error),
            }
        }
        let life = life.ok_or(last)?;
        Ok(Self::of(token, slot, life, config))
    }

    /// Checks the HMAC of `token` by the first of the issuer's secrets that can. They live as long as the configuration.
    ///
    /// # Errors
    /// Why the last secret did not, or `None` where none may have made it.
    pub(crate) fn verify_by_secret(
        token: Unverified<'_>,
        slot: usize,
        secrets: &Secrets,
        config: &Config,
    ) -> Result<Self, Option<SignatureError>> {
        secrets.verify(token.jws)?;
        Ok(Self::of(token, slot, Life::lasting(), config))
    }

    /// INVARIANT: called with a token whose signature was just verified.
    fn of(token: Unverified<'_>, slot: usize, life: Rc<Life>, config: &Config) -> Self {
        let Unverified {
            issuer,
            tenant,
            anchor,
            algorithm,
            claims,
            scopes,
            ..
        } = token;
        let audiences: Vec<String> = claims.audiences().map(str::to_owned).collect();
        let render = |list| identity_values::render(config, list, &issuer, &claims, &scopes);
        let state = render(&config.filter_state.identity);
        let (values, state) = match (render(&config.identity_headers), state) {
            (Ok(values), Ok(state)) => (Ok(values), state),
            (Err(unfit), _) | (_, Err(unfit)) => (Err(unfit), Values::from([])),
        };
        let named = identity_values::render_named(config, &issuer, &claims, &scopes);
        let owned = |text: Option<&str>| text.map(Box::<str>::from);
        let (subject, jwt_id) = (owned(claims.subject()), owned(claims.jwt_id()));
        // RFC 9068 section 2.2 has client_id; OpenID providers that do not follow it say azp.
        let client = owned(
            claims
                .client_id()
                .or_else(|| claims.get("azp").and_then(Json::as_str)),
        );
        let validity = claims.validity();
        let claims = if config.policy.reads_claims() {
            claims.to_map()
        } else {
            Map::new()
        };
        // The name of a tenant's issuer is the entry's own.
        let own_issuer = tenant.as_ref().map_or(0, |_| string_bytes(&issuer));
        let names = [&subject, &client, &jwt_id, &tenant];
        let heap_bytes = size_of::<Self>()
            .saturating_add(own_issuer)
            .saturating_add(if claims.is_empty() {
                0
            } else {
                map_bytes(&claims)
            })
            .saturating_add(
                names
                    .into_iter()
                    .flatten()
                    .map(|text| string_bytes(text))
                    .fold(0, usize::saturating_add),
            )
            .saturating_add(texts_bytes(&audiences))
            .saturating_add(named.iter().map(NamedValue::bytes).sum())
            .saturating_add(texts_bytes(&scopes))
            .saturating_add(values.as_ref().map_or(0, |values| {
                values
                    .iter()
                    .chain(state.iter())
                    .map(|(_, value)| string_bytes(value).saturating_add(16))
                    .fold(16, usize::saturating_add)
            }));
        Self {
            anchor,
            issuer,
            tenant,
            slot,
            algorithm,
            validity,
            subject,
            client,
            jwt_id,
            claims,
            audiences,
            scopes,
            values,
            named,
            state,
            life,
            heap_bytes,
        }
    }

    /// What verified it, and until when that is accepted.
    pub(crate) const fn algorithm(&self) -> Accepted {
        self.algorithm
    }

    pub(crate) const fn anchor(&self) -> &Rc<Anchor> {
        &self.anchor
    }

    /// `iss`, which the anchor accepts.
    pub(crate) const fn issuer(&self) -> &Rc<str> {
        &self.issuer
    }

    /// The tenant in it, where the anchor has a place for one.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The slot of the issuer's keys in the guard, as long as [`Identity::is_alive`].
    pub(crate) const fn slot(&self) -> usize {
        self.slot
    }

    /// When the token may be used.
    pub(crate) const fn validity(&self) -> &Validity {
        &self.validity
    }

    /// `sub`
    pub(crate) fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `client_id`, or `azp`.
    pub(crate) fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// `jti`
    pub(crate) fn jwt_id(&self) -> Option<&str> {
        self.jwt_id.as_deref()
    }

    /// All claims; none where the policy does not read claims.
    pub(crate) const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    pub(crate) fn audiences(&self) -> &[String] {
        &self.audiences
    }

    pub(crate) fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// What the access log and later filters are told, if the token is good for anything.
    pub(crate) const fn state(&self) -> &Values {
        &self.state
    }

    /// The values of the identity headers, or why one cannot be made.
    pub(crate) const fn values(&self) -> Result<&Values, &Unfit> {
        self.values.as_ref()
    }

    /// The identity headers that are made from it as this credential.
    pub(crate) fn values_as(
        &self,
        credential: usize,
    ) -> impl Iterator<Item = &(Rc<str>, Box<str>)> {
        let named = self.named.iter();
        named
            .filter(move |named| named.credential == credential)
            .filter_map(|named| named.value.as_ref().ok())
    }

    /// Why one of them cannot be made.
    pub(crate) fn unfit_as(&self, credential: usize) -> Option<Unfit> {
        let named = self.named.iter();
        named
            .filter(|named| named.credential == credential)
            .find_map(|named| named.value.as_ref().err().copied())
    }

    /// Whether the key that verified this token is still in its issuer's key set.
    pub(crate) fn is_alive(&self) -> bool {
        self.life.is_alive()
    }

    /// Whether that key set could not be renewed for too long.
    pub(crate) fn is_key_too_old(&self, now: UnixTime) -> bool {
        self.life.is_too_old(now)
    }

    /// About how much memory this holds, in bytes.
    pub(crate) const fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }
}

/// The scopes of a token: a space-separated string (RFC 8693 section 4.2) or an array of strings.
///
/// # Errors
/// [`Reason::ClaimsMalformed`] for anything else: a claim that decides must not be guessed at.
pub(crate) fn scopes_of(claims: &Claims<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let malformed = || Refusal::because(Reason::ClaimsMalformed, "scope_malformed");
    match claims.get(name) {
        None => Ok(Vec::new()),
        Some(Json::String(list)) => Ok(list
            .split(' ')
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect()),
        Some(Json::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(malformed))
            .collect(),
        Some(_) => Err(malformed()),
    }
}

/// Bytes of one allocation: its content, and what an allocator adds and rounds.
const fn string_bytes(text: &str) -> usize {
    text.len().saturating_add(16)
}

fn texts_bytes(texts: &[String]) -> usize {
    texts
        .iter()
        .map(|text| string_bytes(text).saturating_add(size_of::<String>()))
        .fold(16, usize::saturating_add)
}

fn map_bytes(map: &Map<String, Value>) -> usize {
    // A B-tree keeps up to 11 members in a node; where there are more nodes, half of each may be empty.
    let slot = size_of::<String>().saturating_add(size_of::<Value>());
    let count = if map.len() <= 11 {
        1
    } else {
        map.len().div_ceil(6)
    };
    let nodes = count.saturating_mul(slot.saturating_mul(11).saturating_add(32));
    map.iter()
        .map(|(name, value)| string_bytes(name).saturating_add(value_bytes(value)))
        .fold(nodes, usize::saturating_add)
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => string_bytes(text),
        Value::Array(items) => items
            .iter()
            .map(|item| size_of::<Value>().saturating_add(value_bytes(item)))
            .fold(16, usize::saturating_add),
        // Depth is bounded by the parser.
        Value::Object(map) => map_bytes(map),
    }
}
