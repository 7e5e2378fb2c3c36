//! The keys of all issuers, each in a slot of its own: those of the document, and those of tenants that tokens name.
//!
//! INVARIANT: a slot belongs to one issuer for ever. One that is given up is not used again, so that whoever still knows it, a fetch
//! under way or a cached token, finds nothing there, and never the keys of another tenant.

use std::rc::Rc;
use std::sync::Arc;

use portcullis_jose::PublicKey;

use super::IssuerKeys;
use super::unlisted::{Gone, Proof, Unlisted};
use crate::budget::Paid;
use crate::config::{Anchor, place_in};
use crate::time::UnixTime;

/// All keys.
#[derive(Debug)]
pub(crate) struct KeyRing {
    /// Those that the document names. Their slots are their places.
    named: Vec<IssuerKeys>,
    /// Where the keys of each anchor are.
    places: Vec<Place>,
    /// Those of tenants that a pattern lets in. Their slots come behind.
    unlisted: Unlisted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The issuer's, or what all its tenants share.
    One(usize),
    /// Those of listed tenants, from here on in the order of the list.
    EachOfList(usize),
    /// Those of tenants that nobody knows beforehand.
    EachOfPattern,
}

impl KeyRing {
    /// `most`: how many tenants that no list names keep their keys.
    pub(crate) fn new(anchors: &[Rc<Anchor>], most: usize) -> Self {
        let mut named: Vec<IssuerKeys> = Vec::new();
        let mut places = Vec::new();
        for anchor in anchors {
            let first = named.len();
            let Some(template) = anchor.keys_of_each() else {
                places.push(Place::One(first));
                named.push(IssuerKeys::new(
                    Rc::clone(&anchor.issuer),
                    None,
                    &anchor.keys,
                ));
                continue;
            };
            let Some(tenants) = template.list() else {
                places.push(Place::EachOfPattern);
                continue;
            };
            places.push(Place::EachOfList(first));
            named.extend(tenants.iter().map(|tenant| {
                let issuer = template.issuer_of(tenant).into();
                IssuerKeys::new(issuer, Some(tenant), &anchor.keys)
            }));
        }
        Self {
            unlisted: Unlisted::new(named.len(), most),
            named,
            places,
        }
    }

    /// The slot of the keys of `issuer`, which is this tenant of the anchor, if it is one. `None`: a tenant that no list names and
    /// whose keys are not here; see [`KeyRing::admit`].
    ///
    /// INVARIANT: where each tenant has keys of its own, a token gets those of the tenant that it names, and no others.
    pub(crate) fn slot_of(
        &self,
        anchor: &Anchor,
        tenant: Option<&str>,
        issuer: &str,
    ) -> Option<usize> {
        match *self.places.get(anchor.index)? {
            Place::One(slot) => Some(slot),
            Place::EachOfList(first) => {
                let tenants = anchor.keys_of_each()?.list()?;
                first.checked_add(place_in(tenants, tenant?)?)
            }
            Place::EachOfPattern if cfg!(feature = "tenants") => self.unlisted.slot_of(issuer),
            Place::EachOfPattern => None,
        }
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&IssuerKeys> {
        match self.named.get(slot) {
            None if cfg!(feature = "tenants") => self.unlisted.get(slot),
            named => named,
        }
    }

    pub(crate) fn get_mut(&mut self, slot: usize) -> Option<&mut IssuerKeys> {
        match self.named.get_mut(slot) {
            None if cfg!(feature = "tenants") => self.unlisted.get_mut(slot),
            named => named,
        }
    }

    /// Every key of the document's sets.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<PublicKey>> {
        self.named.iter().flat_map(IssuerKeys::all)
    }

    /// The first slot from `slot` on, if there is one.
    pub(crate) fn first_from(&self, slot: usize) -> Option<usize> {
        if slot < self.named.len() {
            return Some(slot);
        }
        if cfg!(feature = "tenants") {
            self.unlisted.first_from(slot)
        } else {
            None
        }
    }

    /// Makes a place for the keys of a tenant that no list names and that has none. `is_busy`: slots that are being fetched for.
    /// Gives the slot, and the keys of the tenant that made room.
    pub(crate) fn admit(
        &mut self,
        anchor: &Anchor,
        tenant: &str,
        issuer: &Rc<str>,
        is_busy: impl Fn(usize) -> bool,
    ) -> Option<(usize, Option<Gone>)> {
        let keys = IssuerKeys::new(Rc::clone(issuer), Some(tenant), &anchor.keys);
        self.unlisted
            .admit(Rc::clone(&anchor.issuer), keys, is_busy)
    }

    /// Whether these are the keys of a tenant that no token has proven yet.
    pub(crate) fn is_unproven(&self, slot: usize) -> bool {
        cfg!(feature = "tenants") && self.unlisted.is_unproven(slot)
    }

    /// Under which name something about these keys is told in the log, if it is.
    ///
    /// INVARIANT: no stranger chooses it, nor how often: of tenants that no list names it is the entry's, and of those that are unproven
    /// one failure is told until keys of one have come.
    pub(crate) fn tells(&mut self, slot: usize) -> Option<Rc<str>> {
        match self.named.get(slot) {
            None if cfg!(feature = "tenants") => self.unlisted.tells(slot),
            None => None,
            Some(keys) => Some(Rc::clone(keys.issuer())),
        }
    }

    /// Whether there is no such tenant, by word of its issuer. Never of one that is proven.
    pub(crate) fn is_denied(&self, slot: usize) -> bool {
        cfg!(feature = "tenants") && self.unlisted.is_denied(slot)
    }

    pub(crate) fn note_denied(&mut self, slot: usize, is_denied: bool) {
        self.unlisted.note_denied(slot, is_denied);
    }

    /// Notes that keys of an issuer have come.
    pub(crate) fn note_loaded(&mut self, slot: usize) {
        if cfg!(feature = "tenants") && slot >= self.named.len() {
            self.unlisted.note_loaded();
        }
    }

    /// Notes that a fetch for an unproven tenant was paid for.
    pub(crate) fn note_paid(&mut self, slot: usize, paid: Paid) {
        self.unlisted.note_paid(slot, paid);
    }

    /// Notes a new token whose signature is good. What follows, if it is the first of a tenant that no list names.
    pub(crate) fn prove(
        &mut self,
        slot: usize,
        now: UnixTime,
        is_busy: impl Fn(usize) -> bool,
    ) -> Option<Proof> {
        if cfg!(feature = "tenants") && slot >= self.named.len() {
            self.unlisted.prove(slot, now, is_busy)
        } else {
            None
        }
    }

    /// Gives a tenant up whose keys are due and not worth another fetch.
    pub(crate) fn give_up_idle(&mut self, slot: usize, now: UnixTime) -> Option<Gone> {
        if cfg!(feature = "tenants") && self.unlisted.is_idle(slot, now) {
            self.unlisted.give_up(slot)
        } else {
            None
        }
    }
}

#[cfg(test)]
#[cfg(feature = "tenants")]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::time::Duration;

    fn anchors() -> Vec<Rc<Anchor>> {
        let tenants = ["[b, a]", "{ pattern: \"[a-z]{1,9}\" }"];
        let entries: String = tenants
            .iter()
            .enumerate()
            .map(|(n, tenants)| {
                format!(
                    "- issuer: https://i{n}.example.com/{{tenant}}\n  tenants: {tenants}\n  audiences: [api]\n  \
                     algorithms: [ES256]\n  jwks: {{ uri: \"https://i{n}.example.com/{{tenant}}/keys\", cluster: idp }}\n"
                )
            })
            .collect();
        let text = format!(
            "version: 1\nissuers:\n{entries}routes:\n- {{ match: {{ prefix: / }}, require: {{}} }}\ndefault: deny\n"
        );
        Config::parse(text.as_bytes()).unwrap().anchors
    }

    fn admit(ring: &mut KeyRing, anchor: &Anchor, tenant: &str) -> usize {
        let issuer: Rc<str> = format!("https://i1.example.com/{tenant}").into();
        let (slot, _) = ring.admit(anchor, tenant, &issuer, |_| false).unwrap();
        assert_eq!(ring.slot_of(anchor, Some(tenant), &issuer), Some(slot));
        assert_eq!(ring.get(slot).unwrap().issuer(), &issuer);
        slot
    }

    #[test]
    fn listed_tenants_have_slots_in_the_order_of_their_names() {
        let anchors = anchors();
        let ring = KeyRing::new(&anchors, 100);
        for (tenant, slot) in [("a", Some(0)), ("b", Some(1)), ("c", None)] {
            let issuer = format!("https://i0.example.com/{tenant}");
            let found = ring.slot_of(&anchors[0], Some(tenant), &issuer);
            assert_eq!(found, slot);
            if let Some(slot) = slot {
                assert_eq!(&**ring.get(slot).unwrap().issuer(), issuer);
            }
        }
        assert_eq!(
            ring.slot_of(&anchors[0], None, "https://i0.example.com/a"),
            None
        );
        assert_eq!((ring.first_from(1), ring.first_from(2)), (Some(1), None));
    }

    #[test]
    fn a_slot_that_was_given_up_is_nobodys_for_ever() {
        let anchors = anchors();
        let (mut ring, now) = (KeyRing::new(&anchors, 100), UnixTime::from_secs(10));
        let first = admit(&mut ring, &anchors[1], "acme");
        assert!(ring.is_unproven(first));
        // Not in the moment in which its fetch ended: whoever waited for it has not been judged yet.
        assert!(ring.give_up_idle(first, now).is_none());
        let later = now.after(Duration::from_secs(30));
        ring.note_paid(first, Paid::default());
        assert!(ring.give_up_idle(first, later).is_none());
        let later = later.after(Duration::from_secs(30));
        assert_eq!(
            ring.give_up_idle(first, later).map(|gone| gone.slot),
            Some(first)
        );
        assert!(ring.get(first).is_none() && !ring.is_unproven(first));
        let second = admit(&mut ring, &anchors[1], "umbrella");
        assert!(second > first && ring.get(first).is_none());
        assert_eq!(ring.first_from(first), Some(second));
    }

    #[test]
    fn unproven_tenants_are_few_and_make_room_for_each_other_only() {
        let anchors = anchors();
        let (mut ring, now) = (KeyRing::new(&anchors, 100), UnixTime::from_secs(10));
        let proven = admit(&mut ring, &anchors[1], "acme");
        assert!(ring.prove(proven, now, |_| false).is_some());
        let busy = admit(&mut ring, &anchors[1], "busy");
        for name in (b'a'..=b'z').flat_map(|a| (b'a'..=b'z').map(move |b| [a, b, b'x'])) {
            let tenant = str::from_utf8(&name).unwrap();
            let issuer: Rc<str> = format!("https://i1.example.com/{tenant}").into();
            ring.admit(&anchors[1], tenant, &issuer, |slot| slot == busy);
            assert!(ring.unlisted.len() <= 65);
        }
        assert!(ring.get(proven).is_some() && ring.get(busy).is_some());
        // When all are being fetched for there is no room, and nothing is made.
        let issuer: Rc<str> = "https://i1.example.com/late".into();
        assert!(ring.admit(&anchors[1], "late", &issuer, |_| true).is_none());
        assert_eq!(ring.slot_of(&anchors[1], Some("late"), &issuer), None);
    }
}
