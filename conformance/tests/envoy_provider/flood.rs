//! A flood of forged signatures and random key ids while keys rotate: bounded work, and valid tokens keep passing.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use portcullis_conformance::provider::{Rotation, Token};
use portcullis_conformance::scenario::head;
use portcullis_conformance::traffic::{Sample, Traffic, flood};

use crate::stage::{READ, Stage};

/// Seconds between two refetches for the sake of unknown keys.
const COOLDOWN: u64 = 2;

/// Envoy's worker threads, each with a VM and a key set of its own.
const WORKERS: u64 = 2;

/// Most requests of one attacker.
const MOST: usize = 100_000;

fn samples<'t>(tokens: impl IntoIterator<Item = &'t Token>) -> Vec<Sample> {
    tokens
        .into_iter()
        .map(|token| Sample::get("a valid token", "/orders/42", Some(&token.token), 200))
        .collect()
}

/// `token` with a signature that nobody made: another one for every `number`.
fn forged(token: &str, number: usize) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a compact JWS");
    let (start, rest) = signature.split_at(4);
    let [first, second, third] = [number, number / 64, number / 4096].map(digit);
    // One of so many would be the issuer's own.
    let fourth = if start.ends_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{second}{third}{fourth}{rest}")
}

/// `token` with a key id that no issuer has.
fn with_random_kid(token: &Token, number: usize) -> String {
    let mut header = token.header.clone();
    header["kid"] = format!("nobody-{number}").into();
    let (_, rest) = token.token.split_once('.').expect("a compact JWS");
    format!("{}.{rest}", base64_url(header.to_string().as_bytes()))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn digit(number: usize) -> char {
    char::from(ALPHABET[number % 64])
}

fn base64_url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk
            .iter()
            .fold(0, |number, byte| (number << 8) | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|at| digit(number >> (18 - 6 * at))));
    }
    text
}

#[test]
fn a_flood_costs_one_refetch_a_cooldown_and_no_valid_request() -> Result<()> {
    let mut stage = Stage::set()?;
    let gateway = stage.gateway(&stage.policy(&format!("cooldown: {COOLDOWN}s"))?)?;
    let old = stage.tokens("reader", READ)?;
    let traffic = Traffic::start(gateway.address(), 2, samples(&old));
    traffic.flow(200)?;
    let began = Instant::now();
    let fetched_before = stage.provider.key_fetches()?.len();

    let stop = AtomicBool::new(false);
    let going = || !stop.load(Ordering::SeqCst);
    let target = gateway.address();
    let (forgeries, strangers) = std::thread::scope(|scope| -> Result<_> {
        let forgers = scope.spawn(|| {
            let requests = (0..MOST).take_while(|_| going());
            let tokens = requests.map(|number| forged(&old[number % old.len()].token, number));
            flood(
                target,
                Ipv4Addr::new(127, 0, 0, 2),
                tokens.map(|token| head("GET", "/orders/42", Some(&token), "")),
            )
        });
        let strangers = scope.spawn(|| {
            let requests = (0..MOST).take_while(|_| going());
            let tokens = requests.map(|number| with_random_kid(&old[number % old.len()], number));
            flood(
                target,
                Ipv4Addr::new(127, 0, 0, 3),
                tokens.map(|token| head("GET", "/orders/42", Some(&token), "")),
            )
        });

        // The rotation of an issuer that waits a cool-down between publishing a key and using it.
        let rotated = (|| -> Result<()> {
            traffic.flow(500)?;
            stage.provider.rotate(Rotation::Publish)?;
            std::thread::sleep(Duration::from_secs(2 * COOLDOWN));
            stage.provider.rotate(Rotation::Use)?;
            let new = stage.tokens("reader", READ)?;
            traffic.send(samples(old.iter().chain(&new)));
            traffic.flow(500)?;
            traffic.send(samples(&new));
            traffic.flow(100)?;
            stage.provider.rotate(Rotation::Retire)?;
            traffic.flow(500)?;
            std::thread::sleep(Duration::from_secs(COOLDOWN));
            traffic.flow(200)
        })();
        stop.store(true, Ordering::SeqCst);
        let forgeries = forgers.join().expect("the forger does not panic")?;
        let strangers = strangers.join().expect("the stranger does not panic")?;
        rotated?;
        Ok((forgeries, strangers))
    })?;

    let elapsed = began.elapsed().as_secs() + 1;
    let right = traffic.finish()?;
    let fetches = stage.provider.key_fetches()?.len() - fetched_before;
    println!(
        "{right} valid requests; forged: {forgeries:?}; unknown keys: {strangers:?}; {fetches} key fetches in {elapsed} s"
    );
    for (name, answers) in [("forged", &forgeries), ("unknown keys", &strangers)] {
        assert!(
            answers
                .keys()
                .all(|status| [401, 429, 503].contains(status)),
            "{name}: {answers:?}"
        );
        assert!(
            answers.values().sum::<u64>() > 1000,
            "{name} is no flood: {answers:?}"
        );
    }
    // The example leaves `limits.failures.per_source` at its default: 100 at once, then 100 a second, for each worker.
    let verified = gateway
        .envoy()
        .stats()?
        .get("wasmcustom.portcullis.signature.bad")
        .copied()
        .unwrap_or_default();
    let budget = WORKERS * (100 + 100 * (elapsed + 1));
    assert!(
        (1..=budget).contains(&verified),
        "{verified} bad signatures were verified, more than {budget}"
    );
    let most = WORKERS * (elapsed / COOLDOWN + 1);
    assert!(
        fetches as u64 <= most,
        "{fetches} fetches in {elapsed} s, more than {most}"
    );
    assert_eq!(gateway.traps()?, 0);
    Ok(())
}
