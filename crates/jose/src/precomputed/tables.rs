//! The tables of many keys: bounded in bytes, made a little at a time, the one used longest ago given up first.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use super::comb::{Comb, Group, Growing};
use super::ed25519;
use super::weierstrass::{self, Points};
use crate::public_key::{Material, PublicKey};

/// How many good verifications without a table buy one key the place of another. A table costs as much to make as one or
/// two verifications without, so keys that take turns beyond the limit cost little more than they would without tables.
const MISSES_PER_EVICTION: u32 = 64;

/// Whose table it is.
///
/// INVARIANT: a key is known by the SHA-256 of all that makes it (RFC 7638): two keys with one table would verify each
/// other's signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    P256Base,
    #[cfg(feature = "more-algorithms")]
    P384Base,
    #[cfg(feature = "more-algorithms")]
    P521Base,
    Ed25519Base,
    Key([u8; 32]),
}

impl Whose {
    pub(crate) const fn of(key: &PublicKey) -> Self {
        Self::Key(key.thumbprint)
    }
}

/// A finished table.
pub(crate) enum Table {
    P256(Comb<Points<p256::NistP256>>),
    #[cfg(feature = "more-algorithms")]
    P384(Comb<Points<p384::NistP384>>),
    #[cfg(feature = "more-algorithms")]
    P521(Comb<Points<p521::NistP521>>),
    Ed25519(Comb<ed25519::Edwards>),
}

enum Making {
    P256(Growing<Points<p256::NistP256>>),
    #[cfg(feature = "more-algorithms")]
    P384(Growing<Points<p384::NistP384>>),
    #[cfg(feature = "more-algorithms")]
    P521(Growing<Points<p521::NistP521>>),
    Ed25519(Growing<ed25519::Edwards>),
}

struct Kept {
    table: Table,
    bytes: usize,
    last_used: Cell<u64>,
}

/// A table that is still to be made, or being made. Its bytes are set aside for it.
struct Planned {
    whose: Whose,
    bytes: usize,
    making: Making,
}

pub(crate) struct Tables {
    limit: usize,
    /// Of tables kept and planned.
    bytes: usize,
    kept: BTreeMap<Whose, Kept>,
    /// The first is being made.
    planned: VecDeque<Planned>,
    uses: Cell<u64>,
    misses: u32,
}

impl Tables {
    /// No tables yet, and never more than `limit` bytes of them.
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: 0,
            kept: BTreeMap::new(),
            planned: VecDeque::new(),
            uses: Cell::new(0),
            misses: 0,
        }
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, whose: Whose) -> Option<&Table> {
        self.kept.get(&whose).map(|kept| &kept.table)
    }

    /// Notes that a table showed a signature to be good. Forged tokens keep no table alive.
    pub(crate) fn touch(&self, key: &PublicKey) {
        let now = self.uses.get().saturating_add(1);
        self.uses.set(now);
        if let Some(kept) = self.kept.get(&Whose::of(key)) {
            kept.last_used.set(now);
        }
    }

    /// Plans a key's table, if there is room.
    pub(crate) fn plan(&mut self, key: &PublicKey) {
        let wanted = self.wanted(key);
        let bytes = self.bytes.saturating_add(bytes_of(&wanted));
        if bytes <= self.limit {
            self.bytes = bytes;
            self.planned.extend(wanted);
        }
    }

    /// Plans the table of a key that had none when it was needed, now and then in the place of another.
    pub(crate) fn plan_used(&mut self, key: &PublicKey) {
        self.plan(key);
        let wanted = self.wanted(key);
        if wanted.is_empty() {
            // It has been planned, or keys of its kind have none.
            return;
        }
        self.misses = self.misses.saturating_add(1);
        if self.misses < MISSES_PER_EVICTION {
            return;
        }
        self.misses = 0;
        let needed = bytes_of(&wanted);
        if self.lasting().saturating_add(needed) > self.limit {
            // Nothing that can go would make room enough.
            return;
        }
        while self.bytes.saturating_add(needed) > self.limit && self.evict() {}
        self.plan(key);
    }

    /// Gives a key's table up.
    pub(crate) fn drop_key(&mut self, key: &PublicKey) {
        let whose = Whose::of(key);
        if let Some(kept) = self.kept.remove(&whose) {
            self.bytes = self.bytes.saturating_sub(kept.bytes);
        }
        if let Some(place) = self
            .planned
            .iter()
            .position(|planned| planned.whose == whose)
            && let Some(planned) = self.planned.remove(place)
        {
            self.bytes = self.bytes.saturating_sub(planned.bytes);
        }
    }

    /// Works on what is planned, for about this long and not longer, if a single step is not.
    pub(crate) fn advance(&mut self, nanos: u64) {
        let mut spent: u64 = 0;
        while let Some(first) = self.planned.front_mut() {
            let Some(cost) = first.making.next_cost() else {
                if let Some(done) = self.planned.pop_front() {
                    self.keep(done);
                }
                continue;
            };
            let after = spent.saturating_add(cost);
            if spent > 0 && after > nanos {
                return;
            }
            first.making.step();
            spent = after;
        }
    }

    fn keep(&mut self, done: Planned) {
        let Some(table) = done.making.finish() else {
            self.bytes = self.bytes.saturating_sub(done.bytes);
            return;
        };
        self.kept.insert(
            done.whose,
            Kept {
                table,
                bytes: done.bytes,
                last_used: Cell::new(self.uses.get()),
            },
        );
    }

    fn is_known(&self, whose: Whose) -> bool {
        self.kept.contains_key(&whose) || self.planned.iter().any(|planned| planned.whose == whose)
    }

    /// What is still to be made for a key: its table, and the one that all keys of its kind share. A key's table is of no use
    /// without that, so they are planned together or not at all.
    fn wanted(&self, key: &PublicKey) -> Vec<Planned> {
        let whose = Whose::of(key);
        if self.is_known(whose) {
            return Vec::new();
        }
        let Some((base, making)) = begin(&key.material) else {
            return Vec::new();
        };
        let base = (!self.is_known(base.whose)).then_some(base);
        base.into_iter()
            .chain([Planned::new(whose, making)])
            .collect()
    }

    /// Bytes of what is never evicted: shared tables, and what is still to be made.
    fn lasting(&self) -> usize {
        let keys = self.kept.iter();
        let keys = keys.filter(|(whose, _)| matches!(whose, Whose::Key(_)));
        keys.fold(self.bytes, |bytes, (_, kept)| {
            bytes.saturating_sub(kept.bytes)
        })
    }

    /// Gives up the key's table that was used longest ago.
    fn evict(&mut self) -> bool {
        let oldest = self
            .kept
            .iter()
            .filter(|(whose, _)| matches!(whose, Whose::Key(_)))
            .min_by_key(|(_, kept)| kept.last_used.get())
            .map(|(whose, _)| *whose);
        let Some(kept) = oldest.and_then(|whose| self.kept.remove(&whose)) else {
            return false;
        };
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        true
    }
}

/// What is to be made for a key, after what is to be made once for all keys of its kind. `None`: it needs no table.
fn begin(material: &Material) -> Option<(Planned, Making)> {
    match material {
        Material::Rsa { .. } => None,
        Material::P256(key) => Some((
            Planned::new(Whose::P256Base, Making::P256(weierstrass::grow_base())),
            Making::P256(weierstrass::grow_key(key)),
        )),
        #[cfg(feature = "more-algorithms")]
        Material::P384(key) => Some((
            Planned::new(Whose::P384Base, Making::P384(weierstrass::grow_base())),
            Making::P384(weierstrass::grow_key(key)),
        )),
        #[cfg(feature = "more-algorithms")]
        Material::P521(key) => Some((
            Planned::new(Whose::P521Base, Making::P521(weierstrass::grow_base())),
            Making::P521(weierstrass::grow_key(key)),
        )),
        #[cfg(feature = "more-algorithms")]
        Material::MlDsa(_) => None,
        Material::Ed25519(key) => Some((
            Planned::new(Whose::Ed25519Base, Making::Ed25519(ed25519::grow_base())),
            Making::Ed25519(ed25519::grow_key(key)?),
        )),
    }
}

fn bytes_of(wanted: &[Planned]) -> usize {
    wanted
        .iter()
        .fold(0, |sum, planned| sum.saturating_add(planned.bytes))
}

impl Planned {
    fn new(whose: Whose, making: Making) -> Self {
        Self {
            whose,
            bytes: making.bytes(),
            making,
        }
    }
}

impl Making {
    fn bytes(&self) -> usize {
        fn of<G: Group>(growing: &Growing<G>) -> usize {
            growing.bytes().saturating_add(size_of::<Kept>())
        }
        match self {
            Self::P256(growing) => of(growing),
            #[cfg(feature = "more-algorithms")]
            Self::P384(growing) => of(growing),
            #[cfg(feature = "more-algorithms")]
            Self::P521(growing) => of(growing),
            Self::Ed25519(growing) => of(growing),
        }
    }

    fn next_cost(&self) -> Option<u64> {
        match self {
            Self::P256(growing) => growing.next_cost(),
            #[cfg(feature = "more-algorithms")]
            Self::P384(growing) => growing.next_cost(),
            #[cfg(feature = "more-algorithms")]
            Self::P521(growing) => growing.next_cost(),
            Self::Ed25519(growing) => growing.next_cost(),
        }
    }

    fn step(&mut self) {
        match self {
            Self::P256(growing) => growing.step(),
            #[cfg(feature = "more-algorithms")]
            Self::P384(growing) => growing.step(),
            #[cfg(feature = "more-algorithms")]
            Self::P521(growing) => growing.step(),
            Self::Ed25519(growing) => growing.step(),
        }
    }

    fn finish(self) -> Option<Table> {
        match self {
            Self::P256(growing) => growing.finish().map(Table::P256),
            #[cfg(feature = "more-algorithms")]
            Self::P384(growing) => growing.finish().map(Table::P384),
            #[cfg(feature = "more-algorithms")]
            Self::P521(growing) => growing.finish().map(Table::P521),
            Self::Ed25519(growing) => growing.finish().map(Table::Ed25519),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ADVANCE_NANOS;
    use super::*;
    use crate::fixture;
    use crate::{KeySet, KeySetLimits};

    /// What one call may take is kept by steps that are short, of every kind of table.
    #[test]
    fn no_step_is_longer_than_one_call_may_be() {
        let keys = [fixture::ec(""), fixture::ed25519("")].join(",");
        let json = format!(r#"{{"keys":[{keys}]}}"#);
        let set = KeySet::parse(json.as_bytes(), &KeySetLimits::default()).unwrap();
        let mut tables: Vec<Making> = Vec::new();
        for key in set.keys() {
            let (base, own) = begin(&key.material).unwrap();
            tables.extend([base.making, own]);
        }
        #[cfg(feature = "more-algorithms")]
        {
            let p384 = p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap();
            let p521 = p521::ecdsa::SigningKey::from_slice(&[1; 66]).unwrap();
            tables.extend([
                Making::P384(weierstrass::grow_base()),
                Making::P384(weierstrass::grow_key(p384.verifying_key())),
                Making::P521(weierstrass::grow_base()),
                Making::P521(weierstrass::grow_key(p521.verifying_key())),
            ]);
        }
        for mut making in tables {
            let mut steps = 0;
            while let Some(cost) = making.next_cost() {
                assert!(cost > 0 && cost <= ADVANCE_NANOS, "{cost}");
                making.step();
                steps += 1;
            }
            assert!(steps > 1 && making.finish().is_some());
        }
    }
}
