//! Many workers in any order, on a network that answers late or not at all, beside a module that does what it likes.

use std::collections::BTreeSet;

use portcullis_engine::{Reply, UnixTime};

use super::proxy::{Proxy, SECOND, TICK, sharing, worker};
use super::store::{Mood, Snapshot};
use crate::mint::{Key, key, key_set};
use crate::world::{Got, get};

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn pick(&mut self, of: usize) -> usize {
        self.roll(of as u64) as usize
    }
}

/// The issuer: its key changes, and no key comes back.
struct Issuer {
    keys: Vec<Key>,
    /// When each was withdrawn.
    withdrawn: Vec<UnixTime>,
}

impl Issuer {
    fn rotate(&mut self, now: UnixTime) {
        self.withdrawn.push(now);
        self.keys.push(key("a", self.keys.len() as u8 + 1));
    }

    fn current(&self) -> &Key {
        self.keys.last().unwrap()
    }

    /// Whether a worker that could not fetch may still go on with this key: `refresh` and `stale`.
    fn may_pass(&self, epoch: usize, now: UnixTime) -> bool {
        let end = self.withdrawn.get(epoch);
        end.is_none_or(|end| now < end.after(4200 * SECOND))
    }
}

#[allow(clippy::too_many_lines, reason = "one story")]
fn play(seed: u64, is_hostile: bool) -> (usize, usize) {
    let mut dice = Dice(seed | 1);
    let mut proxy = Proxy::new(&sharing(), 3);
    let mut issuer = Issuer {
        keys: vec![key("a", 1)],
        withdrawn: Vec::new(),
    };
    // The newest key that each worker is known to have had.
    let mut epochs = [0; 3];
    let mut stolen: Vec<Snapshot> = Vec::new();
    let (mut passed, mut next_seed) = (0, 10);
    let mut waiting = BTreeSet::new();
    for _ in 0..1500 {
        let at = dice.pick(proxy.workers.len());
        let now = proxy.workers[at].now;
        match dice.roll(16) {
            // Time passes for all; not every worker ticks.
            0..=4 => {
                let span = [TICK, TICK, SECOND, 20 * SECOND][dice.pick(4)];
                let ticks = dice.roll(8);
                for (worker, bit) in proxy.workers.iter_mut().zip(0..) {
                    worker.now = worker.now.after(span);
                    if ticks >> bit & 1 == 1 {
                        for (waiter, _) in worker.tick() {
                            waiting.remove(&(bit, waiter));
                        }
                    }
                }
            }
            // A call is answered, or is not.
            5..=8 => {
                let worker = &mut proxy.workers[at];
                if !worker.calls.is_empty() {
                    let body = key_set(&[issuer.current()]);
                    let ended = worker.answer(match dice.roll(6) {
                        0 => Reply::TimedOut,
                        1 => Reply::Response {
                            status: 500,
                            headers: &[],
                            body: b"",
                        },
                        _ => Reply::Response {
                            status: 200,
                            headers: &[],
                            body: &body,
                        },
                    });
                    for (waiter, _) in ended {
                        waiting.remove(&(at, waiter));
                    }
                }
            }
            9..=12 => {
                let signer = issuer.keys.len().saturating_sub(1 + dice.pick(2));
                let token = issuer.keys[signer].sign(&proxy.workers[at].claims());
                match proxy.workers[at].send(&get("/orders").bearer(&token)) {
                    Got::Forward(_) => {
                        passed += 1;
                        // INVARIANT: no worker goes back to an older key, nor on with a withdrawn one for ever.
                        assert!(signer >= epochs[at], "seed {seed}: rolled back");
                        assert!(issuer.may_pass(signer, now), "seed {seed}: a dead key");
                        epochs[at] = signer;
                    }
                    Got::Waits(waiter) => {
                        waiting.insert((at, waiter));
                    }
                    _ => {}
                }
            }
            13 if dice.roll(10) == 0 => issuer.rotate(now),
            // A worker dies, with its calls and its lease, and is replaced.
            14 if dice.roll(10) == 0 => {
                let mut new = worker(&sharing(), &proxy.store, next_seed);
                next_seed += 1;
                new.now = now;
                proxy.workers[at] = new;
                epochs[at] = 0;
                waiting.retain(|(worker, _)| *worker != at);
            }
            15 if is_hostile => match dice.roll(6) {
                0 => stolen.push(proxy.store.all()),
                1 | 2 if !stolen.is_empty() => {
                    proxy.store.put(&stolen[dice.pick(stolen.len())]);
                }
                3 => {
                    let (place, bit) = (dice.pick(200), dice.roll(8));
                    proxy.store.spoil(|value| {
                        if let Some(byte) = value.get_mut(place) {
                            *byte ^= 1 << bit;
                        }
                    });
                }
                4 => {
                    let moods = [Mood::Good, Mood::Full, Mood::Contended, Mood::Swollen];
                    proxy.store.set_mood(moods[dice.pick(4)]);
                }
                _ => proxy.store.spoil(Vec::clear),
            },
            _ => {}
        }
    }
    // Whatever happened: when the issuer answers again, every worker has its keys soon, and nobody waits.
    for _ in 0..350 {
        if is_hostile && !stolen.is_empty() {
            proxy.store.put(&stolen[dice.pick(stolen.len())]);
        }
        proxy.pass(2 * SECOND);
        proxy.answer_all(&[issuer.current()]);
    }
    assert!(
        proxy
            .workers
            .iter()
            .all(|worker| worker.guard.waiting() == 0)
    );
    proxy.forwards_everywhere(issuer.current());
    (passed, proxy.calls_made())
}

#[test]
fn any_order_of_events_keeps_keys_fresh_and_nobody_waiting() {
    let mut passed = 0;
    for seed in 1..=60 {
        passed += play(seed * 0x9e37_79b9, false).0;
    }
    assert!(passed > 2000, "{passed}");
}

#[test]
fn so_does_any_order_beside_a_hostile_module() {
    let mut passed = 0;
    for seed in 1..=60 {
        passed += play(seed * 0x51ed_2701, true).0;
    }
    assert!(passed > 2000, "{passed}");
}
