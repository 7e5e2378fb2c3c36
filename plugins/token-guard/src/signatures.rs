//! Who verifies signatures: the host where it can and may, else this module's own code.

use std::cell::Cell;
use std::rc::Rc;

use portcullis_abi::{Host, LogLevel};
use portcullis_engine::{Count, Series};
use portcullis_jose::{Algorithm, Precomputed, PublicKey, SignatureError, Verifier};

use crate::host_crypto::{Asked, HostCrypto};
use crate::meters::Meters;

/// The verifier of one configuration. Clones share its counts.
#[derive(Clone, Debug)]
pub(crate) struct Signatures {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// What the host can do, if the configuration lets it.
    host: Option<Rc<HostCrypto>>,
    software: Precomputed,
    tally: Tally,
    /// An algorithm that the host was given up for, not told yet.
    given_up: Cell<Option<Algorithm>>,
}

/// Verifications since they were last carried to the host.
#[derive(Debug, Default)]
struct Tally {
    by_host: Cell<u64>,
    by_software: Cell<u64>,
    failed: Cell<u64>,
}

impl Signatures {
    /// Finds out what the host can do of what is wanted, unless the configuration forbids its crypto, and says so in one line.
    pub(crate) fn find(
        host: &Host<'_>,
        allowed: bool,
        is_wanted: impl Fn(Algorithm) -> bool,
    ) -> Self {
        let capability = allowed.then(|| host.once_in_vm("host crypto", || HostCrypto::of(host)));
        if let Some(crypto) = &capability {
            crypto.find_out(is_wanted);
        }
        host.log(LogLevel::Info, &describe(capability.as_deref()));
        Self {
            shared: Rc::new(Shared {
                host: capability,
                software: Precomputed::default(),
                tally: Tally::default(),
                given_up: Cell::new(None),
            }),
        }
    }

    /// Carries counts and news to the host, with the engine's counts.
    pub(crate) fn report(&self, host: &Host<'_>, meters: &Meters) {
        let tally = &self.shared.tally;
        for (count, cell) in [
            (Count::VerifyHost, &tally.by_host),
            (Count::VerifySoftware, &tally.by_software),
            (Count::VerifyHostFailed, &tally.failed),
        ] {
            match cell.take() {
                0 => {}
                times => meters.count(host, Series::Count(count), times),
            }
        }
        if let Some(algorithm) = self.shared.given_up.take() {
            let line = format!(
                "portcullis: host crypto: {algorithm} fails, and is verified in the filter from now on"
            );
            host.log(LogLevel::Warn, &line);
        }
    }
}

impl Verifier for Signatures {
    fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let Shared {
            host,
            software,
            tally,
            given_up,
        } = &*self.shared;
        let asked = host.as_ref().map_or(Asked::NotOffered, |host| {
            host.verify(key, algorithm, signing_input, signature)
        });
        match asked {
            Asked::Host(verdict) => {
                add_one(&tally.by_host);
                return verdict;
            }
            Asked::Refused(error) => return Err(error),
            Asked::NotOffered => {}
            // INVARIANT: a call that failed has said nothing, for or against.
            Asked::Failed { given_up: for_good } => {
                add_one(&tally.failed);
                if for_good {
                    given_up.set(Some(algorithm));
                }
            }
        }
        add_one(&tally.by_software);
        software.verify(key, algorithm, signing_input, signature)
    }

    /// What the host verifies needs no table here. Should the host be given up, its keys get one with use.
    fn prepare(&self, key: &PublicKey) {
        let host = self.shared.host.as_ref();
        if !host.is_some_and(|host| host.takes(key)) {
            self.shared.software.prepare(key);
        }
    }

    fn forget(&self, key: &PublicKey) {
        self.shared.software.forget(key);
    }

    fn advance(&self) {
        self.shared.software.advance();
    }
}

fn add_one(cell: &Cell<u64>) {
    cell.set(cell.get().saturating_add(1));
}

/// The line of the start: which algorithms the host verifies, and why not the others.
fn describe(host: Option<&HostCrypto>) -> String {
    let Some(host) = host else {
        return "portcullis: host crypto: off by configuration; all signatures are verified in the filter".to_owned();
    };
    let (mut by_host, mut flaws) = (Vec::new(), Vec::new());
    for (algorithm, flaw) in host.algorithms() {
        match flaw {
            None => by_host.push(algorithm.name()),
            Some(flaw) => flaws.push(format!("{algorithm}: {flaw}")),
        }
    }
    let flaws = match flaws.as_slice() {
        [] => String::new(),
        flaws => format!(" ({})", flaws.join("; ")),
    };
    match by_host.as_slice() {
        [] => format!(
            "portcullis: host crypto: none; all signatures are verified in the filter{flaws}"
        ),
        names => format!(
            "portcullis: host crypto: {} by the host's verify_signature, the rest in the filter{flaws}",
            names.join(", ")
        ),
    }
}
