//! Proof that a credential is good at this moment.

use std::rc::Rc;

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
}

impl Verified {
    /// Checks everything about an identity that time or configuration can change.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check(identity: Rc<Identity>, now: UnixTime) -> Result<Self, Refusal> {
        let refuse = |refusal: Refusal| Err(refusal.of_identity(&identity));
        if !identity.is_alive() {
            return refuse(Reason::KeyUnknown.into());
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
        if let Err(unfit) = identity.values() {
            return refuse(Refusal::because(Reason::MappedClaimRefused, unfit.code()));
        }
        Ok(Self { identity })
    }

    pub(crate) const fn identity(&self) -> &Rc<Identity> {
        &self.identity
    }
}
