//! What happens in a case: requests, and for scripted cases time, the issuer's answers and clients that leave.

use serde::Deserialize;

use crate::case::{Expect, InEnvoy, Request};
use crate::mint::Recipe;

/// One thing that happens.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A client sends a request.
    Send(Box<Send>),
    /// The request of that name has been answered, or forwarded, by now.
    Answered(Answered),
    /// Seconds pass; then the filter's timer fires. Negative: the clock is set back.
    Advance(i64),
    /// The machine's clock is set to so many seconds since 1970 (0: the host has no time).
    SetClock(i64),
    /// The outstanding fetch of keys ends like this.
    KeysArrive(KeysArrive),
    /// The outstanding fetch, which asks for this path, ends like this; in Envoy later ones for the same path too.
    KeysArriveAt(KeysArriveAt),
    /// How many fetches of keys have been made so far, in all.
    FetchesSoFar(u32),
    /// The adapter loses the state of the request of that name.
    StateIsLost(String),
    /// The client of the request of that name leaves.
    ClientLeaves(String),
}

/// A request and what comes of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// A name, for a request that must wait; it then has no `expect`.
    pub id: Option<String>,
    /// The request.
    #[serde(default)]
    pub request: Request,
    /// Its token. Times are relative to the start of the case.
    pub token: Option<Recipe>,
    /// A second one.
    pub second_token: Option<Recipe>,
    /// What must come of it at once.
    pub expect: Option<Expect>,
    /// How Envoy differs.
    pub in_envoy: Option<InEnvoy>,
}

/// The end of a request that had to wait.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Which request.
    pub id: String,
    /// What came of it.
    pub expect: Expect,
}

/// How a fetch of keys from one path ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysArriveAt {
    /// Path and query.
    pub path: String,
    /// How it ends.
    pub how: KeysArrive,
}

/// How a fetch of keys ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysArrive {
    /// 200 with these keys, each as `NAME` and field changes as in the worlds (see `world.rs`).
    Keys(Vec<String>),
    /// 200 with this body.
    Body(String),
    /// Another status.
    Status(u16),
    /// The host gave up waiting.
    TimedOut,
    /// The connection failed.
    Unreachable,
}

impl Step {
    /// What it expects of a request, if it does.
    pub fn expect(&self) -> Option<&Expect> {
        match self {
            Self::Send(send) => send.expect.as_ref(),
            Self::Answered(answered) => Some(&answered.expect),
            _ => None,
        }
    }
}
