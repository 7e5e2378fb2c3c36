//! Tenants that no list names: whose keys a token gets, what fetching them costs, and what proves one.

use super::Guard;
use super::hold::full;
use crate::identity::Unverified;
use crate::metrics::Count;
use crate::paused::Passage;
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::time::UnixTime;

impl Guard {
    /// The slot of the keys that may have signed a token. A tenant that nobody has named before gets one, if its source may name one.
    ///
    /// # Errors
    /// Too many tenants were named that nobody has proven, or as many are being fetched for as may be.
    pub(super) fn slot_for(
        &mut self,
        token: &Unverified<'_>,
        passage: &Passage,
        now: UnixTime,
    ) -> Result<usize, Refusal> {
        let tenant = token.tenant.as_deref();
        if let Some(slot) = self.keys.slot_of(&token.anchor, tenant, &token.issuer) {
            return Ok(slot);
        }
        if !cfg!(feature = "tenants") {
            return Err(Reason::StateMissing.into());
        }
        // Nothing is made for a tenant that cannot be fetched for.
        let source = Self::source_of(passage);
        self.budget.check(source, now)?;
        self.budget.check_tenant(source, now)?;
        self.check_flights_for_strangers()?;
        self.check_waiters_for_stranger(None, 0)?;
        let flights = &self.flights;
        let admitted = self.keys.admit(
            &token.anchor,
            tenant.ok_or(Reason::StateMissing)?,
            &token.issuer,
            |slot| flights.has_issuer(slot),
        );
        let (slot, gone) = admitted.ok_or(Reason::StateMissing)?;
        self.forget(gone);
        Ok(slot)
    }

    /// Whether one more fetch may be in flight for a tenant that nobody has proven.
    ///
    /// INVARIANT: whoever invents names leaves half of the flights, and half of the places to wait, to all others.
    pub(super) fn check_flights_for_strangers(&self) -> Result<(), Refusal> {
        let keys = &self.keys;
        let is_unproven = |slot| keys.is_unproven(slot);
        if self.flights.has_room_for_strangers(is_unproven) {
            Ok(())
        } else {
            Err(full_of_strangers())
        }
    }

    /// Whether one more request may wait for a tenant that nobody has proven, whose slot this is, if it has one.
    pub(super) fn check_waiters_for_stranger(
        &self,
        slot: Option<usize>,
        bytes: usize,
    ) -> Result<(), Refusal> {
        if self.waiters.has_room_for_stranger(slot, bytes) {
            Ok(())
        } else {
            Err(full_of_strangers())
        }
    }

    /// Pays for a fetch, if it is for a tenant that nobody has proven.
    ///
    /// INVARIANT: nothing is fetched for such a tenant that was not paid for, so that inventing names costs its issuer no more than
    /// `limits.tenants.unknown` says.
    pub(super) fn pay_for_tenant(
        &mut self,
        passage: &Passage,
        slot: usize,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        if !self.keys.is_unproven(slot) {
            return Ok(());
        }
        let source = Self::source_of(passage);
        self.budget.check(source, now)?;
        self.budget.check_tenant(source, now)?;
        let paid = self.budget.charge_tenant(source, now);
        self.keys.note_paid(slot, paid);
        self.metrics.count(Count::TenantAsked);
        Ok(())
    }

    /// Notes a new token whose signature a key of this slot made.
    pub(super) fn note_proof(&mut self, slot: usize, now: UnixTime) {
        let flights = &self.flights;
        let proof = self.keys.prove(slot, now, |slot| flights.has_issuer(slot));
        let Some(proof) = proof else {
            return;
        };
        self.metrics.count(Count::TenantProven);
        self.budget.refund_tenant(proof.paid, now);
        if proof.gone.is_some() {
            self.metrics.count(Count::TenantEvicted);
        }
        self.forget(proof.gone);
        self.prepare(slot);
    }
}

fn full_of_strangers() -> Refusal {
    Refusal {
        cause: Some("tenant_unproven"),
        ..full()
    }
}
