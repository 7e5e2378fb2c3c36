//! Differences: which there are, and which are known.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{Verdict, same_members};

/// Between whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum With {
    Jsonwebtoken,
    Jose,
    /// Both of them, of one mind against us.
    Both,
}

/// What we do, and they don't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum We {
    Refuse,
    Accept,
    /// Both accept, with other claims.
    Read,
}

/// One kind of difference as it was found: the code is ours where we refuse, else theirs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    pub(crate) with: With,
    pub(crate) we: We,
    pub(crate) code: String,
}

/// One that is deliberate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    name: String,
    with: Vec<With>,
    we: We,
    /// Ours, whole, where we refuse; part of their message where we accept; two names of entries where we alone accept.
    codes: Vec<String>,
    why: String,
    /// The standard that decides, or where it leaves the choice.
    source: String,
}

/// Stands between two messages.
const AND: &str = " && ";

/// The list.
pub(crate) struct Differences(Vec<Known>);

/// What became of the list.
pub(crate) struct Explained {
    pub(crate) counts: String,
    pub(crate) unknown: Vec<String>,
    pub(crate) unmet: BTreeSet<String>,
}

/// The differences of one token. INVARIANT: that we accept what both others refuse is a difference of its own, which no entry for one
/// of them covers: it needs an entry that names why each of them refuses, and both whys must stand alone elsewhere.
pub(crate) fn between(ours: &Verdict, rust: &Verdict, node: &Verdict) -> Vec<Said> {
    let said = |with, we, code: &str| Said {
        with,
        we,
        code: code.to_owned(),
    };
    if let (Ok(_), Err(rust), Err(node)) = (ours, rust, node) {
        return vec![said(With::Both, We::Accept, &format!("{rust}{AND}{node}"))];
    }
    let mut all = Vec::new();
    for (with, theirs) in [(With::Jsonwebtoken, rust), (With::Jose, node)] {
        match (ours, theirs) {
            (Err(code), Ok(_)) => all.push(said(with, We::Refuse, code)),
            (Ok(_), Err(message)) => all.push(said(with, We::Accept, message)),
            (Ok(ours), Ok(theirs)) if !same_members(ours, theirs) => {
                all.push(said(with, We::Read, "claims"));
            }
            _ => {}
        }
    }
    all
}

impl Known {
    fn covers(&self, said: &Said, code: &str) -> bool {
        let fits = match self.we {
            We::Accept if said.with == With::Both => said.code == code,
            We::Refuse => said.code == code,
            We::Accept | We::Read => said.code.contains(code),
        };
        fits && self.we == said.we && self.with.contains(&said.with)
    }
}

impl Differences {
    pub(crate) fn read() -> Self {
        let text = include_str!("differences.yaml");
        let known: Vec<Known> = serde_saphyr::from_str(text).unwrap();
        for one in &known {
            assert!(
                !one.why.is_empty() && !one.source.is_empty(),
                "{}",
                one.name
            );
        }
        Self(known)
    }

    /// The name of the entry that says why one of them refuses what the other one accepts too.
    fn name_of(&self, with: With, message: &str) -> Option<&str> {
        let said = Said {
            with,
            we: We::Accept,
            code: message.to_owned(),
        };
        let covers = |known: &&Known| known.codes.iter().any(|code| known.covers(&said, code));
        Some(&self.0.iter().find(covers)?.name)
    }

    /// Two messages as the two entries that explain them, where there are such.
    fn named(&self, said: &Said) -> Said {
        let names = said.code.split_once(AND).and_then(|(rust, node)| {
            let rust = self.name_of(With::Jsonwebtoken, rust)?;
            let node = self.name_of(With::Jose, node)?;
            Some(format!("{rust}{AND}{node}"))
        });
        let code = names.filter(|_| said.with == With::Both);
        Said {
            code: code.unwrap_or_else(|| said.code.clone()),
            ..said.clone()
        }
    }

    pub(crate) fn explain(&self, found: &BTreeMap<Said, (usize, String)>) -> Explained {
        let mut met: BTreeMap<(&str, With, &str), usize> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (said, (count, example)) in found {
            let said = self.named(said);
            let mut is_known = false;
            for known in &self.0 {
                for code in known.codes.iter().filter(|code| known.covers(&said, code)) {
                    *met.entry((&known.name, said.with, code)).or_default() += count;
                    is_known = true;
                }
            }
            if !is_known {
                unknown.push(format!("{count} times: {said:?}\n  such as {example}"));
            }
        }
        let mut unmet = BTreeSet::new();
        let mut counts = Vec::new();
        for known in &self.0 {
            for with in &known.with {
                for code in &known.codes {
                    let count = met.get(&(&*known.name, *with, &**code)).copied();
                    counts.push(format!(
                        "  {} ({with:?}) {code}: {}",
                        known.name,
                        count.unwrap_or(0)
                    ));
                    if count.is_none() {
                        unmet.insert(format!("{} ({with:?}) {code}", known.name));
                    }
                }
            }
        }
        Explained {
            counts: counts.join("\n"),
            unknown,
            unmet,
        }
    }
}
