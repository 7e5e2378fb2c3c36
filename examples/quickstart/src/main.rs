//! The demo: an issuer, an API, the filter between them in the embedded gateway, and requests that show what it does.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a demo: it counts and prints"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use quickstart::gateway::Gateway;
use quickstart::issuer::{Issuer, LIFETIME};
use quickstart::scenes::{self, READ, Scene, USER, WRITE};
use quickstart::servers::{serve_api, serve_keys};
use quickstart::table::{self, Paint, Seen};

/// Shows the guard at work: real requests through the filter, and what became of them.
#[derive(Parser)]
struct Arguments {
    /// The filter (`cargo xtask build` makes target/dist/token-guard.wasm).
    #[arg(long)]
    wasm: PathBuf,

    /// End after the table; the exit status is non-zero if any verdict was wrong.
    #[arg(long)]
    once: bool,

    /// Where the gateway listens. Default: 127.0.0.1:8080, or a free port if that is taken or with --once.
    #[arg(long)]
    listen: Option<SocketAddr>,
}

/// The policy, as the file beside this folder has it.
const POLICY: &str = include_str!("../policy.yaml");

/// The name that the policy gives the issuer. Where its keys come from is for the gateway's cluster to say.
const ISSUER: &str = "http://127.0.0.1:9090";

const ANYWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let paint = Paint::detect();
    let issuer = Issuer::new(ISSUER)?;
    let keys = serve_keys(ANYWHERE, issuer.key_set()?).await?;
    let api = serve_api(ANYWHERE).await?;
    let size = std::fs::metadata(&arguments.wasm)
        .with_context(|| {
            format!(
                "no filter at {}: `cargo xtask build` makes it",
                arguments.wasm.display()
            )
        })?
        .len();
    println!("{}", paint.dim("compiling the filter …"));
    let gateway = Gateway::start(&arguments.wasm, POLICY, listen(&arguments), keys, api).await?;

    println!(
        "\n{}\n",
        paint.bold("Portcullis: the token guard in front of a small API")
    );
    println!(
        "  gateway  http://{}  token-guard.wasm, {} KiB, in host-test's wasm host",
        gateway.address(),
        size / 1024
    );
    println!("  policy   examples/quickstart/policy.yaml");
    println!(
        "  issuer   http://{keys}/jwks  a demo in this process: it publishes one key and mints the tokens below"
    );
    println!("  API      http://{api}  answers with the request as it arrived\n");

    let wrong = show(&gateway, &scenes::all(&issuer)?, paint).await?;
    if arguments.once {
        return Ok(if wrong == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    invite(&gateway, &issuer, paint)?;
    tokio::signal::ctrl_c().await?;
    println!();
    gateway.stop().await;
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Sends every request and prints its row; gives how many verdicts were wrong.
async fn show(gateway: &Gateway, scenes: &[Scene], paint: Paint) -> Result<usize> {
    println!("{}", table::heading(paint));
    let mut wrong = 0;
    for scene in scenes {
        let seen = gateway.play(scene).await?;
        wrong += usize::from(!Seen::is_right(&seen, scene));
        println!("{}", table::row(paint, scene, &seen));
    }
    let all = scenes.len();
    match wrong {
        0 => println!(
            "\n{}",
            paint.bold(&format!("All {all} verdicts are as they should be."))
        ),
        wrong => println!(
            "\n{}",
            paint.bold(&format!("{wrong} of {all} verdicts are WRONG."))
        ),
    }
    Ok(wrong)
}

/// Prints what to try by hand.
fn invite(gateway: &Gateway, issuer: &Issuer, paint: Paint) -> Result<()> {
    let address = gateway.address();
    println!(
        "\nYour turn. The gateway runs at {} until Ctrl-C.",
        paint.bold(&format!("http://{address}"))
    );
    println!("Tokens of {USER}, good for {} minutes:\n", LIFETIME / 60);
    println!("READER={}\n", issuer.mint(USER, READ)?);
    println!("WRITER={}\n", issuer.mint(USER, WRITE)?);
    for line in [
        format!("curl -i http://{address}/healthz"),
        format!("curl -i http://{address}/orders/42"),
        format!("curl -i http://{address}/orders/42 -H \"Authorization: Bearer $READER\""),
        format!("curl -i http://{address}/orders -X POST -H \"Authorization: Bearer $READER\""),
        format!("curl -i http://{address}/orders -X POST -H \"Authorization: Bearer $WRITER\""),
        format!("curl -i http://{address}/orders/42 -H \"Authorization: Bearer ${{READER}}x\""),
    ] {
        println!("{line}");
    }
    Ok(())
}

/// The address that was asked for, else 8080 when it is free, else any.
fn listen(arguments: &Arguments) -> SocketAddr {
    let usual = SocketAddr::from(([127, 0, 0, 1], 8080));
    let free = || std::net::TcpListener::bind(usual).is_ok();
    match arguments.listen {
        Some(address) => address,
        None if !arguments.once && free() => usual,
        None => ANYWHERE,
    }
}
