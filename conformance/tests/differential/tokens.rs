//! Tokens: minted by one of the signers of a key set, often odd, often damaged afterwards.

use portcullis_conformance::random::Random;
use portcullis_jose::encode_base64url as encode;

use serde_json::Value;

use crate::key_sets::Holder;
use crate::{claims, damage, headers};

/// A token, and how it was made.
pub(crate) struct Made {
    pub(crate) text: Vec<u8>,
    pub(crate) kinds: Vec<&'static str>,
    /// The place of its signer's key in the set.
    pub(crate) key: usize,
    /// What tells that key: its `n` or `x`, as the signer has it.
    pub(crate) public: Value,
}

/// So many tokens for that set.
pub(crate) fn make(random: &mut Random, holders: &[Holder], count: usize) -> Vec<Made> {
    let mut minted: Vec<(String, &Holder, &'static str)> = Vec::new();
    let mut all: Vec<Made> = Vec::new();
    while all.len() < count {
        let holder = random.pick(holders);
        // Of three or four tokens one is damaged; signatures that take long to make are damaged more often instead.
        let share = if holder.signer.is_slow() { 75 } else { 30 };
        if minted.is_empty() || random.below(100) >= share {
            let algorithm = *random.pick(holder.signer.algorithms);
            let mut kinds = holder.kinds.clone();
            let header = headers::make(random, algorithm, holder.kid.as_deref(), &mut kinds);
            let payload = claims::make(random, &mut kinds);
            let input = format!("{}.{}", encode(&header), encode(&payload));
            let signature = holder.signer.sign(algorithm, input.as_bytes());
            let text = format!("{input}.{}", encode(&signature));
            minted.push((text.clone(), holder, algorithm));
            if kinds.is_empty() {
                kinds.push("plain");
            }
            all.push(Made {
                text: text.into_bytes(),
                kinds,
                key: holder.key,
                public: holder.signer.public(),
            });
        } else {
            let mut kinds = Vec::new();
            let (token, holder, algorithm) = random.pick(&minted).clone();
            let (other, ..) = random.pick(&minted).clone();
            let text = damage::damage(random, &token, &other, algorithm, &mut kinds);
            all.push(Made {
                text,
                kinds,
                key: holder.key,
                public: holder.signer.public(),
            });
        }
    }
    all
}
