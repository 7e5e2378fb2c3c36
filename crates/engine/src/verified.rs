//! Proof that a credential is good at this moment.

use std::rc::Rc;

use crate::config::Credentials;
use crate::credential::Origin;
use crate::identity::Identity;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::time::UnixTime;

/// An identity whose token is good now: its key is in the key set, its times hold, it is meant for us.
///
/// INVARIANT: made by [`Verified::check`] only, for one request. A cached identity is not one.
#[derive(Debug)]
pub(crate) struct Verified {
    identity: Rc<Identity>,
    origin: Origin,
}

impl Verified {
    /// Checks everything about an identity that time or configuration can change.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check(
        identity: Rc<Identity>,
        origin: Origin,
        credentials: &Credentials,
        now: UnixTime,
    ) -> Result<Self, Refusal> {
        let refuse = |refusal: Refusal| Err(refusal.of_identity(&identity));
        if !identity.is_alive() {
            return refuse(Reason::KeyUnknown.into());
        }
        // On every request: a token that was verified before its algorithm ended is good no longer.
        if identity.algorithm().until.is_some_and(|until| now >= until) {
            return refuse(Reason::AlgorithmRetired.into());
        }
        let anchor = identity.anchor();
        let leeway = u64::try_from(anchor.leeway.as_millis()).unwrap_or(0);
        if let Err(error) = identity.validity().check(now.as_millis(), leeway) {
            return refuse(error.into());
        }
        if !anchor.accepts_any(identity.audiences()) {
            return refuse(Refusal::because(
                Reason::AudienceNotAccepted,
                "issuer_audience",
            ));
        }
        // The same token may be good as one credential and not as another.
        let kind = credentials.kind(origin.credential);
        if !kind.is_some_and(|kind| kind.accepts(&identity.anchor().issuer)) {
            return refuse(Refusal::because(
                Reason::IssuerNotAccepted,
                "credential_issuer",
            ));
        }
        if let Some(unfit) = identity.unfit_as(origin.credential) {
            return refuse(Refusal::because(Reason::MappedClaimRefused, unfit.code()));
        }
        Ok(Self { identity, origin })
    }

    /// Where its token came from.
    pub(crate) const fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) const fn identity(&self) -> &Rc<Identity> {
        &self.identity
    }
}
