//! `demo-issuer`: the demo's issuer and API on fixed ports, for trying `examples/envoy` without a provider of your own.
#![allow(clippy::print_stdout, reason = "a demo: printing is what it is for")]

use std::net::SocketAddr;

use anyhow::Result;
use clap::Parser;
use quickstart::issuer::{Issuer, LIFETIME};
use quickstart::scenes::{READ, USER, WRITE};
use quickstart::servers::{serve_api, serve_keys};

/// Serves an issuer's keys and an API that answers with what it received, and mints tokens, for `examples/envoy`.
#[derive(Parser)]
struct Arguments {
    /// Where the issuer's keys are served; the issuer is called `http://` and this.
    #[arg(long, default_value = "127.0.0.1:9090")]
    issuer: SocketAddr,

    /// Where the API listens.
    #[arg(long, default_value = "127.0.0.1:9000")]
    api: SocketAddr,

    /// Where your gateway listens: only for the curl lines.
    #[arg(long, default_value = "127.0.0.1:8080")]
    gateway: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments {
        issuer: address,
        api,
        gateway,
    } = Arguments::parse();
    let issuer = Issuer::new(&format!("http://{address}"))?;
    serve_keys(address, issuer.key_set()?).await?;
    serve_api(api).await?;
    println!(
        "keys at http://{address}/jwks, API at http://{api}. Tokens of {USER}, good for {} minutes:\n",
        LIFETIME / 60
    );
    println!("READER={}\n", issuer.mint(USER, READ)?);
    println!("WRITER={}\n", issuer.mint(USER, WRITE)?);
    println!("curl -i http://{gateway}/healthz");
    println!("curl -i http://{gateway}/orders/42");
    println!("curl -i http://{gateway}/orders/42 -H \"Authorization: Bearer $READER\"");
    println!("curl -i http://{gateway}/orders -X POST -H \"Authorization: Bearer $READER\"");
    println!("curl -i http://{gateway}/orders -X POST -H \"Authorization: Bearer $WRITER\"");
    println!("\nCtrl-C ends it.");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
