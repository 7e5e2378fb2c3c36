//! Clients that do not stay, and one that shows forged tokens from an address of its own.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Result;
use socket2::SockRef;

use super::judge::{Judge, at};
use super::plan::Plan;
use super::tokens::Mint;
use crate::scenario::head;
use crate::traffic::connect_from;

/// The forger's address: the guard counts failures by source, and the others must not pay.
const FORGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Numbers of the tokens of both, away from those of clients.
const NUMBERS: u64 = 1 << 60;

/// Breaks off connections in four ways, for as long as it should.
pub(super) fn leave(
    target: SocketAddr,
    mint: &Mint,
    judge: &Judge,
    going: &(dyn Fn() -> bool + Sync),
) -> Result<()> {
    let mut number = NUMBERS;
    while going() {
        number += 1;
        // A new key id may be worth a fetch, for which the request waits.
        let request = head("GET", "/orders/42", Some(&mint.unpublished(number)?), "");
        let mut stream = TcpStream::connect(target)?;
        match number % 4 {
            0 => stream.write_all(&request[..request.len() / 2])?,
            1 => stream.write_all(&request)?,
            2 => {
                stream.write_all(&request)?;
                std::thread::sleep(Duration::from_millis(3));
            }
            _ => {
                // A reset instead of a farewell.
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                stream.write_all(&request)?;
            }
        }
        drop(stream);
        judge.left();
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Shows forged signatures for as long as it should: each is refused, some because there were too many.
pub(super) fn forge(
    target: SocketAddr,
    plan: Plan,
    mint: &Mint,
    judge: &Judge,
    going: &(dyn Fn() -> bool + Sync),
) -> Result<()> {
    let mut number = 2 * NUMBERS;
    while going() {
        number += 1;
        let moment = plan.now();
        let mut connection = connect_from(FORGER, target)?;
        connection.send(&head(
            "GET",
            "/orders/42",
            Some(&mint.forged(number)?),
            "connection: close\r\n",
        ))?;
        match connection.receive() {
            Ok(response) if matches!(response.status, 401 | 429) => judge.right("forged signature"),
            Ok(response) => judge.wrong(format!(
                "a forged token at {}: {}",
                at(moment),
                response.status
            )),
            Err(error) => judge.wrong(format!("a forged token at {}: {error:#}", at(moment))),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
