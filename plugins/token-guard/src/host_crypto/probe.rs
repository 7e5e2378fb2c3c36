//! Questions whose answers are known: who gets one of them wrong verifies nothing here.

use std::fmt;

use portcullis_abi::HostError;
use portcullis_jose::{
    Algorithm, CompactJws, KeySet, KeySetLimits, Limits, PublicKey, SignatureError,
};

use super::{Answer, HostCrypto};

#[cfg(feature = "more-algorithms")]
mod further;

/// RFC 7515 appendix A.2.1: a token, and the public key.
const RS256: (&str, &str) = (
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    r#"{"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}"#,
);

/// RFC 7515 appendix A.3.1.
const ES256: (&str, &str) = (
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#,
);

/// Why the host does not verify signatures of an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// There is no such function, or its call failed.
    NoAnswer(HostError),
    /// Its answer is no message.
    Garbage,
    /// It called a good signature bad.
    RefusesGood,
    /// It called a bad signature good.
    AcceptsBad,
    /// It did well at first and then failed too often.
    Failing,
    /// The vector is none: a mistake of this module.
    NoVector,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(error) => error.fmt(f),
            Self::Garbage => f.write_str("its answer is no message"),
            Self::RefusesGood => f.write_str("it calls a good signature bad"),
            Self::AcceptsBad => f.write_str("it calls a bad signature good"),
            Self::Failing => f.write_str("it fails"),
            Self::NoVector => f.write_str("it could not be tried"),
        }
    }
}

/// Tries the host with one good signature and several bad ones.
pub(super) fn flaw_in(crypto: &HostCrypto, algorithm: Algorithm) -> Option<Flaw> {
    let (token, keys) = match algorithm {
        Algorithm::Rs256 => RS256,
        Algorithm::Es256 => ES256,
        #[cfg(feature = "more-algorithms")]
        Algorithm::Rs384 => further::RS384,
        #[cfg(feature = "more-algorithms")]
        Algorithm::Rs512 => further::RS512,
        #[cfg(feature = "more-algorithms")]
        Algorithm::Es384 => further::ES384,
        #[cfg(feature = "more-algorithms")]
        Algorithm::Es512 => further::ES512,
        _ => return Some(Flaw::NoVector),
    };
    let set = KeySet::parse(keys.as_bytes(), &KeySetLimits::default());
    let jws = CompactJws::parse(token.as_bytes(), &Limits::default());
    let (Ok(set), Ok(jws)) = (set, jws) else {
        return Some(Flaw::NoVector);
    };
    let Some(key) = set.keys().first() else {
        return Some(Flaw::NoVector);
    };
    try_out(crypto, key, algorithm, &jws).err()
}

fn try_out(
    crypto: &HostCrypto,
    key: &PublicKey,
    algorithm: Algorithm,
    jws: &CompactJws<'_>,
) -> Result<(), Flaw> {
    let answer = |input: &[u8], signature: &[u8]| {
        crypto
            .ask(key, algorithm, input, signature)
            .map_err(|_: SignatureError| Flaw::NoVector)?
            .map_err(Flaw::NoAnswer)
    };
    match answer(jws.signing_input(), jws.signature())? {
        Answer::True => {}
        Answer::False => return Err(Flaw::RefusesGood),
        Answer::Neither => return Err(Flaw::Garbage),
    }
    // A bit in the signature; a byte less to have signed. Both leave the form of the signature as it is.
    let mut signature = jws.signature().to_vec();
    if let Some(byte) = signature.last_mut() {
        *byte ^= 1;
    }
    let shorter = jws
        .signing_input()
        .split_last()
        .map_or(&[][..], |(_, rest)| rest);
    for (input, signature) in [
        (jws.signing_input(), signature.as_slice()),
        (shorter, jws.signature()),
    ] {
        match answer(input, signature)? {
            Answer::False => {}
            Answer::True => return Err(Flaw::AcceptsBad),
            Answer::Neither => return Err(Flaw::Garbage),
        }
    }
    Ok(())
}
