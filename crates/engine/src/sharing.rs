//! Shared data as a store of records: where the record of a key set stands, and what of it still counts.
//!
//! There is a fixed number of places, as a key of shared data cannot be deleted. A key set has four of them, by its identity,
//! and uses the first that no other key set uses.

mod record;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::Sharing;
use crate::shared_store::{Found, SharedStore, Version, Written};
use crate::time::UnixTime;
use crate::waiting::FeedId;
use record::{Flaw, MOST, Seal};
pub(crate) use record::{Identity, Lease, Record, SharedSet};

/// Places in all. With a thousand key sets about one finds its four taken, and is not shared.
const PLACES: u16 = 4096;

/// How much later than now a time may be that another worker read from the same clock.
const SKEW: Duration = Duration::from_secs(1);

/// The longest lease that is honoured, whoever wrote it.
const LONGEST_LEASE: Duration = Duration::from_secs(150);

/// The store with what is needed to use it.
pub(crate) struct Shared {
    store: Box<dyn SharedStore>,
    /// What this guard signs its leases with. Never zero.
    holder: u64,
    /// Of each key set, once it was asked for; sorted.
    known: Vec<((usize, usize), Places)>,
    /// Bytes that were read and written in this callback.
    bytes: Cell<usize>,
    /// What was told in the log: each thing once.
    told: BTreeSet<&'static str>,
}

#[derive(Clone, Copy)]
struct Places {
    identity: Identity,
    places: [u16; 4],
}

/// Where the record of a key set stands, or is to stand.
#[derive(Debug)]
pub(crate) struct Spot {
    name: String,
    identity: Identity,
    version: Version,
    /// What counts of it now.
    pub(crate) record: Record,
    /// What was found and does not count.
    pub(crate) fault: Option<Fault>,
}

/// Why something is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It was not written by a guard with this secret for this place, or is no record at all.
    Forged,
    /// It is older than it may be, or from a time that has not come.
    Outdated,
}

/// Why there is no spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSpot {
    /// Other key sets have all places.
    Taken,
    /// The host has no shared data.
    NoStore,
}

impl Shared {
    /// `seed`: random bits of this guard; they are not told.
    pub(crate) fn new(store: Box<dyn SharedStore>, keys: &Sharing, seed: u64) -> Self {
        let drawn = keys.name.mac(&[b"holder", &seed.to_be_bytes()]);
        let drawn = drawn.unwrap_or_default();
        let holder = drawn.first_chunk().copied().unwrap_or_default();
        Self {
            store,
            holder: u64::from_be_bytes(holder).max(1),
            known: Vec::new(),
            bytes: Cell::new(0),
            told: BTreeSet::new(),
        }
    }

    /// The name of this guard among workers.
    pub(crate) const fn holder(&self) -> u64 {
        self.holder
    }

    /// Bytes that were read and written since [`Shared::begin`].
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Counts anew.
    pub(crate) fn begin(&self) {
        self.bytes.set(0);
    }

    fn count(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
    }

    /// Whether this was told before.
    pub(crate) fn has_told(&self, what: &'static str) -> bool {
        self.told.contains(what)
    }

    pub(crate) fn note_told(&mut self, what: &'static str) {
        self.told.insert(what);
    }

    /// Forgets the key sets of an issuer, by its slot.
    pub(crate) fn forget(&mut self, slot: usize) {
        self.known.retain(|((issuer, _), _)| *issuer != slot);
    }

    /// Finds the record of a key set. `describe` says what tells it from all others; asked once.
    ///
    /// # Errors
    /// [`NoSpot`]
    pub(crate) fn find(
        &mut self,
        keys: &Sharing,
        feed: FeedId,
        now: UnixTime,
        describe: impl FnOnce() -> Vec<u8>,
    ) -> Result<Spot, NoSpot> {
        let wanted = (feed.issuer, feed.feed);
        let known = self
            .known
            .binary_search_by_key(&wanted, |(known, _)| *known);
        let Places { identity, places } = match known {
            Ok(place) => self.known.get(place).ok_or(NoSpot::NoStore)?.1,
            Err(place) => {
                // INVARIANT: what cannot be told from other key sets is not shared.
                let places = Places::of(keys, &describe()).ok_or(NoSpot::NoStore)?;
                self.known.insert(place, (wanted, places));
                places
            }
        };
        for place in places {
            let name = name_of(place);
            let seal = Seal {
                key: &keys.seal,
                place: &name,
            };
            let (version, opened) = match self.store.read(&name, MOST) {
                Found::NoStore => return Err(NoSpot::NoStore),
                Found::Nothing => (Version::Absent, None),
                Found::Unreadable => (Version::Any, Some(Err(Flaw::Malformed))),
                Found::Value(bytes, version) => {
                    self.count(bytes.len());
                    (Version::Is(version), Some(seal.open(&bytes)))
                }
            };
            let (record, fault) = match opened {
                None => (Record::default(), None),
                Some(Err(Flaw::Malformed | Flaw::Forged)) => {
                    (Record::default(), Some(Fault::Forged))
                }
                Some(Ok((owner, record))) => {
                    let (record, fault) = in_time(record, now);
                    if owner != identity {
                        if record.lease.is_some() || record.set.is_some() {
                            continue;
                        }
                        // What is left of another key set, and used by nobody.
                        (Record::default(), None)
                    } else {
                        (record, fault)
                    }
                }
            };
            return Ok(Spot {
                name,
                identity,
                version,
                record,
                fault,
            });
        }
        Err(NoSpot::Taken)
    }

    /// Puts a record where the last one stood, unless somebody else changed it since. `None`: it is too long.
    pub(crate) fn write(&self, keys: &Sharing, spot: &Spot, record: &Record) -> Option<Written> {
        let seal = Seal {
            key: &keys.seal,
            place: &spot.name,
        };
        let bytes = seal.close(&spot.identity, record)?;
        self.count(bytes.len());
        Some(self.store.write(&spot.name, &bytes, spot.version))
    }
}

impl Places {
    /// `None` if there is no MAC, which never happens.
    fn of(keys: &Sharing, description: &[u8]) -> Option<Self> {
        let identity = keys.name.mac(&[b"key set", description]).ok()?;
        let (pairs, _) = identity.as_chunks::<2>();
        let mut places = [0; 4];
        for (place, pair) in places.iter_mut().zip(pairs) {
            *place = u16::from_be_bytes(*pair).checked_rem(PLACES).unwrap_or(0);
        }
        Some(Self { identity, places })
    }
}

fn name_of(place: u16) -> String {
    format!("portcullis.keys.{place:03x}")
}

/// What counts of a record now. INVARIANT: nothing that has ended does, nor what says that it comes from a time that has not come:
/// whoever puts an old record back gains what is left of its time, and no more.
fn in_time(record: Record, now: UnixTime) -> (Record, Option<Fault>) {
    let has_come = |time: UnixTime| time <= now.after(SKEW);
    let lives = |set: &SharedSet| has_come(set.fetched) && now < set.expires;
    let fault = record.set.as_ref().is_some_and(|set| !lives(set));
    let record = Record {
        forced: record.forced.filter(|time| has_come(*time)),
        lease: record
            .lease
            .filter(|lease| now < lease.until && lease.until <= now.after(LONGEST_LEASE)),
        set: record.set.filter(lives),
    };
    (record, fault.then_some(Fault::Outdated))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use portcullis_jose::{SecretEncoding, SecretKey};

    use super::*;

    #[derive(Clone, Default)]
    struct Plain(Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

    impl SharedStore for Plain {
        fn read(&self, key: &str, _most: usize) -> Found {
            let values = self.0.borrow();
            values
                .get(key)
                .map_or(Found::Nothing, |value| Found::Value(value.clone(), 1))
        }

        fn write(&self, key: &str, value: &[u8], _over: Version) -> Written {
            self.0.borrow_mut().insert(key.to_owned(), value.to_vec());
            Written::Done
        }
    }

    fn keys() -> Sharing {
        let secret = SecretKey::read(None, vec![7; 32], SecretEncoding::Text).unwrap();
        Sharing {
            seal: secret.derive("seal").unwrap(),
            name: secret.derive("name").unwrap(),
        }
    }

    const FEED: FeedId = FeedId { issuer: 0, feed: 0 };

    fn leased(until: u64) -> Record {
        let (holder, until) = (1, UnixTime::from_secs(until));
        Record {
            lease: Some(Lease { holder, until }),
            ..Record::default()
        }
    }

    /// The spot that a key set of this name has, as another guard would see it.
    fn find(store: &Plain, name: &str, now: u64) -> Result<Spot, NoSpot> {
        let mut shared = Shared::new(Box::new(store.clone()), &keys(), 1);
        let now = UnixTime::from_secs(now);
        shared.find(&keys(), FEED, now, || name.as_bytes().to_vec())
    }

    #[test]
    fn key_sets_move_aside_for_each_other_and_four_times_at_most() {
        let store = Plain::default();
        let places = Places::of(&keys(), b"ours").unwrap().places;
        assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), 4);
        for (taken, place) in places.iter().enumerate() {
            let spot = find(&store, "ours", 10).unwrap();
            assert_eq!(spot.name, name_of(*place), "{taken}");
            // Another key set that came here first, made by hand.
            let seal = Seal {
                key: &keys().seal,
                place: &name_of(*place),
            };
            let theirs = seal.close(&[taken as u8; 32], &leased(20)).unwrap();
            store.0.borrow_mut().insert(name_of(*place), theirs);
        }
        assert_eq!(find(&store, "ours", 10).unwrap_err(), NoSpot::Taken);
        // When their time is over, the place is free.
        let spot = find(&store, "ours", 20).unwrap();
        assert_eq!((spot.name, spot.fault), (name_of(places[0]), None));
        assert_eq!(spot.record, Record::default());
    }

    #[test]
    fn identities_and_places_differ_by_secret_and_description() {
        let secret = SecretKey::read(None, vec![8; 32], SecretEncoding::Text).unwrap();
        let other = Sharing {
            seal: secret.derive("seal").unwrap(),
            name: secret.derive("name").unwrap(),
        };
        let known = Places::of(&keys(), b"a").unwrap();
        for places in [Places::of(&keys(), b"b"), Places::of(&other, b"a")] {
            let places = places.unwrap();
            assert_ne!(known.identity, places.identity);
            assert_ne!(known.places, places.places);
        }
        assert!(known.places.iter().all(|place| *place < PLACES));
    }

    #[test]
    fn guards_are_told_apart_and_their_seed_is_not_told() {
        let holder = |seed| Shared::new(Box::new(Plain::default()), &keys(), seed).holder();
        assert_ne!(holder(1), holder(2));
        assert!(holder(0) != 0 && holder(5) != 5);
    }

    #[test]
    fn a_lease_of_more_than_its_time_is_none() {
        let at = |seconds| in_time(leased(seconds), UnixTime::from_secs(100)).0.lease;
        assert!(at(101).is_some() && at(250).is_some());
        assert!(at(100).is_none() && at(251).is_none());
    }
}
