//! Verified tokens by their whole text, bounded in bytes.
//!
//! An entry says who a token speaks for, never what that permits: its times, audience and the route's demands are
//! checked on every request. Only tokens whose signature was verified get in.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use foldhash::quality::FixedState;
use quick_cache::unsync::Cache;
use quick_cache::{Equivalent, Lifecycle, Weighter};

use crate::identity::Identity;

/// Bytes of one entry beside its token and identity: slab, hash table, allocators' headers, and what evictions leave
/// between allocations. Measured by resident memory with a full cache; a 32-bit module needs less.
const ENTRY_BYTES: usize = 512;

/// The cache of verified tokens.
pub(crate) struct TokenCache {
    entries: Cache<Token, Rc<Identity>, ByMemory, FixedState, CountEvictions>,
}

/// A whole token: INVARIANT: entries are compared by all of its bytes, never by a hash.
#[derive(Eq)]
struct Token(Box<[u8]>);

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        same_bytes(&self.0, &other.0)
    }
}

/// Whether all bytes are the same. Eight at a time: in wasm, `==` on slices goes byte by byte.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let word = |chunk: &[u8; 8]| u64::from_le_bytes(*chunk);
    a.len() == b.len() && a_rest == b_rest && a.iter().map(word).eq(b.iter().map(word))
}

/// A token that is looked up.
struct Asked<'t>(&'t [u8]);

/// Hashes length and tail. The tail is the end of the signature, which nobody who could choose it can make verify, so
/// entries do not collide; hashing a kilobyte on every request would buy nothing.
fn hash_tail<H: Hasher>(token: &[u8], state: &mut H) {
    const TAIL: usize = 64;
    let tail = token
        .get(token.len().saturating_sub(TAIL)..)
        .unwrap_or(token);
    state.write_usize(token.len());
    state.write(tail);
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_tail(&self.0, state);
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_tail(self.0, state);
    }
}

impl Equivalent<Token> for Asked<'_> {
    fn equivalent(&self, key: &Token) -> bool {
        same_bytes(self.0, &key.0)
    }
}

#[derive(Clone)]
struct ByMemory;

impl Weighter<Token, Rc<Identity>> for ByMemory {
    fn weight(&self, token: &Token, identity: &Rc<Identity>) -> u64 {
        let bytes = token
            .0
            .len()
            .saturating_add(identity.heap_bytes())
            .saturating_add(ENTRY_BYTES);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

#[derive(Clone)]
struct CountEvictions;

impl Lifecycle<Token, Rc<Identity>> for CountEvictions {
    type RequestState = u64;

    fn on_evict(&self, evicted: &mut u64, _token: Token, _identity: Rc<Identity>) {
        *evicted = evicted.saturating_add(1);
    }
}

impl TokenCache {
    /// A cache that holds at most `bytes`; none at all for zero.
    pub(crate) fn new(bytes: u64, seed: u64) -> Self {
        // Only sizes the list of tokens remembered after eviction; nothing is allocated ahead.
        let estimate = usize::try_from(bytes / 2048).unwrap_or(usize::MAX);
        Self {
            entries: Cache::with(
                estimate,
                bytes,
                ByMemory,
                FixedState::with_seed(seed),
                CountEvictions,
            ),
        }
    }

    pub(crate) fn get(&self, token: &[u8]) -> Option<Rc<Identity>> {
        self.entries.get(&Asked(token)).cloned()
    }

    /// Inserts and tells how many others were evicted for it.
    pub(crate) fn insert(&mut self, token: &[u8], identity: Rc<Identity>) -> u64 {
        let mut evicted = 0;
        self.entries
            .insert_with_lifecycle(Token(token.into()), identity, &mut evicted);
        evicted
    }

    pub(crate) fn remove(&mut self, token: &[u8]) {
        self.entries.remove(&Asked(token));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_in_every_byte_or_not_at_all() {
        let token: Vec<u8> = (0..45).collect();
        for length in 0..token.len() {
            let token = &token[..length];
            let copy = token.to_vec();
            assert!(same_bytes(token, &copy));
            for at in 0..length {
                let mut other = token.to_vec();
                other[at] ^= 1;
                assert!(!same_bytes(token, &other), "{at} of {length}");
                assert!(!same_bytes(token, &token[..at]));
            }
        }
    }
}
