//! What stands for secrets in a build without HMACs: `secrets` is a mistake in the document, told with its place.

use portcullis_jose::{CompactJws, KeyError, SignatureError};
use portcullis_policy::Field;

use super::algorithms::Accepted;
use super::environment::Environment;

/// No such value can be made.
#[derive(Debug)]
pub(crate) enum Secrets {}

impl Secrets {
    pub(crate) fn candidates(&self, _kid: Option<&str>) -> Result<usize, KeyError> {
        match *self {}
    }

    pub(crate) fn verify(&self, _token: &CompactJws<'_>) -> Result<(), Option<SignatureError>> {
        match *self {}
    }
}

/// INVARIANT: reports a mistake.
pub(super) fn read(
    field: &Field<'_>,
    _algorithms: Option<&[Accepted]>,
    _environment: &dyn Environment,
) -> Option<Secrets> {
    field.problem_with_help(
        "is for HMACs, and this build has none",
        "use token-guard.wasm, which has them",
    );
    None
}
