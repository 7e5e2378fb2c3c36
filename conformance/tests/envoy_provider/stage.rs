//! What every test here starts with: provider, client, upstream, and the example's policy made to fit.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use portcullis_conformance::envoy::Options;
use portcullis_conformance::provider::{Client, Provider, Token};
use portcullis_conformance::scenario::{Example, Gateway, replace_once};
use portcullis_conformance::scratch::Scratch;
use portcullis_conformance::upstream::Upstream;

/// The algorithms of the provider, as its clients are named after them.
pub(crate) const ALGORITHMS: [&str; 3] = ["es256", "rs256", "eddsa"];

/// What a reader asks for.
pub(crate) const READ: &str = "orders:read";

/// What a writer asks for.
pub(crate) const WRITE: &str = "orders:read orders:write";

/// Everything but the proxy.
pub(crate) struct Stage {
    pub(crate) provider: Provider,
    pub(crate) client: Client,
    pub(crate) upstream: Upstream,
    // Holds the provider's keys.
    _scratch: Scratch,
}

impl Stage {
    pub(crate) fn set() -> Result<Self> {
        let scratch = Scratch::new()?;
        let provider = Provider::start(scratch.path())?;
        let client = Client::start(provider.issuer())?;
        Ok(Self {
            provider,
            client,
            upstream: Upstream::start()?,
            _scratch: scratch,
        })
    }

    /// The example's policy with the provider's address, and these lines added to the issuer's `jwks`.
    pub(crate) fn policy(&self, jwks: &str) -> Result<String> {
        let policy = Example::read()?.policy;
        let here = "http://127.0.0.1:9090";
        ensure!(
            policy.matches(here).count() == 2,
            "the example names its issuer otherwise"
        );
        let policy = policy.replace(here, self.provider.issuer());
        let at = "      cluster: idp";
        let lines: String = jwks
            .lines()
            .map(|line| format!("      {}\n", line.trim()))
            .collect();
        replace_once(&policy, at, &format!("{lines}{at}"))
    }

    /// The example with that policy and two workers.
    pub(crate) fn gateway(&self, policy: &str) -> Result<Gateway> {
        Gateway::start(
            policy,
            self.provider.address(),
            self.upstream.address(),
            &Options::default(),
        )
    }

    /// A token for each algorithm.
    pub(crate) fn tokens(&mut self, role: &str, scope: &str) -> Result<Vec<Token>> {
        ALGORITHMS
            .iter()
            .map(|algorithm| self.client.token(&format!("{role}.{algorithm}"), scope))
            .collect()
    }
}

/// Polls until `done`, or fails after `patience`.
pub(crate) fn wait_until(
    what: &str,
    patience: Duration,
    mut done: impl FnMut() -> Result<bool>,
) -> Result<Duration> {
    let began = Instant::now();
    while !done()? {
        ensure!(
            began.elapsed() < patience,
            "{what}: not within {patience:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(began.elapsed())
}
