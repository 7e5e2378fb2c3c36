//! Many at once: tenants of the patterns, each named by another address.

use super::super::mint::{Minted, lasting};
use super::super::names::Tenant;
use super::{Route, Sent, Story};

/// How many addresses crowds have.
const STRANGERS: u16 = 250;

impl Story<'_> {
    pub(super) fn send_crowd(&mut self) {
        let (entry, first, count, kind) = (
            self.tape.byte(),
            self.tape.byte(),
            self.tape.byte(),
            self.tape.byte(),
        );
        // Mostly a few; now and then so many that others make room.
        let count = match count {
            0..=239 => count % 12,
            240..=251 => 20 + count % 12,
            _ => 70 + count % 4 * 12,
        };
        self.crowd(entry, usize::from(first), count, kind);
    }

    /// `count` tenants are named, one after the other, by good tokens.
    pub(super) fn crowd(&mut self, entry: u8, first: usize, count: u8, kind: u8) {
        for number in 0..count {
            let tenant = Tenant::of_crowd(entry, first + usize::from(number));
            self.tape.pass(1);
            self.send_one(self.stranger(Some(lasting(tenant).clone()), Route::Any));
            self.stranger = (self.stranger + 1) % STRANGERS;
            let kind = if kind % 8 == 7 { number } else { kind } % 8;
            let newest = self.open.last().filter(|open| open.tenant == tenant);
            let Some(open) = newest.copied() else {
                continue;
            };
            if kind == 2 || kind == 6 {
                // The client leaves before its keys come.
                let last = self.paused.pop_if(|one| one.tenant == tenant);
                if let Some(waiting) = last {
                    self.guard.cancel(waiting.pending);
                }
            }
            if kind == 2 || kind == 5 {
                continue;
            }
            self.open.pop();
            match kind {
                3 => self.reply_to(open, 11, 0),
                4 => self.reply_to(open, if open.metadata { 8 } else { 9 }, 1),
                _ => self.answer_well(open),
            }
        }
    }

    /// One token from many addresses.
    pub(super) fn send_burst(&mut self) {
        let (slot, count) = (self.tape.byte(), self.tape.byte());
        let token = self.slots.get(usize::from(slot) % 7).cloned();
        for _ in 0..count % 16 {
            self.send_one(self.stranger(token.clone(), Route::Any));
            self.stranger = (self.stranger + 1) % STRANGERS;
        }
    }

    fn stranger(&self, token: Option<Minted>, route: Route) -> Sent {
        Sent {
            token,
            spoof: false,
            route,
            source: 256 + self.stranger,
            began: 0,
            pauses: 0,
        }
    }
}
