//! Clients that send requests of every kind and know the right answer to each.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::judge::{Judge, at};
use super::plan::{Moment, Plan};
use super::tokens::{Mint, SUBJECT};
use crate::http_client::{Connection, Response};
use crate::random::Random;
use crate::scenario::head;
use crate::upstream::Echo;

/// Tokens that a client shows again and again.
const WARM: u64 = 20;

/// A kind of request.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A good token of the present generation, seen before.
    Warm,
    /// A good token that nobody has seen.
    Fresh,
    /// By a key that does not rotate.
    Lasting,
    /// Of the next generation, whose key is published a minute ahead.
    Next,
    /// Of the generation before the present one.
    Retired,
    NarrowScope,
    NoToken,
    Expired,
    Unpublished,
    Public,
    Trick,
    Preview,
}

/// How often each kind comes.
const MIX: &[(Kind, usize)] = &[
    (Kind::Warm, 40),
    (Kind::Fresh, 16),
    (Kind::Lasting, 10),
    (Kind::Next, 3),
    (Kind::Retired, 4),
    (Kind::NarrowScope, 5),
    (Kind::NoToken, 5),
    (Kind::Expired, 3),
    (Kind::Unpublished, 1),
    (Kind::Public, 8),
    (Kind::Trick, 2),
    (Kind::Preview, 3),
];

/// One client on one kept connection.
pub(super) struct Client<'s> {
    pub(super) target: SocketAddr,
    pub(super) plan: Plan,
    pub(super) mint: &'s Mint,
    pub(super) judge: &'s Judge,
    pub(super) random: Random,
    /// Numbers of its tokens begin here, so that no two clients make the same.
    pub(super) numbers: u64,
    pub(super) rest: Duration,
    /// The tokens that it shows again and again, and their generation.
    pub(super) warm: (u64, Vec<String>),
}

impl Client<'_> {
    /// Sends for as long as it should.
    pub(super) fn run(mut self, going: &(dyn Fn() -> bool + Sync)) -> Result<()> {
        let mut kept = None;
        while going() {
            let kind = self.draw();
            let before = self.plan.now();
            let (request, generation) = self.request(kind, before)?;
            match self.exchange(&mut kept, &request) {
                Ok(response) => self.judge(kind, generation, before, &response),
                Err(error) => {
                    let words = format!("{kind:?} at {}: {error:#}", at(before));
                    self.judge.wrong(words);
                }
            }
            std::thread::sleep(self.rest);
        }
        Ok(())
    }

    fn draw(&mut self) -> Kind {
        let all: usize = MIX.iter().map(|(_, weight)| weight).sum();
        let mut left = self.random.below(all);
        for (kind, weight) in MIX {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return *kind,
            }
        }
        Kind::Warm
    }

    fn request(&mut self, kind: Kind, now: Moment) -> Result<(Vec<u8>, u64)> {
        self.numbers += 1;
        let number = self.numbers;
        let generation = now.cycle;
        let read = "orders:read";
        let token = match kind {
            Kind::Warm => Some(self.warm(generation)?),
            Kind::Fresh => Some(self.mint.of_generation(generation, number, read)?),
            Kind::Lasting => Some(self.mint.lasting(number, read)?),
            Kind::Next => Some(self.mint.of_generation(generation + 1, number, read)?),
            Kind::Retired => match generation.checked_sub(1) {
                Some(last) => Some(self.mint.of_generation(last, number, read)?),
                None => Some(self.mint.expired(number)?),
            },
            Kind::NarrowScope => Some(self.mint.lasting(number, "orders:list")?),
            Kind::Expired => Some(self.mint.expired(number)?),
            Kind::Unpublished => Some(self.mint.unpublished(number)?),
            Kind::NoToken | Kind::Public | Kind::Trick | Kind::Preview => None,
        };
        let (path, lines) = match kind {
            Kind::Public => ("/healthz", "x-user: mallory\r\nX_User: mallory\r\n"),
            Kind::Trick => ("/healthz/..%2forders/42", ""),
            Kind::Preview => ("/preview", ""),
            _ => ("/orders/42", "x-user: mallory\r\n"),
        };
        Ok((head("GET", path, token.as_deref(), lines), generation))
    }

    fn warm(&mut self, generation: u64) -> Result<String> {
        if self.warm.0 != generation || self.warm.1.is_empty() {
            let number = self.numbers + (1 << 50);
            let tokens = (number..number + WARM)
                .map(|number| self.mint.of_generation(generation, number, "orders:read"))
                .collect::<Result<_>>()?;
            self.warm = (generation, tokens);
        }
        Ok(self.random.pick(&self.warm.1).clone())
    }

    /// On the kept connection, else on a new one. A connection that was kept may have been closed meanwhile: then the
    /// request was not served, and is sent again, as every client does.
    fn exchange(&self, kept: &mut Option<Connection>, request: &[u8]) -> Result<Response> {
        if let Some(connection) = kept.take() {
            match send(connection, kept, request) {
                Err(_) => self.judge.repeated(),
                answer => return answer,
            }
        }
        send(Connection::open(self.target)?, kept, request)
    }

    fn judge(&self, kind: Kind, generation: u64, before: Moment, response: &Response) {
        let after = self.plan.now();
        let either =
            |is: fn(Moment) -> bool| is(before) || is(after) || before.cycle != after.cycle;
        let words = || {
            format!(
                "{kind:?} of generation {generation} at {}: {} {}",
                at(before),
                response.status,
                response.header("www-authenticate").unwrap_or_default()
            )
        };
        if response.status >= 500 {
            // What the workers know they keep: only who shows a key that they do not know can fail.
            let excused =
                either(Moment::is_failing) && matches!(kind, Kind::Unpublished | Kind::Retired);
            return self.judge.server_error(words(), &response.body, excused);
        }
        let expected: &[u16] = match kind {
            Kind::Warm | Kind::Fresh | Kind::Lasting | Kind::Public => &[200],
            // Just published: one refetch a cool-down finds it out, or the next refresh.
            Kind::Next if either(Moment::is_rotating) => &[200, 401],
            Kind::Next => &[200],
            Kind::Retired if either(Moment::is_rotating) => &[200, 401],
            Kind::Retired | Kind::NoToken | Kind::Expired | Kind::Unpublished => &[401],
            Kind::NarrowScope => &[403],
            Kind::Trick => &[400],
            Kind::Preview if either(Moment::is_reloading) => &[200, 403],
            Kind::Preview if before.has_preview() => &[200],
            Kind::Preview => &[403],
        };
        if !expected.contains(&response.status) {
            return self.judge.wrong(words());
        }
        if response.status == 200 && !self.reached_the_upstream_clean(kind, response) {
            let saw = String::from_utf8_lossy(&response.body).into_owned();
            return self
                .judge
                .wrong(format!("{}, and the upstream saw {saw}", words()));
        }
        self.judge.right(name(kind));
    }

    /// What the upstream saw: the identity that was verified or none, never the forged one, and no credential.
    fn reached_the_upstream_clean(&self, kind: Kind, response: &Response) -> bool {
        let Ok(echo) = Echo::from_response(response) else {
            return false;
        };
        let user: &[&str] = match kind {
            Kind::Public | Kind::Preview => &[],
            _ => &[SUBJECT],
        };
        echo.values("x-user") == user
            && echo.values("x_user").is_empty()
            && echo.values("authorization").is_empty()
    }
}

fn send(
    mut connection: Connection,
    kept: &mut Option<Connection>,
    request: &[u8],
) -> Result<Response> {
    connection.send(request)?;
    let response = connection.receive()?;
    // A draining listener says so, and the client must leave.
    if response.header("connection") != Some("close") {
        *kept = Some(connection);
    }
    Ok(response)
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Warm => "token seen before",
        Kind::Fresh => "new token",
        Kind::Lasting => "RS256 or EdDSA",
        Kind::Next => "next key",
        Kind::Retired => "retired key",
        Kind::NarrowScope => "scope missing",
        Kind::NoToken => "no token",
        Kind::Expired => "expired token",
        Kind::Unpublished => "unknown key",
        Kind::Public => "public route, forged x-user",
        Kind::Trick => "path trick",
        Kind::Preview => "route that comes and goes",
    }
}
