//! What one key of shared data holds: a key set as it was fetched, who fetches the next one, and a MAC over all of it.
//!
//! A record is binary, of one form: mark, MAC, and what the MAC is about: the key set's identity, six numbers of eight bytes
//! (big endian) and the body. There is nothing secret in it.

use portcullis_jose::DerivedKey;

use crate::time::UnixTime;

/// Format and version.
const MARK: &[u8; 4] = b"PCS1";

/// Bytes of MAC, and of an identity.
pub(super) const HASH: usize = 32;

/// Bytes before the body: mark, MAC, identity, six numbers.
const HEAD: usize = MARK.len() + HASH + HASH + 6 * 8;

/// Longest body that is shared: making and checking its MAC takes half a millisecond in wasm. Longer sets are fetched by each
/// worker.
pub(super) const MOST_BODY: usize = 64 << 10;

/// Longest record.
pub(super) const MOST: usize = HEAD + MOST_BODY;

/// Stands for "the issuer did not say".
const UNSAID: u64 = u64::MAX;

/// Which key set of which issuer, as configured: a keyed hash of all that matters.
pub(crate) type Identity = [u8; HASH];

/// What a key of shared data holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// When a fetch for the sake of an unknown `kid` began last.
    pub(crate) forced: Option<UnixTime>,
    /// Who is fetching.
    pub(crate) lease: Option<Lease>,
    /// The set that was fetched last.
    pub(crate) set: Option<SharedSet>,
}

/// A worker's word that it is fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Who, by a number that each draws; never zero.
    pub(crate) holder: u64,
    /// When its word is worth nothing any more.
    pub(crate) until: UnixTime,
}

/// A key set as an issuer gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharedSet {
    pub(crate) fetched: UnixTime,
    /// When nobody may use it any more.
    pub(crate) expires: UnixTime,
    /// How long the issuer calls it fresh, in seconds.
    pub(crate) max_age: Option<u64>,
    pub(crate) body: Vec<u8>,
}

/// Why bytes are no record for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// They are no record.
    Malformed,
    /// Nobody who knows the secret made them for this place.
    Forged,
}

/// Makes and checks records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal<'k> {
    pub(super) key: &'k DerivedKey,
    /// The key of shared data that the record stands under. INVARIANT: it is in the MAC, so that a record is worth nothing
    /// elsewhere.
    pub(super) place: &'k str,
}

impl Seal<'_> {
    fn parts<'p>(&'p self, length: &'p [u8; 8], sealed: &'p [u8]) -> [&'p [u8]; 4] {
        [MARK, length, self.place.as_bytes(), sealed]
    }

    fn length(&self) -> [u8; 8] {
        u64::try_from(self.place.len())
            .unwrap_or(u64::MAX)
            .to_be_bytes()
    }

    /// A record as bytes. `None` if its body is too long.
    pub(super) fn close(&self, identity: &Identity, record: &Record) -> Option<Vec<u8>> {
        let body = record.set.as_ref().map_or(&[][..], |set| &set.body);
        if body.len() > MOST_BODY {
            return None;
        }
        let nanos = |time: Option<UnixTime>| time.map_or(0, UnixTime::as_nanos);
        let set = record.set.as_ref();
        let numbers = [
            nanos(record.forced),
            nanos(record.lease.map(|lease| lease.until)),
            record.lease.map_or(0, |lease| lease.holder),
            nanos(set.map(|set| set.fetched)),
            nanos(set.map(|set| set.expires)),
            set.and_then(|set| set.max_age).unwrap_or(UNSAID),
        ];
        let mut sealed = Vec::with_capacity(HEAD.saturating_add(body.len()));
        sealed.extend_from_slice(identity);
        for number in numbers {
            sealed.extend_from_slice(&number.to_be_bytes());
        }
        sealed.extend_from_slice(body);
        let tag = self.key.mac(&self.parts(&self.length(), &sealed)).ok()?;
        let mut bytes = Vec::with_capacity(HEAD.saturating_add(body.len()));
        bytes.extend_from_slice(MARK);
        bytes.extend_from_slice(&tag);
        bytes.extend_from_slice(&sealed);
        Some(bytes)
    }

    /// Reads bytes strictly.
    ///
    /// INVARIANT: no number and no byte of the body is looked at before the MAC is known to be right.
    ///
    /// # Errors
    /// [`Flaw`]
    pub(super) fn open(&self, bytes: &[u8]) -> Result<(Identity, Record), Flaw> {
        if bytes.len() > MOST {
            return Err(Flaw::Malformed);
        }
        let rest = bytes.strip_prefix(MARK).ok_or(Flaw::Malformed)?;
        let (tag, sealed) = rest.split_first_chunk::<HASH>().ok_or(Flaw::Malformed)?;
        if !self.key.has_made(tag, &self.parts(&self.length(), sealed)) {
            return Err(Flaw::Forged);
        }
        let (identity, rest) = sealed.split_first_chunk::<HASH>().ok_or(Flaw::Malformed)?;
        let (forced, rest) = number(rest)?;
        let (until, rest) = number(rest)?;
        let (holder, rest) = number(rest)?;
        let (fetched, rest) = number(rest)?;
        let (expires, rest) = number(rest)?;
        let (max_age, body) = number(rest)?;
        let time = |nanos: u64| (nanos != 0).then(|| UnixTime::from_nanos(nanos));
        let lease = match (time(until), holder) {
            (None, 0) => None,
            (Some(until), 1..) => Some(Lease { holder, until }),
            _ => return Err(Flaw::Malformed),
        };
        let set = match (time(fetched), time(expires)) {
            (Some(fetched), Some(expires)) => Some(SharedSet {
                fetched,
                expires,
                max_age: (max_age != UNSAID).then_some(max_age),
                body: body.to_vec(),
            }),
            (None, None) if max_age == UNSAID && body.is_empty() => None,
            _ => return Err(Flaw::Malformed),
        };
        let record = Record {
            forced: time(forced),
            lease,
            set,
        };
        Ok((*identity, record))
    }
}

fn number(bytes: &[u8]) -> Result<(u64, &[u8]), Flaw> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Flaw::Malformed)?;
    Ok((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use portcullis_jose::{SecretEncoding, SecretKey};

    use super::*;

    fn key(of: u8) -> DerivedKey {
        let secret = SecretKey::read(None, vec![of; 32], SecretEncoding::Text).unwrap();
        secret.derive("seal").unwrap()
    }

    fn records() -> Vec<Record> {
        let at = UnixTime::from_secs;
        let (holder, until) = (7, at(20));
        let lease = Some(Lease { holder, until });
        let set = |max_age, body: &[u8]| {
            Some(SharedSet {
                fetched: at(9),
                expires: at(90),
                max_age,
                body: body.to_vec(),
            })
        };
        let mut all = Vec::new();
        for forced in [None, Some(at(5))] {
            for lease in [None, lease] {
                for set in [None, set(None, b""), set(Some(0), b"{\"keys\":[]}")] {
                    all.push(Record { forced, lease, set });
                }
            }
        }
        all
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let key = key(1);
        let seal = Seal {
            key: &key,
            place: "a",
        };
        for record in records() {
            let bytes = seal.close(&[3; HASH], &record).unwrap();
            assert_eq!(seal.open(&bytes), Ok(([3; HASH], record)));
        }
    }

    #[test]
    fn a_record_that_is_changed_anywhere_is_none() {
        let key = key(1);
        let seal = Seal {
            key: &key,
            place: "a",
        };
        for record in records() {
            let bytes = seal.close(&[3; HASH], &record).unwrap();
            for place in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[place] ^= 1;
                let flaw = if place < MARK.len() {
                    Flaw::Malformed
                } else {
                    Flaw::Forged
                };
                assert_eq!(seal.open(&bad), Err(flaw), "{place}");
                assert!(seal.open(&bytes[..place]).is_err(), "{place}");
            }
            let longer = [&bytes[..], b" "].concat();
            assert_eq!(seal.open(&longer), Err(Flaw::Forged));
        }
    }

    #[test]
    fn a_record_is_worth_nothing_under_another_key_or_in_another_place() {
        let (key, other) = (key(1), key(2));
        let seal = Seal {
            key: &key,
            place: "a",
        };
        let bytes = seal.close(&[3; HASH], &records()[3]).unwrap();
        for seal in [
            Seal {
                key: &other,
                place: "a",
            },
            Seal {
                key: &key,
                place: "b",
            },
            Seal {
                key: &key,
                place: "",
            },
        ] {
            assert_eq!(seal.open(&bytes), Err(Flaw::Forged));
        }
    }

    #[test]
    fn what_contradicts_itself_is_none_though_it_is_sealed() {
        let key = key(1);
        let seal = Seal {
            key: &key,
            place: "a",
        };
        let sealed = |numbers: [u64; 6], body: &[u8]| {
            let mut inside = vec![3; HASH];
            numbers
                .iter()
                .for_each(|number| inside.extend_from_slice(&number.to_be_bytes()));
            inside.extend_from_slice(body);
            let tag = key.mac(&seal.parts(&seal.length(), &inside)).unwrap();
            [&MARK[..], &tag, &inside].concat()
        };
        assert!(seal.open(&sealed([0, 0, 0, 0, 0, UNSAID], b"")).is_ok());
        for (numbers, body) in [
            ([0, 9, 0, 0, 0, UNSAID], &b""[..]),
            ([0, 0, 9, 0, 0, UNSAID], b""),
            ([0, 0, 0, 9, 0, UNSAID], b""),
            ([0, 0, 0, 0, 9, UNSAID], b""),
            ([0, 0, 0, 0, 0, 9], b""),
            ([0, 0, 0, 0, 0, UNSAID], b"x"),
        ] {
            let bytes = sealed(numbers, body);
            assert_eq!(seal.open(&bytes), Err(Flaw::Malformed), "{numbers:?}");
        }
        let short = [
            &MARK[..],
            &key.mac(&seal.parts(&seal.length(), b"")).unwrap(),
        ]
        .concat();
        assert_eq!(seal.open(&short), Err(Flaw::Malformed));
    }

    #[test]
    fn bodies_are_bounded() {
        let key = key(1);
        let seal = Seal {
            key: &key,
            place: "a",
        };
        let of = |length: usize| Record {
            set: Some(SharedSet {
                fetched: UnixTime::from_secs(1),
                expires: UnixTime::from_secs(2),
                max_age: None,
                body: vec![b' '; length],
            }),
            ..Record::default()
        };
        let bytes = seal.close(&[0; HASH], &of(MOST_BODY)).unwrap();
        assert_eq!(bytes.len(), MOST);
        assert!(seal.open(&bytes).is_ok());
        assert_eq!(seal.close(&[0; HASH], &of(MOST_BODY + 1)), None);
        assert_eq!(seal.open(&vec![b'P'; MOST + 1]), Err(Flaw::Malformed));
    }
}
