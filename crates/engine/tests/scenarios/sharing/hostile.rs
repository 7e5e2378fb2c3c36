//! Another module on the same `vm_id`: it reads, changes, copies and puts back whatever it likes.

use std::time::Duration;

use portcullis_engine::{Count, Reason, UnixTime};
use serde_json::json;

use super::proxy::{Proxy, SECOND, TICK, sharing, worker};
use crate::mint::{Key, key, key_set};
use crate::world::{DAWN, World, get, with};

/// A key set that the module would like to see used stands in a record of the right form.
fn forged_record(evil: &Key) -> Vec<u8> {
    let mut bytes = b"PCS1".to_vec();
    bytes.extend([0; 32]);
    bytes.extend([0; 32]);
    for number in [0, 0, 0, DAWN * 1_000_000_000, u64::MAX / 2, u64::MAX] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(key_set(&[evil]));
    bytes
}

#[track_caller]
fn refuses(world: &mut World, evil: &Key) {
    let token = evil.sign(&world.claims());
    let got = world.send(&get("/orders").bearer(&token));
    assert!(!matches!(got, crate::world::Got::Forward(_)));
}

#[test]
fn what_no_guard_wrote_is_refused_and_told_once() {
    let (good, evil) = (key("a", 1), key("a", 2));
    type Spoil = fn(&mut Vec<u8>);
    let spoilers: [(&str, Spoil); 7] = [
        ("emptied", Vec::clear),
        ("cut", |value| value.truncate(value.len() - 1)),
        ("lengthened", |value| value.push(b' ')),
        ("a bit of the MAC", |value| value[4] ^= 1),
        ("a bit of the identity", |value| value[36] ^= 1),
        ("a later fetch", |value| value[68 + 24] ^= 1),
        ("a longer life", |value| value[68 + 32] ^= 0x40),
    ];
    for (what, spoil) in spoilers {
        let mut proxy = Proxy::with_keys(&sharing(), 1, &[&good]);
        proxy.store.spoil(spoil);
        let mut late = worker(&sharing(), &proxy.store, 9);
        late.pass(SECOND);
        assert_eq!(late.count(Count::SharedTaken), 0, "{what}");
        assert_eq!(late.count(Count::SharedRefused), 1, "{what}");
        assert_eq!(late.calls.len(), 1, "{what}: it fetches by itself");
        assert_eq!(late.notices.len(), 1, "{what}");
        assert!(
            late.notices[0].contains("no guard with this secret"),
            "{what}"
        );
        // What it fetched is there for others again.
        late.answer_keys(&[&good]);
        proxy.workers.push(worker(&sharing(), &proxy.store, 10));
        proxy.pass(SECOND);
        proxy.forwards_everywhere(&good);
        assert_eq!(proxy.calls_made(), 1, "{what}");
    }
    let mut proxy = Proxy::with_keys(&sharing(), 1, &[&good]);
    proxy.store.spoil(|value| *value = forged_record(&evil));
    let mut late = worker(&sharing(), &proxy.store, 9);
    refuses(&mut late, &evil);
    late.answer_keys(&[&good]);
    refuses(&mut late, &evil);
    proxy.workers.push(late);
    proxy.forwards_everywhere(&good);
}

#[test]
fn a_record_of_another_secret_is_refused() {
    let (good, evil) = (key("a", 1), key("a", 2));
    let other = with(
        sharing(),
        json!({"shared": {"dangerous_inline_secret": "another secret of thirty-two bytes"}}),
    );
    let theirs = Proxy::with_keys(&other, 1, &[&evil]);
    let ours = Proxy::with_keys(&sharing(), 1, &[&good]);
    // What they wrote, where ours reads it.
    let record = theirs.store.all().into_values().next().unwrap();
    ours.store.spoil(|value| value.clone_from(&record));
    let mut late = worker(&sharing(), &ours.store, 9);
    refuses(&mut late, &evil);
    assert_eq!(late.count(Count::SharedRefused), 1);
    assert_eq!(late.count(Count::SharedTaken), 0);
}

#[test]
fn the_record_of_another_issuer_is_worth_nothing() {
    let (good, evil) = (key("a", 1), key("a", 2));
    // An issuer that is trusted for its own tokens only.
    let mut document = sharing();
    let second = with(
        document["issuers"][0].clone(),
        json!({"issuer": "https://evil.example.com", "jwks": {"uri": "https://evil.example.com/jwks"}}),
    );
    document["issuers"].as_array_mut().unwrap().push(second);
    document["upstream"] = json!({});
    let mut proxy = Proxy::new(&document, 1);
    proxy.tick();
    proxy.workers[0].answer_keys(&[&good]);
    proxy.workers[0].answer_keys(&[&evil]);
    let all = proxy.store.all();
    assert_eq!(all.len(), 2);
    for record in all.values() {
        let before = proxy.store.all();
        proxy.store.spoil(|value| value.clone_from(record));
        let mut late = worker(&document, &proxy.store, 9);
        refuses(&mut late, &evil);
        late.pass(2 * SECOND);
        refuses(&mut late, &evil);
        proxy.store.put(&before);
    }
}

#[test]
fn nobody_is_rolled_back_to_keys_that_were_withdrawn() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut proxy = Proxy::with_keys(&sharing(), 2, &[&old]);
    let stolen = proxy.store.all();
    proxy.forwards_everywhere(&old);
    // The key leaked, and is withdrawn.
    while proxy.workers.iter().all(|worker| worker.calls.is_empty()) {
        proxy.pass(SECOND);
    }
    proxy.answer_all(&[&new]);
    proxy.pass(130 * SECOND);
    proxy.forwards_everywhere(&new);
    proxy.store.put(&stolen);
    for _ in 0..100 {
        proxy.pass(20 * SECOND);
        proxy.answer_all(&[&new]);
        proxy.store.put(&stolen);
        for at in 0..2 {
            refuses(&mut proxy.workers[at], &old);
            proxy.answer_all(&[&new]);
        }
    }
    proxy.forwards_everywhere(&new);
    assert!(proxy.count(Count::SharedOutdated) > 0);
    assert!(proxy.notices().iter().any(|line| line.contains("older")));
}

/// A worker that has nothing can be shown the old set, as long as another worker could have it: its time is in the MAC.
#[test]
fn an_old_set_outlives_nothing() {
    let (old, new) = (key("a", 1), key("b", 2));
    let proxy = Proxy::with_keys(&sharing(), 1, &[&old]);
    let stolen = proxy.store.all();
    for (age, taken) in [(4100, 1), (4199, 1), (4201, 0), (400_000, 0)] {
        proxy.store.put(&stolen);
        let mut late = worker(&sharing(), &proxy.store, 9);
        late.now = UnixTime::from_secs(DAWN + age);
        late.tick();
        assert_eq!(late.count(Count::SharedTaken), taken, "{age}");
        // It is due, so it is fetched at once all the same.
        assert_eq!(late.calls.len(), 1, "{age}");
        late.answer_keys(&[&new]);
        refuses(&mut late, &old);
    }
}

#[test]
fn a_lease_that_is_put_back_for_ever_delays_and_no_more() {
    let good = key("a", 1);
    for put_back_for in [1, 3, 10, 1000] {
        let mut proxy = Proxy::new(&sharing(), 4);
        proxy.tick();
        let lease = proxy.store.all();
        let token = good.sign(&proxy.workers[1].claims());
        let waiter = proxy.workers[3]
            .send(&get("/orders").bearer(&token))
            .waits();
        let mut ended = Vec::new();
        for tick in 0..24 {
            if tick < put_back_for {
                proxy.store.put(&lease);
            }
            ended.extend(proxy.pass(TICK));
            ended.extend(proxy.answer_all(&[&good]));
        }
        let (_, got) = ended
            .into_iter()
            .find(|(known, _)| *known == waiter)
            .unwrap();
        got.forward();
        proxy.forwards_everywhere(&good);
        assert!(proxy.calls_made() <= 4, "{}", proxy.calls_made());
    }
}

#[test]
fn a_lease_ends_by_itself() {
    let good = key("a", 1);
    let mut proxy = Proxy::new(&sharing(), 1);
    proxy.tick();
    let lease = proxy.store.all();
    // Six seconds: the time-out and one more.
    for (later, follows) in [(5, true), (6, false), (7, false), (7000, false)] {
        proxy.store.put(&lease);
        let mut late = worker(&sharing(), &proxy.store, 9);
        late.now = UnixTime::from_secs(DAWN).after(Duration::from_secs(later));
        late.tick();
        assert_eq!(late.calls.is_empty(), follows, "{later}");
    }
    proxy.answer_all(&[&good]);
}

#[test]
fn an_unknown_kid_is_looked_for_whatever_is_put_back() {
    let (old, new) = (key("a", 1), key("b", 2));
    let mut proxy = Proxy::with_keys(&sharing(), 2, &[&old]);
    let records = proxy.store.all();
    proxy.pass(60 * SECOND);
    for at in 0..2 {
        proxy.store.put(&records);
        let token = new.sign(&proxy.workers[at].claims());
        proxy.workers[at]
            .send(&get("/orders").bearer(&token))
            .waits();
        let ended = proxy.workers[at].answer_keys(&[&old, &new]);
        ended.into_iter().next().unwrap().1.forward();
    }
}

#[test]
fn a_set_from_a_time_that_has_not_come_is_not_taken() {
    let good = key("a", 1);
    let mut proxy = Proxy::new(&sharing(), 1);
    // Its clock runs ahead.
    proxy.workers[0].now = UnixTime::from_secs(DAWN + 3600);
    proxy.tick();
    proxy.answer_all(&[&good]);
    let mut late = worker(&sharing(), &proxy.store, 9);
    late.tick();
    assert_eq!(late.count(Count::SharedTaken), 0);
    assert_eq!(late.count(Count::SharedOutdated), 1);
    late.answer_keys(&[&good]);
    let token = good.sign(&late.claims());
    late.send(&get("/orders").bearer(&token)).forward();
    // Nor does a clock that jumps back make it forget what it has.
    late.now = UnixTime::from_secs(DAWN - 3600);
    late.pass(3 * SECOND);
    late.send(&get("/orders").bearer(&token)).forward();
}

#[test]
fn a_record_is_worth_nothing_in_another_place() {
    let good = key("a", 1);
    let mut proxy = Proxy::with_keys(&sharing(), 1, &[&good]);
    let (place, record) = proxy.store.all().into_iter().next().unwrap();
    for number in 0..4096 {
        let other = format!("portcullis.keys.{number:03x}");
        let value = if other == place {
            Vec::new()
        } else {
            record.clone()
        };
        proxy.store.set(&other, value);
    }
    proxy.workers.push(worker(&sharing(), &proxy.store, 9));
    proxy.pass(SECOND);
    assert_eq!(proxy.workers[1].calls.len(), 1);
    proxy.answer_all(&[&good]);
    proxy.forwards_everywhere(&good);
}

#[test]
fn what_it_costs_is_bounded_by_the_same_back_off() {
    let good = key("a", 1);
    let mut proxy = Proxy::new(&sharing(), 4);
    for tick in 0..7200_u32 {
        // Another spoiler every time.
        match tick % 3 {
            0 => proxy.store.spoil(|value| value.push(0)),
            1 => proxy.store.spoil(Vec::clear),
            _ => proxy.store.spoil(|value| value.resize(1 << 20, 7)),
        }
        proxy.pass(TICK);
        proxy.answer_all(&[&good]);
    }
    proxy.forwards_everywhere(&good);
    // An hour of four workers that fetch every eight to ten minutes.
    assert!(
        (24..=34).contains(&proxy.calls_made()),
        "{}",
        proxy.calls_made()
    );
    // Each told it once.
    assert_eq!(proxy.notices().len(), 4);
    let token = key("a", 2).sign(&proxy.workers[0].claims());
    let got = proxy.workers[0].send(&get("/orders").bearer(&token));
    assert_eq!(got.reason(), Some(Reason::SignatureInvalid));
}
