//! The provider rotates its keys while traffic flows, without one wrong answer.

use std::time::Duration;

use anyhow::Result;
use portcullis_conformance::provider::{Rotation, Token};
use portcullis_conformance::traffic::{Sample, Traffic};

use crate::stage::{READ, Stage, wait_until};

fn samples<'t>(tokens: impl IntoIterator<Item = &'t Token>) -> Vec<Sample> {
    let mut samples: Vec<Sample> = tokens
        .into_iter()
        .map(|token| {
            let name = format!("a token of key {}", token.header["kid"]);
            Sample::get(name, "/orders/42", Some(&token.token), 200)
        })
        .collect();
    samples.push(Sample::get("no token", "/orders/42", None, 401));
    samples
}

#[test]
fn keys_rotate_while_traffic_flows() -> Result<()> {
    let mut stage = Stage::set()?;
    let gateway = stage.gateway(&stage.policy("refresh: 10s\ncooldown: 1s")?)?;
    let mut current = stage.tokens("reader", READ)?;
    let traffic = Traffic::start(gateway.address(), 4, samples(&current));
    traffic.flow(500)?;

    for _round in 0..2 {
        stage.provider.rotate(Rotation::Publish)?;
        // As operators wait between publishing and use: at least the guard's cool-down.
        std::thread::sleep(Duration::from_millis(1500));

        stage.provider.rotate(Rotation::Use)?;
        let next = stage.tokens("reader", READ)?;
        assert_ne!(next[0].header["kid"], current[0].header["kid"]);
        // Old and new tokens side by side, the new ones with keys that no worker has asked for.
        traffic.send(samples(current.iter().chain(&next)));
        traffic.flow(1000)?;

        traffic.send(samples(&next));
        traffic.flow(200)?;
        stage.provider.rotate(Rotation::Retire)?;
        traffic.flow(1000)?;
        // The old key's tokens are cached and have minutes to live. They end with their key, at the next refresh.
        wait_until(
            "tokens of retired keys are refused",
            Duration::from_secs(30),
            || {
                let answers: Result<Vec<u16>> = (0..16)
                    .map(|index| {
                        Ok(gateway
                            .request(
                                "GET",
                                "/orders/42",
                                Some(&current[index % current.len()].token),
                            )?
                            .status)
                    })
                    .collect();
                Ok(answers?.iter().all(|&status| status == 401))
            },
        )?;
        current = next;
    }

    let right = traffic.finish()?;
    assert!(right > 3000, "only {right} requests");
    assert_eq!(gateway.traps()?, 0);
    Ok(())
}
