//! Which algorithms an issuer's tokens may use, and until when.

use portcullis_jose::Algorithm;
use portcullis_policy::Field;

use crate::time::UnixTime;

/// An algorithm of an issuer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) algorithm: Algorithm,
    /// When it ends: an algorithm that its issuer is leaving behind. Tokens of it are counted, and refused from then on.
    pub(crate) until: Option<UnixTime>,
}

/// A non-empty list of names, or of `{ name, until }`.
pub(super) fn read(field: &Field<'_>) -> Option<Box<[Accepted]>> {
    let mut all: Vec<Accepted> = Vec::new();
    let mut whole = true;
    for item in field.non_empty_list()? {
        match read_one(&item) {
            Some(one) if all.iter().any(|known| known.algorithm == one.algorithm) => {
                item.problem("stands here twice");
                whole = false;
            }
            Some(one) => all.push(one),
            None => whole = false,
        }
    }
    // An HMAC's key can sign: where it stands beside public keys, a public key is one mistake away from being taken for it.
    let is_symmetric = |one: &Accepted| one.algorithm.is_symmetric();
    if all.iter().any(is_symmetric) && !all.iter().all(is_symmetric) {
        field.problem(
            "mixes HMACs with algorithms of public keys: an issuer has the ones or the others",
        );
        whole = false;
    }
    whole.then(|| all.into())
}

fn read_one(field: &Field<'_>) -> Option<Accepted> {
    if !matches!(field.value(), portcullis_policy::Value::Map(_)) {
        return Some(Accepted {
            algorithm: read_name(field)?,
            until: None,
        });
    }
    let mut section = field.section()?;
    let algorithm = section.required("name", read_name);
    let until = section.required("until", |field| {
        let until = UnixTime::parse(field.non_empty_text()?);
        if until.is_none() {
            field.problem("wants a time as RFC 3339 has it, such as `2027-03-31T00:00:00Z`");
        }
        until
    });
    Some(Accepted {
        algorithm: algorithm?,
        until: Some(until?),
    })
}

fn read_name(field: &Field<'_>) -> Option<Algorithm> {
    let words = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
    let algorithm = field.one_of(&words)?;
    if !algorithm.is_built() {
        field.problem_with_help(
            format!("is {algorithm}, which this build does not have"),
            "use token-guard.wasm, which has it",
        );
        return None;
    }
    Some(algorithm)
}
