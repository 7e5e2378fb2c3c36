//! Workers that share what they fetched: two root contexts, as of two workers, on one host.

use portcullis_abi::Action;
use portcullis_abi::fake::Vm;

use super::{
    ALICE, K1, OK, ROOT, configured, fetched, key_set, later, log, metric, request_at, vm,
};

const OTHER: u32 = 2;

fn sharing() -> String {
    fetched() + "shared: { secret: \"${env:SHARED}\" }\n"
}

fn give_secret(vm: &Vm) {
    vm.host(|host| host.environment = b"SHARED=0123456789abcdef0123456789abcdef\0".to_vec());
}

fn two() -> Vm {
    let vm = vm();
    give_secret(&vm);
    vm.root(OTHER);
    for (root, random) in [(ROOT, 0), (OTHER, 77)] {
        // The scripted source begins anew with each block.
        vm.host(|host| host.random = random);
        assert!(vm.configure(root, &sharing()), "{:?}", log(&vm));
    }
    vm
}

fn calls(vm: &Vm) -> usize {
    vm.host(|host| host.calls.len())
}

#[test]
fn one_fetches_with_the_first_tick_and_the_other_takes() {
    let vm = two();
    // Nothing is read with the configuration.
    assert_eq!((calls(&vm), vm.host(|host| host.shared_reads)), (0, 0));
    for root in [ROOT, OTHER] {
        vm.tick(root);
    }
    assert_eq!(calls(&vm), 1);
    assert_eq!(
        request_at(&vm, OTHER, 11, "/orders", Some(ALICE)),
        Action::Pause
    );
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    vm.tick(OTHER);
    assert_eq!(vm.host(|host| host.streams[&11].resumed), 1);
    assert_eq!(calls(&vm), 1);
    let before = vm.host(|host| host.shared_reads);
    for (root, stream) in [(ROOT, 12), (OTHER, 13)] {
        assert_eq!(
            request_at(&vm, root, stream, "/orders", Some(ALICE)),
            Action::Continue
        );
    }
    later(&vm, 60);
    vm.tick(ROOT);
    vm.tick(OTHER);
    assert_eq!(vm.host(|host| host.shared_reads), before);
    assert_eq!(metric(&vm, "portcullis.shared.taken"), Some(1));
    assert_eq!(metric(&vm, "portcullis.shared.published"), Some(1));
    let (value, _) = vm.host(|host| host.shared_data.values().next().cloned().unwrap());
    assert!(!value.windows(16).any(|part| part == b"0123456789abcdef"));
}

#[test]
fn what_somebody_else_wrote_is_refused_and_told() {
    let vm = two();
    vm.tick(ROOT);
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    vm.host(|host| {
        for (value, _) in host.shared_data.values_mut() {
            value.push(b' ');
        }
    });
    log(&vm);
    vm.tick(OTHER);
    assert_eq!(calls(&vm), 2);
    assert_eq!(metric(&vm, "portcullis.shared.refused"), Some(1));
    let told = log(&vm);
    assert!(
        told.iter()
            .any(|(level, line)| *level == 3 && line.contains("no guard with this secret")),
        "{told:?}"
    );
}

#[test]
fn a_host_without_shared_data_costs_a_fetch_each_and_a_line() {
    let vm = two();
    vm.host(|host| host.fail.insert("get_shared_data", 12));
    vm.tick(ROOT);
    vm.tick(OTHER);
    assert_eq!(calls(&vm), 2);
    let told = log(&vm);
    let lines = told
        .iter()
        .filter(|(_, line)| line.contains("no shared data"));
    assert_eq!(lines.count(), 2, "{told:?}");
}

#[test]
fn a_host_where_nobody_could_wait_is_told_with_the_configuration() {
    for prepare in [
        |vm: &Vm| vm.host(|host| host.ignores_effective_context = true),
        |vm: &Vm| {
            vm.host(|host| host.fail.insert("set_tick_period_milliseconds", 12));
        },
    ] {
        let vm = vm();
        give_secret(&vm);
        prepare(&vm);
        assert!(vm.configure(ROOT, &sharing()));
        let told = log(&vm);
        assert!(
            told.iter()
                .any(|(_, line)| line.contains("`shared` is left aside")),
            "{told:?}"
        );
        vm.tick(ROOT);
        assert_eq!(vm.host(|host| host.shared_reads), 0);
    }
}

#[test]
fn without_shared_nothing_is_shared() {
    let vm = configured(&fetched());
    vm.tick(ROOT);
    vm.reply(ROOT, 0, OK, &key_set(&[K1]));
    later(&vm, 700);
    vm.tick(ROOT);
    assert_eq!(vm.host(|host| host.shared_reads), 0);
    assert!(vm.host(|host| host.shared_data.is_empty()));
}

#[test]
fn a_secret_that_is_missing_is_a_mistake() {
    let vm = vm();
    assert!(!vm.configure(ROOT, &sharing()));
    let told = log(&vm);
    assert!(
        told.iter()
            .any(|(_, line)| line.contains("the environment has no `SHARED`")),
        "{told:?}"
    );
}
