//! The signed examples of the RFCs, retyped: the whole way from token and key set to a verified signature.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a broken figure should stop it here"
)]

use portcullis_jose::{
    Algorithm, ClaimError, Claims, CompactJws, Json, KeySet, KeySetLimits, Limits, SignatureError,
    Software, Verifier as _, check_times,
};

/// RFC 7515 appendix A.2.1.
const RS256_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// RFC 7515 appendix A.2.1, the public members.
const RS256_KEY: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;

/// RFC 7515 appendix A.3.1.
const ES256_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 7515 appendix A.3.1, the public members.
const ES256_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

/// RFC 8037 appendix A.4.
const EDDSA_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// RFC 8037 appendix A.2.
const EDDSA_KEY: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// RFC 7515 appendix A.2 and A.3: `exp`, in milliseconds.
const EXPIRES_AT: u64 = 1_300_819_380_000;

/// Verifies a token with the one key of a set; gives the algorithm and the payload.
fn verify(token: &str, key: &str) -> Result<(Algorithm, Vec<u8>), SignatureError> {
    let set = KeySet::parse(
        format!(r#"{{"keys":[{key}]}}"#).as_bytes(),
        &KeySetLimits::default(),
    )
    .unwrap();
    let jws = CompactJws::parse(token.as_bytes(), &Limits::default()).unwrap();
    let algorithm = jws.header().algorithm;
    let kid = jws.header().kid.as_deref();
    let key = set
        .candidates(algorithm, kid)
        .unwrap()
        .into_iter()
        .next()
        .unwrap();
    Software.verify(key, algorithm, jws.signing_input(), jws.signature())?;
    Ok((algorithm, jws.payload().to_vec()))
}

/// Each single bit of the signature counts.
fn every_changed_signature_is_refused(token: &str, key: &str) {
    let set = KeySet::parse(
        format!(r#"{{"keys":[{key}]}}"#).as_bytes(),
        &KeySetLimits::default(),
    )
    .unwrap();
    let jws = CompactJws::parse(token.as_bytes(), &Limits::default()).unwrap();
    let key = &set.keys()[0];
    let algorithm = jws.header().algorithm;
    for place in 0..jws.signature().len() {
        let mut signature = jws.signature().to_vec();
        signature[place] ^= 1;
        let result = Software.verify(key, algorithm, jws.signing_input(), &signature);
        assert!(result.is_err(), "byte {place}");
    }
    let result = Software.verify(key, algorithm, b"another input", jws.signature());
    assert_eq!(result, Err(SignatureError::Invalid));
}

#[test]
fn rfc_7515_a2_rs256() {
    let (algorithm, payload) = verify(RS256_TOKEN, RS256_KEY).unwrap();
    assert_eq!(algorithm, Algorithm::Rs256);
    let claims = Claims::parse(&payload, &Limits::default()).unwrap();
    assert_eq!(claims.issuer(), Some("joe"));
    assert_eq!(
        claims.get("http://example.com/is_root"),
        Some(&Json::Bool(true))
    );
    assert_eq!(check_times(&claims, EXPIRES_AT - 1, 0), Ok(()));
    assert_eq!(
        check_times(&claims, EXPIRES_AT, 0),
        Err(ClaimError::Expired)
    );
    every_changed_signature_is_refused(RS256_TOKEN, RS256_KEY);
}

#[test]
fn rfc_7515_a3_es256() {
    let (algorithm, payload) = verify(ES256_TOKEN, ES256_KEY).unwrap();
    assert_eq!(algorithm, Algorithm::Es256);
    let claims = Claims::parse(&payload, &Limits::default()).unwrap();
    assert_eq!(claims.issuer(), Some("joe"));
    every_changed_signature_is_refused(ES256_TOKEN, ES256_KEY);
}

#[test]
fn rfc_8037_a4_eddsa() {
    let (algorithm, payload) = verify(EDDSA_TOKEN, EDDSA_KEY).unwrap();
    assert_eq!(algorithm, Algorithm::EdDsa);
    assert_eq!(payload, b"Example of Ed25519 signing");
    every_changed_signature_is_refused(EDDSA_TOKEN, EDDSA_KEY);
}
