//! What stands for sharing in a build without it: every worker fetches.

use std::time::Duration;

use super::Guard;
use crate::shared_store::SharedStore;
use crate::time::UnixTime;
use crate::waiting::{FeedId, Want};

/// What to do instead of fetching: nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    dead_code,
    reason = "the callers are the same in every build; only the one that shares makes the others"
)]
pub(super) enum Look {
    Fetch,
    Taken,
    Follow,
    Cooling,
}

#[expect(
    clippy::unused_self,
    clippy::needless_pass_by_ref_mut,
    reason = "the callers are the same in every build"
)]
impl Guard {
    /// Nothing is shared.
    pub fn share_through(&mut self, _store: Box<dyn SharedStore>) {}

    pub(super) const fn is_sharing(&self) -> bool {
        false
    }

    pub(super) const fn shared_bytes(&self) -> usize {
        0
    }

    pub(super) const fn begin_shared(&self) {}

    pub(super) const fn forget_places(&mut self, _slot: usize) {}

    pub(super) const fn look(&mut self, _feed: FeedId, _want: Want, _now: UnixTime) -> Look {
        Look::Fetch
    }

    pub(super) const fn publish(
        &mut self,
        _feed: FeedId,
        _body: &[u8],
        _max_age: Option<Duration>,
        _now: UnixTime,
    ) {
    }

    pub(super) const fn end_lease(&mut self, _feed: FeedId, _now: UnixTime) {}
}
