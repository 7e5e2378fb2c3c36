//! From a credential to a verified identity: the cache, else cheap checks first and the signature last.

use std::rc::Rc;

use portcullis_jose::{
    Claims, CompactJws, ExpectedType, Limits, RegisteredClaim, check_access_token_profile,
    check_times, check_type,
};

use super::Guard;
use crate::budget::{Exhausted, SourceKey};
use crate::config::{Accepted, Anchor, KeySource, Secrets};
use crate::credential::Credential;
use crate::identity::{Identity, Unverified, scopes_of};
use crate::keys::{Lack, NoKeys};
use crate::metrics::Count;
use crate::paused::{Passage, Token};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::time::UnixTime;
use crate::verified::Verified;
use crate::waiting::Want;

/// What became of a credential.
pub(super) enum Verification {
    Good(Verified),
    Bad(Refusal),
    /// It cannot be told without fetching keys.
    NeedsKeys(Need),
}

/// Keys that are missing.
pub(super) struct Need {
    /// Whose keys.
    pub(super) issuer: Rc<str>,
    /// The slot of its keys in the guard.
    pub(super) slot: usize,
    pub(super) what: Missing,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// A whole key set of the issuer, or all.
    All(NoKeys),
    /// Perhaps a newer key: no set that we have knows the token's `kid`.
    Newer,
}

impl Missing {
    /// What a fetch has to bring.
    pub(super) const fn wants(self) -> Want {
        match self {
            Self::All(_) => Want::Usable,
            Self::Newer => Want::Newer,
        }
    }
}

impl Guard {
    pub(super) fn verify(
        &mut self,
        token: &Token<Credential<'_>>,
        passage: &mut Passage,
        now: UnixTime,
        ask_source: &dyn Fn() -> Option<Vec<u8>>,
    ) -> Verification {
        let credential = &token.credential;
        let known = token.known.as_ref();
        if let Some(identity) = known.filter(|identity| self.still_serves(identity, now)) {
            return self.verify_cached(credential, Rc::clone(identity), now);
        }
        if let Some(identity) = self.cache.get(credential.token()) {
            let alive = self.still_serves(&identity, now);
            self.trace.step("cache", |step| {
                step.text(
                    "found",
                    if alive {
                        "the verified token"
                    } else {
                        "it, but its key is gone or its key set too old"
                    },
                )
                .text("issuer", &identity.anchor().issuer);
            });
            if alive {
                return self.verify_cached(credential, identity, now);
            }
            // INVARIANT: a token dies with its key. It may be that another key verifies it; it starts anew.
            self.cache.remove(credential.token());
            self.metrics.count(Count::CacheDropped);
        }
        self.metrics.count(Count::CacheMiss);
        self.trace.step("cache", |step| {
            step.text("found", "no verified token");
        });
        passage.request.learn_source(ask_source);
        let jws = match self.read(credential) {
            Ok(jws) => jws,
            Err(refusal) => return self.refuse_unread(refusal),
        };
        match self.check_cheaply(credential, &jws, now) {
            Ok(token) => {
                self.trace.step("token", |step| {
                    step.text("issuer", &token.anchor.issuer)
                        .text("alg", token.jws.header().algorithm.name())
                        .maybe("kid", token.jws.header().kid.as_deref())
                        .text("result", "right in all that can be told without a key");
                });
                self.verify_signature(credential, token, passage, now)
            }
            Err(refusal) => self.refuse_unread(refusal),
        }
    }

    /// Refuses what no key was needed for.
    fn refuse_unread(&mut self, refusal: Refusal) -> Verification {
        self.trace.step("token", |step| {
            step.text("result", refusal.reason.code())
                .maybe("cause", refusal.cause);
        });
        Verification::Bad(refusal)
    }

    /// Whether what a key verified can be asked about without looking for a key again. It cannot when the key has left its set; nor
    /// when that set is too old and the issuer has others, one of which may have the key too.
    fn still_serves(&self, identity: &Identity, now: UnixTime) -> bool {
        identity.is_alive()
            && !(identity.is_key_too_old(now)
                && self
                    .keys
                    .get(identity.slot())
                    .is_some_and(|keys| keys.feeds().len() > 1))
    }

    fn verify_cached(
        &mut self,
        credential: &Credential<'_>,
        identity: Rc<Identity>,
        now: UnixTime,
    ) -> Verification {
        // Keys that are too old to verify with are too old to have verified with.
        if identity.is_key_too_old(now) {
            return Verification::NeedsKeys(Need {
                issuer: Rc::clone(identity.issuer()),
                slot: identity.slot(),
                what: Missing::All(NoKeys::TooOld),
            });
        }
        match Verified::check(identity, credential.origin(), &self.config.credentials, now) {
            Ok(verified) => {
                self.metrics.count(Count::CacheHit);
                self.trace.step("token", |step| {
                    step.text("result", "its key, times and audience hold");
                });
                self.good(verified)
            }
            Err(refusal) => {
                if refusal.reason == Reason::TokenExpired {
                    self.cache.remove(credential.token());
                    self.metrics.count(Count::CacheDropped);
                }
                Verification::Bad(refusal)
            }
        }
    }

    /// Takes a token apart.
    fn read<'t>(&self, credential: &Credential<'t>) -> Result<CompactJws<'t>, Refusal> {
        let limits = self.token_limits();
        if credential.token().len() > limits.token_bytes {
            return Err(Reason::TokenTooLarge.into());
        }
        CompactJws::parse(credential.token(), &limits).or_else(|error| {
            // What can be taken apart is of base64url and dots, which are characters of a token.
            credential.check_characters()?;
            Err(error.into())
        })
    }

    fn token_limits(&self) -> Limits {
        Limits {
            token_bytes: self.config.limits.token_bytes,
            ..Limits::default()
        }
    }

    /// Everything that can be told without a key. INVARIANT: nothing in here costs more than parsing.
    fn check_cheaply<'t>(
        &self,
        credential: &Credential<'_>,
        jws: &'t CompactJws<'_>,
        now: UnixTime,
    ) -> Result<Unverified<'t>, Refusal> {
        let claims = Claims::parse(jws.payload(), &self.token_limits())?;
        let issuer = claims
            .issuer()
            .ok_or(Refusal::because(Reason::ClaimMissing, "iss_missing"))?;
        // RFC 8725 section 3.8: the issuer chooses the keys, and only its own.
        let (anchor, tenant) = self
            .config
            .issuers
            .find(issuer)
            .and_then(|found| Some((self.config.anchors.get(found.index)?, found.tenant)))
            .ok_or_else(|| Refusal::from(Reason::IssuerUnknown).claiming(issuer))?;
        // INVARIANT: what is verified is told under the token's own name, not under that of all tenants.
        let name = match tenant {
            Some(_) => issuer.into(),
            None => Rc::clone(&anchor.issuer),
        };
        let kind = self.config.credentials.kind(credential.origin().credential);
        if !kind.is_some_and(|kind| kind.accepts(&anchor.issuer)) {
            let refusal = Refusal::because(Reason::IssuerNotAccepted, "credential_issuer");
            return Err(refusal.claiming(issuer));
        }
        let (algorithm, scopes) =
            check_claims(anchor, jws, &claims, now).map_err(|refusal| refusal.claiming(issuer))?;
        Ok(Unverified {
            anchor: Rc::clone(anchor),
            issuer: name,
            tenant: tenant.map(Box::from),
            algorithm,
            jws,
            claims,
            scopes,
        })
    }

    fn verify_signature(
        &mut self,
        credential: &Credential<'_>,
        token: Unverified<'_>,
        passage: &mut Passage,
        now: UnixTime,
    ) -> Verification {
        let issuer = Rc::clone(&token.issuer);
        let refuse = |refusal: Refusal| Verification::Bad(refusal.claiming(&issuer));
        let slot = match self.slot_for(&token, passage, now) {
            Ok(slot) => slot,
            Err(refusal) => return refuse(refusal),
        };
        if let KeySource::Secrets(secrets) = &Rc::clone(&token.anchor).keys {
            return self.verify_by_secret(credential, token, slot, secrets, passage, now);
        }
        let need = |what| {
            Verification::NeedsKeys(Need {
                issuer: Rc::clone(&issuer),
                slot,
                what,
            })
        };
        let Some(keys) = self.keys.get(slot) else {
            return refuse(Reason::StateMissing.into());
        };
        let header = token.jws.header();
        let found = keys.candidates(now, header.algorithm, header.kid.as_deref());
        self.trace.step("keys", |step| {
            match &found {
                Ok(living) => step.number("fitting", living.len()),
                Err(Lack::Keys(_)) => step.text("result", "none that can be used"),
                Err(Lack::Newer) => step.text("result", "none of this kid"),
                Err(Lack::Unfit(error)) => step.text("result", error.code()),
                Err(Lack::Contradictory) => step.text("result", "kid_contradictory"),
            };
        });
        let living = match found {
            Err(Lack::Keys(no_keys)) => return need(Missing::All(no_keys)),
            Err(Lack::Newer) => return need(Missing::Newer),
            Err(Lack::Unfit(error)) => return refuse(error.into()),
            Err(Lack::Contradictory) => {
                return refuse(Refusal::because(Reason::KeyAmbiguous, "kid_contradictory"));
            }
            Ok(living) => living,
        };
        let source = Self::source_of(passage);
        if let Err(exhausted) = self.budget.check(source, now) {
            return refuse(exhausted.into());
        }
        passage.timed = true;
        match Identity::verify(token, slot, &living, &*self.verifier, &self.config) {
            Ok(identity) => {
                self.trace.step("signature", |step| {
                    step.text("result", "good");
                });
                self.note_proof(slot, now);
                self.budget.vouch(source, now);
                self.remember(credential, Rc::new(identity), now)
            }
            Err(error) => {
                // A token without `kid` costs as many failures as keys were tried.
                self.budget
                    .charge(source, u64::try_from(living.len()).unwrap_or(u64::MAX), now);
                self.metrics.count(Count::SignatureBad);
                self.trace.step("signature", |step| {
                    step.text("result", "bad")
                        .number("keys_tried", living.len());
                });
                refuse(Refusal {
                    cause: error.map(|error| error.code()),
                    ..Reason::SignatureInvalid.into()
                })
            }
        }
    }

    /// INVARIANT: the only way to a secret. No key of a set comes by here, and no secret into [`Guard::verify_signature`].
    fn verify_by_secret(
        &mut self,
        credential: &Credential<'_>,
        token: Unverified<'_>,
        slot: usize,
        secrets: &Secrets,
        passage: &mut Passage,
        now: UnixTime,
    ) -> Verification {
        let issuer = Rc::clone(&token.issuer);
        let refuse = |refusal: Refusal| Verification::Bad(refusal.claiming(&issuer));
        let kid = token.jws.header().kid.as_deref();
        let tried = match secrets.candidates(kid) {
            Ok(tried) => u64::try_from(tried).unwrap_or(u64::MAX),
            Err(error) => return refuse(error.into()),
        };
        let source = Self::source_of(passage);
        if let Err(exhausted) = self.budget.check(source, now) {
            return refuse(exhausted.into());
        }
        passage.timed = true;
        match Identity::verify_by_secret(token, slot, secrets, &self.config) {
            Ok(identity) => {
                self.budget.vouch(source, now);
                self.remember(credential, Rc::new(identity), now)
            }
            Err(error) => {
                self.budget.charge(source, tried, now);
                self.metrics.count(Count::SignatureBad);
                refuse(Refusal {
                    cause: error.map(|error| error.code()),
                    ..Reason::SignatureInvalid.into()
                })
            }
        }
    }

    fn remember(
        &mut self,
        credential: &Credential<'_>,
        identity: Rc<Identity>,
        now: UnixTime,
    ) -> Verification {
        self.metrics.count(Count::SignatureGood);
        if self.config.limits.cache_bytes > 0 {
            let evicted = self.cache.insert(credential.token(), Rc::clone(&identity));
            self.metrics.count(Count::CacheInserted);
            self.metrics.add_count(Count::CacheEvicted, evicted);
        }
        match Verified::check(identity, credential.origin(), &self.config.credentials, now) {
            Ok(verified) => self.good(verified),
            Err(refusal) => Verification::Bad(refusal),
        }
    }

    fn good(&mut self, verified: Verified) -> Verification {
        if verified.identity().algorithm().until.is_some() {
            self.metrics.count(Count::AlgorithmRetiring);
        }
        Verification::Good(verified)
    }

    pub(super) fn source_of(passage: &Passage) -> SourceKey {
        SourceKey::of(passage.request.source())
    }
}

/// What the issuer's entry asks of a token's header and claims; gives its scopes.
fn check_claims(
    anchor: &Anchor,
    jws: &CompactJws<'_>,
    claims: &Claims<'_>,
    now: UnixTime,
) -> Result<(Accepted, Vec<String>), Refusal> {
    // RFC 8725 section 3.1: the configuration says which algorithms, never the token.
    let algorithm = anchor
        .accepted(jws.header().algorithm)
        .ok_or_else(|| Refusal::because(Reason::AlgorithmRefused, "alg_not_allowed"))?;
    // Checked again with every use; here it saves the signature.
    if algorithm.until.is_some_and(|until| now >= until) {
        return Err(Reason::AlgorithmRetired.into());
    }
    check_type(jws.header(), claims, anchor.token_type)?;
    // RFC 7800: a token bound to its sender's key is worthless to who stole it, unless somebody takes it for a bearer
    // token. `null` counts: it is no way to say "unbound".
    if claims.get("cnf").is_some() && !anchor.dangerous_ignore_cnf {
        return Err(Reason::SenderConstraintUnsupported.into());
    }
    check_times(
        claims,
        now.as_millis(),
        u64::try_from(anchor.leeway.as_millis()).unwrap_or(0),
    )?;
    if anchor.token_type == ExpectedType::AtJwt {
        check_access_token_profile(claims)?;
    }
    if !claims.has(RegisteredClaim::Audience) {
        return Err(Refusal::because(Reason::ClaimMissing, "aud_missing"));
    }
    if !claims
        .audiences()
        .any(|audience| anchor.audiences.iter().any(|ours| **ours == *audience))
    {
        return Err(Refusal::because(
            Reason::AudienceNotAccepted,
            "issuer_audience",
        ));
    }
    Ok((algorithm, scopes_of(claims, &anchor.scope_claim)?))
}

impl From<Exhausted> for Refusal {
    fn from(exhausted: Exhausted) -> Self {
        let mut refusal = Self::from(exhausted.reason).retry_after(exhausted.quota.reset_secs);
        refusal.details_mut().quota = Some(exhausted.quota);
        refusal
    }
}
