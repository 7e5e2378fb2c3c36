//! Why a request does not go through, on the way to its answer.

use std::rc::Rc;

use portcullis_jose::{ClaimError, KeyError, TokenError};

use crate::credential::Origin;
use crate::identity::Identity;
use crate::reason::Reason;
use crate::reject::Details;

/// Why a request does not go through.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) cause: Option<&'static str>,
    /// Rare, hence apart: a refusal is returned by value through every step.
    pub(crate) details: Option<Box<Details>>,
    /// Who called, if a signature was verified.
    pub(crate) identity: Option<Rc<Identity>>,
    /// The credential that it is about, by place in the document.
    pub(crate) credential: Option<usize>,
    /// The place where it stood, likewise.
    pub(crate) place: Option<usize>,
    /// The issuer that an unverified token names.
    pub(crate) claimed_issuer: Option<Box<str>>,
    /// What exactly, in words without any value of the token: for the trace, if one is asked for.
    pub(crate) explanation: Option<Box<str>>,
}

impl Refusal {
    pub(crate) fn because(reason: Reason, cause: &'static str) -> Self {
        Self {
            cause: Some(cause),
            ..Self::from(reason)
        }
    }

    pub(crate) fn details_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// The scopes that the route needs, if that is what it is about.
    pub(crate) fn scope(&self) -> Option<&str> {
        self.details.as_ref()?.scope.as_deref()
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.details_mut().retry_after = Some(seconds);
        self
    }

    pub(crate) fn of_identity(mut self, identity: &Rc<Identity>) -> Self {
        self.identity = Some(Rc::clone(identity));
        self
    }

    pub(crate) const fn about(mut self, credential: usize) -> Self {
        self.credential = Some(credential);
        self
    }

    /// As [`Refusal::about`], of a token that came.
    pub(crate) const fn about_token(mut self, origin: Origin) -> Self {
        self.credential = Some(origin.credential);
        self.place = Some(origin.place);
        self
    }

    /// Marks what an unverified token said about its issuer; an event shows it as a claim only.
    pub(crate) fn claiming(mut self, issuer: &str) -> Self {
        let end = issuer.floor_char_boundary(512);
        self.claimed_issuer = Some(issuer.get(..end).unwrap_or_default().into());
        self
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            cause: None,
            details: None,
            identity: None,
            credential: None,
            place: None,
            claimed_issuer: None,
            explanation: None,
        }
    }
}

/// INVARIANT: no `_` arm here or below: a new error does not compile until somebody decided what it means to a client.
impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        use TokenError as E;
        use portcullis_jose::Part;
        let reason = match error {
            E::TooLarge => Reason::TokenTooLarge,
            E::Encrypted => Reason::TokenEncrypted,
            E::JsonSerialization | E::PartCount | E::Base64url(_) | E::SignatureMissing => {
                Reason::TokenMalformed
            }
            E::Json(Part::Header | Part::Signature, _) => Reason::TokenMalformed,
            E::Json(Part::Payload, _) | E::ClaimMalformed(_) => Reason::ClaimsMalformed,
            E::AlgorithmMissing
            | E::AlgorithmMalformed
            | E::AlgorithmNone
            | E::AlgorithmUnsupported => Reason::AlgorithmRefused,
            E::CriticalEmpty | E::CriticalMalformed | E::CriticalUnknown | E::UnencodedPayload => {
                Reason::TokenHeaderRefused
            }
            E::KeyIdMalformed | E::KeyIdTooLong => Reason::TokenHeaderRefused,
            E::TypeMalformed | E::TypeUnexpected => Reason::TokenTypeRefused,
        };
        Self::because(reason, error.code())
    }
}

impl From<ClaimError> for Refusal {
    fn from(error: ClaimError) -> Self {
        let reason = match error {
            ClaimError::Expired => Reason::TokenExpired,
            ClaimError::NotYetValid => Reason::TokenNotYetValid,
            ClaimError::IssuedInFuture => Reason::TokenIssuedAhead,
            ClaimError::Missing(_) => Reason::ClaimMissing,
        };
        Self::because(reason, error.code())
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        let reason = match error {
            KeyError::UnknownKid => Reason::KeyUnknown,
            KeyError::Incompatible | KeyError::NoneCompatible => Reason::KeyUnsuitable,
            KeyError::TooMany => Reason::KeyAmbiguous,
        };
        Self::because(reason, error.code())
    }
}
