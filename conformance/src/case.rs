//! A case of the corpus as it stands in `cases/*.yaml`, and the loading of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Deserializer};

use crate::mint::Recipe;
use crate::script::{KeysArrive, KeysArriveAt, Step};

/// One named case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique, snake case.
    pub name: String,
    /// Which configuration document of `cases/worlds/` it runs under.
    #[serde(default = "main_world")]
    pub world: String,
    /// What rule it holds: an RFC and section, a CVE, an invariant.
    pub why: String,
    /// Which attack of the required list it is, if one.
    pub attack: Option<String>,
    /// The request, for a case that is a single exchange.
    #[serde(default)]
    pub request: Request,
    /// The token that the request carries.
    pub token: Option<Recipe>,
    /// A second one, which the request says where to put: `{second_token}`.
    pub second_token: Option<Recipe>,
    /// What must come of it. Given exactly when `steps` is not.
    pub expect: Option<Expect>,
    /// How the real Envoy differs, if it answers before the filter.
    pub in_envoy: Option<InEnvoy>,
    /// Where it runs, if not everywhere; `why` says the reason.
    #[serde(default = "everywhere")]
    pub only_on: Vec<HostKind>,
    /// What happens, for a case that is more than one exchange.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// A request, byte for byte.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// `:method`.
    pub method: String,
    /// `:path`, query included. Texts here may hold `\xNN`.
    pub path: String,
    /// `:authority`; in HTTP/1.1 the `Host`.
    pub authority: String,
    /// Further headers in order, spelled as sent. `{token}`, here or in the path, is the token; when it stands
    /// nowhere, `authorization: Bearer {token}` is appended. `{second_token}` is the other one.
    pub headers: Vec<(String, String)>,
    /// One more header, so many times; `{i}` in its name counts.
    pub repeat: Option<Repeat>,
    /// How it is written in HTTP/1.1, if not plainly. The header map stays as above.
    pub http1: Http1,
    /// How many headers the host announces, when it is to lie (natively only).
    pub announced: Option<usize>,
    /// A body, sent with `content-length` unless the headers frame it.
    pub body: Option<String>,
}

/// An odd way to write a request in HTTP/1.1.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http1 {
    /// What ends a header line, instead of CR LF.
    pub line_end: Option<String>,
    /// Several `Host` lines, instead of the authority.
    pub hosts: Vec<String>,
}

/// A header repeated.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// How often.
    pub times: usize,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            path: "/orders/42".to_owned(),
            authority: "api.example.test".to_owned(),
            headers: Vec::new(),
            repeat: None,
            http1: Http1::default(),
            announced: None,
            body: None,
        }
    }
}

/// What must come of a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The reason code in the audit event.
    pub reason: String,
    /// The audit event says that this was not enforced.
    #[serde(default)]
    pub shadow: bool,
    /// The upstream gets it, changed like this.
    pub forwarded: Option<Forwarded>,
    /// The client gets this status.
    pub status: Option<u16>,
    /// The exact `WWW-Authenticate`, or several, in any order; without it there must be none.
    #[serde(default, deserialize_with = "one_or_more")]
    pub www_authenticate: Vec<String>,
    /// Other headers of the answer.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

fn one_or_more<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        More(Vec<String>),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::One(text) => vec![text],
        Either::More(texts) => texts,
    })
}

/// What the upstream must receive.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forwarded {
    /// `:path`, when it isn't the one that was sent.
    pub path: Option<String>,
    /// Headers with exactly these values.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Headers that must not arrive.
    pub absent: Vec<String>,
}

/// How Envoy differs.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InEnvoy {
    /// Envoy answers with this status, and the filter sees nothing.
    pub rejected_by_proxy: u16,
}

/// Where cases run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKind {
    /// The engine itself.
    Native,
    /// The filter under host-test.
    Wasm,
    /// The filter in Envoy.
    Envoy,
}

fn everywhere() -> Vec<HostKind> {
    vec![HostKind::Native, HostKind::Wasm, HostKind::Envoy]
}

fn main_world() -> String {
    "main".to_owned()
}

impl Case {
    /// The exchanges and events, in order.
    pub fn script(&self) -> Vec<Step> {
        match &self.expect {
            Some(expect) => vec![Step::Send(Box::new(crate::script::Send {
                id: None,
                request: self.request.clone(),
                token: self.token.clone(),
                second_token: self.second_token.clone(),
                expect: Some(expect.clone()),
                in_envoy: self.in_envoy,
            }))],
            None => self.steps.clone(),
        }
    }

    /// Whether it runs there. Time cannot be scripted in Envoy, and budgets would carry over to other cases.
    pub fn runs_on(&self, host: HostKind) -> bool {
        let timeless = self.script().iter().all(|step| match step {
            Step::Send(_) | Step::Answered(_) | Step::FetchesSoFar(_) | Step::ClientLeaves(_) => {
                true
            }
            Step::KeysArrive(how) | Step::KeysArriveAt(KeysArriveAt { how, .. }) => {
                !matches!(how, KeysArrive::TimedOut)
            }
            Step::Advance(_) | Step::SetClock(_) | Step::StateIsLost(_) => false,
        });
        let counted = self.world.starts_with("tight-");
        self.only_on.contains(&host) && (host != HostKind::Envoy || timeless && !counted)
    }

    /// Whether its keys come from an issuer, whose answers the case then decides.
    pub fn has_issuer(&self) -> bool {
        matches!(
            &*self.world,
            "remote" | "remote-algorithms" | "discovered" | "two-sets" | "tenant-keys"
        )
    }

    /// Whether its document must be taken, or refused.
    pub fn is_configured(&self) -> bool {
        !self.world.starts_with("broken")
    }

    /// Every reason code that it expects.
    pub fn reasons(&self) -> BTreeSet<String> {
        self.script()
            .iter()
            .filter_map(|step| Some(step.expect()?.reason.clone()))
            .collect()
    }

    fn check(&self) -> Result<()> {
        ensure!(
            self.expect.is_some() == self.steps.is_empty(),
            "a case has either `expect` or `steps`"
        );
        ensure!(
            self.why.len() > 10,
            "`why` must say which rule the case holds"
        );
        for expect in self.script().iter().filter_map(Step::expect) {
            ensure!(
                expect.forwarded.is_some() != expect.status.is_some(),
                "an expectation has either `forwarded` or `status`"
            );
            ensure!(
                !expect.shadow || expect.forwarded.is_some(),
                "in shadow mode a request is forwarded"
            );
            ensure!(
                expect.status != Some(401) || !expect.www_authenticate.is_empty(),
                "a 401 has `WWW-Authenticate` (RFC 9110 section 15.5.2)"
            );
        }
        Ok(())
    }
}

/// Every case, in the order of the files' names.
pub fn load() -> Result<Vec<Case>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        cases: Vec<Case>,
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    let mut cases = Vec::new();
    let mut names = BTreeSet::new();
    for path in files {
        let text = std::fs::read_to_string(&path)?;
        let file: File = serde_saphyr::from_str(&text)
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        for case in file.cases {
            case.check()
                .with_context(|| format!("case {}", case.name))?;
            if !names.insert(case.name.clone()) {
                bail!("there are two cases {}", case.name);
            }
            cases.push(case);
        }
    }
    Ok(cases)
}

/// Where the cases are.
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases")
}
