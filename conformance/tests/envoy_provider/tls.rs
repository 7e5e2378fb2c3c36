//! The example's TLS lines do what they say: keys come only from who has the right name, signed by the right authority.

use std::time::Duration;

use anyhow::Result;
use portcullis_conformance::envoy::Options;
use portcullis_conformance::provider::{TlsFront, tls_file};
use portcullis_conformance::scenario::{Edits, Gateway, replace_once};

use crate::stage::{READ, Stage, wait_until};

/// The example with its TLS lines switched on, `authority` trusted, and `front` behind the cluster of the issuer.
fn gateway(stage: &Stage, front: &TlsFront, authority: &str) -> Result<Gateway> {
    let uri = format!("uri: {}/jwks", stage.provider.issuer());
    let policy = replace_once(
        &stage.policy("")?,
        &uri,
        "uri: https://login.example.com/jwks",
    )?;
    let authority = tls_file(authority);
    let bootstrap = |text: String| {
        let text = text.replace("#https ", "");
        replace_once(
            &text,
            "/etc/ssl/certs/ca-certificates.crt",
            &authority.to_string_lossy(),
        )
    };
    Gateway::start_edited(
        &policy,
        front.address(),
        stage.upstream.address(),
        &Options::default(),
        Edits {
            bootstrap: &bootstrap,
            ..Edits::default()
        },
    )
}

#[test]
fn keys_come_only_over_verified_tls() -> Result<()> {
    let mut stage = Stage::set()?;
    let token = stage.client.token("reader.es256", READ)?.token;
    let login = TlsFront::start("login", stage.provider.address())?;
    let other = TlsFront::start("other", stage.provider.address())?;

    let right = gateway(&stage, &login, "authority.pem")?;
    wait_until("keys come over TLS", Duration::from_secs(20), || {
        Ok(right.request("GET", "/orders/42", Some(&token))?.status == 200)
    })?;

    for (what, front, authority) in [
        ("another name", &other, "authority.pem"),
        ("another authority", &login, "stranger.pem"),
    ] {
        let wrong = gateway(&stage, front, authority)?;
        assert_eq!(
            wrong.request("GET", "/orders/42", Some(&token))?.status,
            503,
            "{what}"
        );
        let stats = wrong.envoy().stats()?;
        let broken = stats
            .iter()
            .find(|(name, count)| name.starts_with("cluster.idp.ssl.fail_verify") && **count > 0);
        assert!(
            broken.is_some(),
            "{what}: the handshake failed for another reason"
        );
        assert_eq!(
            stats
                .get("wasmcustom.portcullis.keys.fetch.loaded")
                .copied()
                .unwrap_or_default(),
            0,
            "{what}"
        );
    }
    Ok(())
}
