//! The host's crypto in all its moods: good, lying, silent, failing later. Whatever it does, a bad signature is bad; and
//! as long as it can be believed, its verdicts are those of our own code, vector by vector.

mod envoy_like;
mod moods;
mod vectors;

use std::cell::RefCell;

use portcullis_abi::fake::{FakeFunction, Vm};
use portcullis_abi::{Action, CallReply, CallToken, Host, Plugin, Stream, StreamId};
use portcullis_jose::{Algorithm, CompactJws, KeySet, KeySetLimits, Limits, PublicKey, Verifier};

use crate::meters::Meters;
use crate::signatures::Signatures;

const NAME: &str = "verify_signature";

/// Calls that finding out takes: for each of two algorithms a good signature and two bad ones.
const PROBES: usize = 6;

thread_local! {
    static FOUND: RefCell<Option<Signatures>> = const { RefCell::new(None) };
}

/// A plugin that finds out about the host's crypto and nothing else: for the algorithms that its configuration names.
struct Finder;

impl Plugin for Finder {
    fn configure(&mut self, host: &Host<'_>) -> bool {
        let configuration = host.configuration(1 << 10).unwrap();
        let names = String::from_utf8(configuration).unwrap();
        let is_wanted = |algorithm: Algorithm| names.contains(algorithm.name());
        FOUND.set(Some(Signatures::find(host, true, is_wanted)));
        true
    }

    fn tick(&mut self, host: &Host<'_>) {
        let meters = Meters::define(host);
        FOUND.with_borrow(|found| found.as_ref().unwrap().report(host, &meters));
    }

    fn request_headers(&mut self, _: &Host<'_>, _: &Stream<'_>, _: usize) -> Action {
        Action::Pause
    }

    fn call_response(&mut self, _: &Host<'_>, _: CallToken, _: &CallReply) {}

    fn stream_done(&mut self, _: &Host<'_>, _: StreamId) {}

    fn shutdown(&mut self, _: &Host<'_>) {}
}

/// A host with this function, what was found out about it, and what was logged.
struct Found {
    vm: Vm,
    signatures: Signatures,
    log: String,
}

impl Found {
    fn on(function: Option<FakeFunction>) -> Self {
        Self::wanting("RS256 ES256", function)
    }

    fn wanting(algorithms: &str, function: Option<FakeFunction>) -> Self {
        Self::scripted(algorithms, |host| {
            host.foreign
                .extend(function.map(|function| (NAME, function)));
        })
    }

    fn scripted(
        algorithms: &str,
        script: impl FnOnce(&mut portcullis_abi::fake::FakeHost),
    ) -> Self {
        let vm = Vm::start(|| Box::new(Finder));
        vm.host(script);
        vm.root(1);
        assert!(vm.configure(1, algorithms));
        let log = vm.host(|host| {
            let lines = std::mem::take(&mut host.log).into_iter();
            lines.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
        });
        let signatures = FOUND.take().unwrap();
        FOUND.set(Some(signatures.clone()));
        Self {
            vm,
            signatures,
            log,
        }
    }

    /// How often the host was asked, the first questions included.
    fn calls(&self) -> usize {
        self.vm.host(|host| host.foreign_calls.len())
    }

    /// From now on the host has this function.
    fn becomes(&self, function: Option<FakeFunction>) {
        self.vm.host(|host| {
            host.foreign.clear();
            host.foreign
                .extend(function.map(|function| (NAME, function)));
        });
    }

    /// Verifications by the host, by our own code, and calls that failed, as the metrics say after a tick.
    fn counts(&self) -> [i64; 3] {
        self.vm.tick(1);
        ["host", "software", "host_failed"].map(|name| {
            let name = format!("portcullis.verify.{name}");
            super::metric(&self.vm, &name).unwrap()
        })
    }

    fn verifies(&self, signed: &Signed, input: &[u8], signature: &[u8]) -> bool {
        let verified = self
            .signatures
            .verify(&signed.key, signed.algorithm, input, signature);
        verified.is_ok()
    }

    /// Good is good, and bad is bad.
    #[track_caller]
    fn judges_rightly(&self, signed: &Signed) {
        assert!(self.verifies(signed, &signed.input, &signed.signature));
        assert!(!self.verifies(signed, b"something else", &signed.signature));
        let mut forged = signed.signature.clone();
        forged[40] ^= 1;
        assert!(!self.verifies(signed, &signed.input, &forged));
    }
}

/// A key and what it signed.
struct Signed {
    algorithm: Algorithm,
    key: PublicKey,
    input: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    fn of(token: &str, jwk: &str) -> Self {
        let set = format!(r#"{{"keys":[{jwk}]}}"#);
        let set = KeySet::parse(set.as_bytes(), &KeySetLimits::default()).unwrap();
        let jws = CompactJws::parse(token.as_bytes(), &Limits::default()).unwrap();
        Self {
            algorithm: jws.header().algorithm,
            key: PublicKey::clone(&set.keys()[0]),
            input: jws.signing_input().to_vec(),
            signature: jws.signature().to_vec(),
        }
    }

    /// Made with a key of its own.
    fn es256() -> Self {
        let pair = envoy_like::EcPair::new();
        Self::of(&pair.token(r#"{"sub":"alice"}"#, ""), &pair.jwk(""))
    }

    fn eddsa() -> Self {
        Self::of(super::ALICE, super::K1)
    }
}
