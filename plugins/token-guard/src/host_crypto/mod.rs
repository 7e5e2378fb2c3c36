//! The host's own crypto as a capability: used for an algorithm only where it has proven that it can tell good from bad.
//!
//! INVARIANT: nothing here makes a verification succeed but the host's well-formed "true" to the whole question, or this
//! module's own code. The host's "false" is final; an answer that is neither is none, and our own code verifies.

mod message;
mod probe;

use std::cell::{Cell, RefCell};

use portcullis_abi::{ForeignFunction, Host, HostError};
use portcullis_jose::{Algorithm, PublicKey, SignatureError, X509Signature};

use message::Answer;
pub(crate) use probe::Flaw;

/// Envoy's name for it.
const VERIFY_SIGNATURE: &str = "verify_signature";

/// Failed calls in a row after which a VM no longer asks for that algorithm.
const FAILURES_LIMIT: u8 = 8;

/// The algorithms that the host's function can do at all, and its name for their hash. Envoy's has no PSS, EdDSA and ML-DSA: it
/// hands hash, key and signature to BoringSSL's `EVP_DigestVerify`, and has no argument for a padding.
const OFFERED: &[(Algorithm, &str)] = &[
    (Algorithm::Rs256, "sha256"),
    (Algorithm::Es256, "sha256"),
    #[cfg(feature = "more-algorithms")]
    (Algorithm::Rs384, "sha384"),
    #[cfg(feature = "more-algorithms")]
    (Algorithm::Rs512, "sha512"),
    #[cfg(feature = "more-algorithms")]
    (Algorithm::Es384, "sha384"),
    #[cfg(feature = "more-algorithms")]
    (Algorithm::Es512, "sha512"),
];

/// What was found out about the host's crypto, and how it fares. One a VM.
#[derive(Debug)]
pub(crate) struct HostCrypto {
    function: Option<ForeignFunction>,
    /// In the order of [`OFFERED`].
    trust: Box<[Trust]>,
    /// The last question's bytes: its memory serves the next one. As long as the longest token and a key.
    question: RefCell<Vec<u8>>,
}

/// Whether the host verifies signatures of one algorithm.
#[derive(Debug)]
struct Trust {
    /// Whether it was asked the first questions.
    is_tried: Cell<bool>,
    /// What they showed.
    flaw: Cell<Option<Flaw>>,
    /// Failed calls since the last answer.
    failures: Cell<u8>,
}

/// Who verified a signature, and what became of it.
pub(crate) enum Asked {
    /// The host, with this verdict.
    Host(Result<(), SignatureError>),
    /// The signature cannot be one: nobody needed to calculate.
    Refused(SignatureError),
    /// The host is not asked for this algorithm.
    NotOffered,
    /// The host was asked and did not answer. True if it will not be asked again.
    Failed { given_up: bool },
}

impl Trust {
    fn holds(&self) -> bool {
        self.is_tried.get() && self.flaw.get().is_none() && self.failures.get() < FAILURES_LIMIT
    }
}

impl HostCrypto {
    /// Nothing is known about the host yet.
    pub(crate) fn of(host: &Host<'_>) -> Self {
        let untried = |_| Trust {
            is_tried: Cell::new(false),
            flaw: Cell::new(None),
            failures: Cell::new(0),
        };
        Self {
            function: host.foreign_function(VERIFY_SIGNATURE),
            trust: OFFERED.iter().map(untried).collect(),
            question: RefCell::new(Vec::new()),
        }
    }

    /// Asks the host questions whose answers are known, for the algorithms that are wanted and were not tried before: each takes
    /// three verifications.
    pub(crate) fn find_out(&self, is_wanted: impl Fn(Algorithm) -> bool) {
        for (&(algorithm, _), trust) in OFFERED.iter().zip(&self.trust) {
            if is_wanted(algorithm) && !trust.is_tried.replace(true) {
                trust.flaw.set(probe::flaw_in(self, algorithm));
            }
        }
    }

    /// Has the host verify a signature, if it is trusted with the algorithm.
    pub(crate) fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Asked {
        let Some(trust) = self.trust_in(algorithm).filter(|trust| trust.holds()) else {
            return Asked::NotOffered;
        };
        match self.ask(key, algorithm, signing_input, signature) {
            Err(error) => Asked::Refused(error),
            Ok(Ok(answer)) if answer != Answer::Neither => {
                trust.failures.set(0);
                Asked::Host(match answer {
                    Answer::True => Ok(()),
                    Answer::False | Answer::Neither => Err(SignatureError::Invalid),
                })
            }
            Ok(_) => {
                let failures = trust.failures.get().saturating_add(1);
                trust.failures.set(failures);
                Asked::Failed {
                    given_up: failures >= FAILURES_LIMIT,
                }
            }
        }
    }

    /// Whether the host verifies what this key signs.
    pub(crate) fn takes(&self, key: &PublicKey) -> bool {
        OFFERED
            .iter()
            .zip(&self.trust)
            .any(|(&(algorithm, _), trust)| key.allows(algorithm) && trust.holds())
    }

    /// The algorithms that the host was tried with, and why it does not verify them, if so.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = (Algorithm, Option<Flaw>)> {
        OFFERED
            .iter()
            .zip(&self.trust)
            .filter(|(_, trust)| trust.is_tried.get())
            .map(|(&(algorithm, _), trust)| {
                let failing = trust.failures.get() >= FAILURES_LIMIT;
                (
                    algorithm,
                    trust.flaw.get().or(failing.then_some(Flaw::Failing)),
                )
            })
    }

    fn trust_in(&self, algorithm: Algorithm) -> Option<&Trust> {
        let all = OFFERED.iter().zip(&self.trust);
        let mut fitting = all.filter(|((offered, _), _)| *offered == algorithm);
        fitting.next().map(|(_, trust)| trust)
    }

    /// One question to the host, whether it is trusted or not.
    ///
    /// # Errors
    /// What makes the signature one that is not worth the question. Within: the host's status.
    fn ask(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<Result<Answer, HostError>, SignatureError> {
        // INVARIANT: what our own code refuses by its form never reaches the host, which may tolerate more.
        let signature = X509Signature::of(key, algorithm, signature)?;
        let mut offered = OFFERED.iter();
        let hash = offered.find(|(offered, _)| *offered == algorithm);
        let (Some(function), Some((_, hash))) = (self.function, hash) else {
            return Ok(Err(HostError::Unimplemented));
        };
        // A host that calls back within the call would find it borrowed: then there is no answer.
        let Ok(mut question) = self.question.try_borrow_mut() else {
            return Ok(Err(HostError::InternalFailure));
        };
        message::write_question(
            &mut question,
            hash,
            key.spki_der(),
            signature.as_bytes(),
            signing_input,
        );
        Ok(function
            .call(&question)
            .map(|answer| message::read_answer(&answer)))
    }
}
