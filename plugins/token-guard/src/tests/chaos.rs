//! Callbacks in any order on a host that fails at random: nothing panics, and nobody passes who must not.

use std::collections::BTreeSet;

use portcullis_abi::Action;
use portcullis_abi::fake::Vm;

use super::{ALICE, BOB, K1, K2, OK, fetched, inline, key_set, later};
use crate::new_plugin;

/// Statuses of the ABI, and numbers that are none.
const STATUSES: [u32; 10] = [1, 2, 3, 4, 6, 7, 10, 12, 99, u32::MAX];

const CALLS: [&str; 14] = [
    "log",
    "get_current_time_nanoseconds",
    "clock_time_get",
    "random_get",
    "set_tick_period_milliseconds",
    "get_buffer_bytes",
    "get_header_map_pairs",
    "get_property",
    "replace_header_map_value",
    "remove_header_map_value",
    "http_call",
    "continue_stream",
    "set_effective_context",
    "define_metric",
];

/// A small generator (xorshift): the run is the same every time.
struct Dice(u32);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.checked_rem(sides).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.roll(u32::try_from(of.len()).unwrap());
        &of[usize::try_from(at).unwrap()]
    }
}

fn request(vm: &Vm, dice: &mut Dice, root: u32, stream: u32, forged: &str) -> (bool, Action) {
    let path = *dice.pick(&["/orders", "/orders", "/healthz", "/nowhere", "//", ""]);
    let bearer = format!("Bearer {}", *dice.pick(&[ALICE, BOB, forged, "x"]));
    let mut headers = vec![
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "a"),
        (":path", path),
    ];
    if dice.roll(4) > 0 {
        headers.push(("authorization", &bearer));
    }
    let good = [ALICE, BOB].map(|token| format!("Bearer {token}"));
    let is_good = |(name, value): &(&str, &str)| {
        *name == "authorization" && good.iter().any(|good| good == value)
    };
    let may_pass = path == "/healthz" || (path == "/orders" && headers.iter().any(is_good));
    vm.stream(stream, root, &headers);
    if dice.roll(10) == 0 {
        vm.host(|host| host.streams.get_mut(&stream).unwrap().wire = Some(vec![1, 0, 0, 0, 255]));
    }
    (may_pass, vm.request_headers(stream))
}

fn play(seed: u32, operations: u32) -> (u32, usize) {
    let mut dice = Dice(seed);
    // The last character of a signature holds bits that don't count: change the one before the payload's end.
    let forged = ALICE.replacen(".eL1j", ".fL1j", 1);
    let vm = Vm::start(new_plugin);
    vm.root(1);
    assert!(vm.configure(1, &fetched()));
    let (mut passed, mut woken) = (0_u32, BTreeSet::new());
    let mut must_not_pass = BTreeSet::new();
    for operation in 0..operations {
        vm.host(|host| {
            host.fail.clear();
            host.log.clear();
        });
        for _ in 0..dice.roll(6).saturating_sub(2) {
            let (call, status) = (*dice.pick(&CALLS), *dice.pick(&STATUSES));
            vm.host(|host| host.fail.insert(call, status));
        }
        let root = *dice.pick(&[1, 2]);
        let stream = dice.roll(60).saturating_add(100);
        match dice.roll(12) {
            0..=3 => {
                must_not_pass.remove(&stream);
                let (may_pass, action) = request(&vm, &mut dice, root, stream, &forged);
                if may_pass {
                    passed = passed.saturating_add(u32::from(action == Action::Continue));
                } else {
                    assert_eq!(
                        action,
                        Action::Pause,
                        "operation {operation} of seed {seed}"
                    );
                    must_not_pass.insert(stream);
                }
            }
            4 => {
                must_not_pass.remove(&stream);
                vm.delete(stream);
            }
            5..=7 => {
                let calls = vm.host(|host| u32::try_from(host.calls.len()).unwrap());
                // Mostly one of the last calls; else one that was answered, or never made.
                let far = if dice.roll(4) > 0 { 3 } else { calls.max(3) };
                let back = dice.roll(far);
                let token = calls.wrapping_sub(back);
                let context = *dice.pick(&[root, root, root, stream]);
                let bodies = [
                    key_set(&[K1]),
                    key_set(&[K2]),
                    key_set(&[K1, K2]),
                    b"{".to_vec(),
                    vec![b' '; 1 << 20],
                ];
                let heads: [&[(&str, &str)]; 6] = [OK, OK, OK, OK, &[], &[(":status", "500")]];
                let (body, headers) = (dice.pick(&bodies).clone(), *dice.pick(&heads));
                vm.reply(context, token, headers, &body);
            }
            8 | 9 => {
                later(&vm, *dice.pick(&[0, 0, 0, 1, 1, 1, 2, 40]));
                vm.tick(root);
            }
            10 if dice.roll(4) == 0 => {
                vm.root(root);
                let _ = vm.configure(root, &fetched());
            }
            10 if dice.roll(20) == 0 => vm.delete(root),
            10 if dice.roll(20) == 0 => vm.host(|host| host.ignores_effective_context ^= true),
            11 if dice.roll(8) == 0 => {
                let configurations = [fetched(), inline(), "version: 1".to_owned()];
                let configuration: &String = dice.pick(&configurations);
                let _ = vm.configure(root, configuration);
            }
            _ => {}
        }
        for stream in &must_not_pass {
            let resumed =
                vm.host(|host| host.streams.get(stream).map_or(0, |stream| stream.resumed));
            assert_eq!(resumed, 0, "operation {operation} of seed {seed}");
        }
        vm.host(|host| {
            woken.extend(
                host.streams
                    .iter()
                    .filter(|(_, s)| s.resumed > 0)
                    .map(|(id, _)| *id),
            )
        });
    }
    (passed, woken.len())
}

#[test]
fn whatever_the_host_does_nobody_passes_who_must_not() {
    let (mut passed, mut woken) = (0, 0);
    for seed in 1..=20 {
        let (p, w) = play(seed * 7919, 1500);
        passed += p;
        woken += w;
    }
    // A filter that refuses everything would hold the assertions above, too.
    assert!(passed > 500 && woken > 10, "passed {passed}, woken {woken}");
}
