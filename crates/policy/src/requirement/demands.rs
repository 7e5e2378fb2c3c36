//! Which credentials a route demands, and what of each: one, all of several, or any of several alternatives.
//!
//! ```yaml
//! require: { scopes: { all: [orders:read] } }                        # where the document has one credential
//! require: { credential: session }
//! require: { all: [{ credential: user }, { credential: workload, issuers: [https://mesh.example.com] }] }
//! require: { any: [{ credential: session }, { all: [{ credential: user }, { credential: workload }] }] }
//! ```

use super::Requirement;
use crate::decision::{Denial, Denied, Facts, Speakers, TokenFacts};
use crate::document::{Field, Section, nearest, quoted};
use crate::policy::Known;

/// The most items of `any` and of `all`.
const MAX_DEMANDS: usize = 8;

/// A credential that must come, and what its token must be.
#[derive(Debug)]
pub struct Demand {
    credential: usize,
    requirement: Requirement,
}

/// The demands of a route.
#[derive(Debug)]
pub struct Demands(Kind);

/// INVARIANT: never without a demand.
#[derive(Debug)]
enum Kind {
    /// One credential. Nearly all routes: no list is walked for them.
    One(Demand),
    Several(Box<Several>),
}

#[derive(Debug)]
struct Several {
    /// Of each alternative all must be met; none is empty.
    alternatives: Vec<Vec<Demand>>,
    /// All credentials in it, each once, in the order in which they are named.
    credentials: Vec<usize>,
}

impl Demand {
    /// The document's credential, by place.
    #[must_use]
    pub const fn credential(&self) -> usize {
        self.credential
    }

    /// What its token must be.
    #[must_use]
    pub const fn requirement(&self) -> &Requirement {
        &self.requirement
    }
}

impl Demands {
    /// The document's credentials that are named, by place, each once, in the order of naming.
    #[must_use]
    pub fn credentials(&self) -> &[usize] {
        match &self.0 {
            Kind::One(demand) => std::slice::from_ref(&demand.credential),
            Kind::Several(several) => &several.credentials,
        }
    }

    /// The alternatives, in order; all demands of one must be met.
    pub fn alternatives(&self) -> impl Iterator<Item = &[Demand]> {
        let (one, several) = match &self.0 {
            Kind::One(demand) => (Some(std::slice::from_ref(demand)), None),
            Kind::Several(several) => (None, Some(several.alternatives.iter())),
        };
        one.into_iter()
            .chain(several.into_iter().flatten().map(Vec::as_slice))
    }

    /// A credential without which no alternative can be met, given those that came; `None` if one has all that it names.
    ///
    /// Of the alternative that needs the fewest more it is the first that lacks.
    #[must_use]
    pub fn missing(&self, came: impl Fn(usize) -> bool) -> Option<usize> {
        if let Kind::One(demand) = &self.0 {
            return Some(demand.credential).filter(|credential| !came(*credential));
        }
        let lacks = self.alternatives().map(|alternative| {
            let lacking = || {
                let credentials = alternative.iter().map(|demand| demand.credential);
                credentials.filter(|credential| !came(*credential))
            };
            (lacking().count(), lacking().next())
        });
        lacks.min_by_key(|(count, _)| *count)?.1
    }

    /// Whether it looks at claims beside issuer, audiences and scopes.
    pub(crate) fn reads_claims(&self) -> bool {
        self.alternatives()
            .flatten()
            .any(|demand| demand.requirement.reads_claims())
    }

    /// The tokens of all alternatives that are wholly met, and the principal: that of the first demand of the first of these.
    /// INVARIANT: each demand is met by the token of its own credential.
    pub(crate) fn decide<'f>(
        &self,
        facts: &Facts<'f>,
    ) -> Result<(Speakers, &'f TokenFacts<'f>), Denial> {
        match &self.0 {
            Kind::One(demand) => demand
                .meet(facts)
                .map(|(place, token)| (Speakers::one(place), token)),
            Kind::Several(several) => several.decide(facts),
        }
    }

    /// Reads `require: {…}`. Every mistake in it is reported.
    pub(crate) fn read(field: &Field<'_>, known: &Known<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let all = section.field("all");
        let any = section.field("any");
        let alternatives = match (all, any) {
            (None, None) => {
                return Demand::read(&mut section, known).map(|demand| Self(Kind::One(demand)));
            }
            (Some(field), _) | (None, Some(field)) if !cfg!(feature = "credentials") => {
                field.problem_with_help(
                    "demands several credentials, and this build has one",
                    "use token-guard.wasm, which has them",
                );
                return None;
            }
            (Some(_), Some(any)) => {
                any.problem_with_help(
                    "stands beside `all`",
                    "put `all` into an item of `any`: any: [{ all: […] }, …]",
                );
                return None;
            }
            (Some(all), None) => vec![read_all(&all, known)?],
            (None, Some(any)) => read_any(&any, known)?,
        };
        let mut credentials: Vec<usize> = Vec::new();
        for demand in alternatives.iter().flatten() {
            if !credentials.contains(&demand.credential) {
                credentials.push(demand.credential);
            }
        }
        Some(Self(Kind::Several(Box::new(Several {
            alternatives,
            credentials,
        }))))
    }
}

impl Several {
    fn decide<'f>(&self, facts: &Facts<'f>) -> Result<(Speakers, &'f TokenFacts<'f>), Denial> {
        let mut met: Option<(Speakers, &TokenFacts<'_>)> = None;
        let mut denial: Option<Denial> = None;
        for alternative in &self.alternatives {
            match meet_all(alternative, facts) {
                Ok((principal, token, further)) => {
                    let (speakers, _) = met.get_or_insert((Speakers::one(principal), token));
                    speakers.join(std::iter::once(principal).chain(further));
                    if speakers.are_all(facts.tokens.len()) {
                        break;
                    }
                }
                // An alternative whose credentials did not come was not chosen: it does not say why the request may not pass.
                Err(other) => match &denial {
                    Some(first) if first.denied != Denied::Missing => {}
                    Some(_) if other.denied == Denied::Missing => {}
                    _ => denial = Some(other),
                },
            }
        }
        met.ok_or_else(|| denial.unwrap_or(NOTHING))
    }
}

/// What an alternative without demands says; there is none.
const NOTHING: Denial = Denial {
    credential: 0,
    denied: Denied::Missing,
};

/// A place among the tokens, the token there, and the places of further ones.
type Met<'f> = (usize, &'f TokenFacts<'f>, Vec<usize>);

/// All demands of an alternative; gives the token of the first, and where the others are.
fn meet_all<'f>(alternative: &[Demand], facts: &Facts<'f>) -> Result<Met<'f>, Denial> {
    // Whether all came is asked before what they say, so that a denial is one of an alternative that was chosen.
    for demand in alternative {
        demand.find(facts)?;
    }
    let (first, others) = alternative.split_first().ok_or(NOTHING)?;
    let (principal, token) = first.meet(facts)?;
    let mut further = Vec::new();
    for demand in others {
        further.push(demand.meet(facts)?.0);
    }
    Ok((principal, token, further))
}

impl Demand {
    fn find<'f>(&self, facts: &Facts<'f>) -> Result<(usize, &'f TokenFacts<'f>), Denial> {
        let mut tokens = facts.tokens.iter().enumerate();
        tokens
            .find(|(_, token)| token.credential == self.credential)
            .ok_or_else(|| self.denial(Denied::Missing))
    }

    fn meet<'f>(&self, facts: &Facts<'f>) -> Result<(usize, &'f TokenFacts<'f>), Denial> {
        let found = self.find(facts)?;
        match self.requirement.decide(found.1, facts.now) {
            Ok(()) => Ok(found),
            Err(denied) => Err(self.denial(denied)),
        }
    }

    fn denial(&self, denied: Denied) -> Denial {
        Denial {
            credential: self.credential,
            denied,
        }
    }

    /// Reads one demand. `credential` may be left out where the document has but one: which of several is the first is not to be
    /// told, because what carries documents as maps need not keep their order.
    fn read(section: &mut Section<'_>, known: &Known<'_>) -> Option<Self> {
        let named = section.field("credential");
        let credential = match (&named, known.credentials) {
            (Some(field), _) => read_credential(field, known),
            (None, [_]) => Some(0),
            (None, all) => {
                section.problem_with_help(
                    "the field `credential` is missing",
                    format!("the document has several: {}", all.join(", ")),
                );
                None
            }
        };
        let requirement = Requirement::read(section, known.issuers);
        Some(Self {
            credential: credential?,
            requirement: requirement?,
        })
    }
}

fn read_any(field: &Field<'_>, known: &Known<'_>) -> Option<Vec<Vec<Demand>>> {
    read_items(field, |item| {
        let mut section = item.section()?;
        match section.field("all") {
            Some(all) => read_all(&all, known),
            None => Demand::read(&mut section, known).map(|demand| vec![demand]),
        }
    })
}

fn read_all(field: &Field<'_>, known: &Known<'_>) -> Option<Vec<Demand>> {
    let demands = read_items(field, |item| Demand::read(&mut item.section()?, known))?;
    for (index, demand) in demands.iter().enumerate() {
        let before = demands.get(..index).unwrap_or_default();
        if before
            .iter()
            .any(|other| other.credential == demand.credential)
        {
            let name = known.names_of(&[demand.credential]).concat();
            field.problem_with_help(
                format!("demands the credential {} twice", quoted(&name)),
                "a request has one token of each credential: put both demands into one item",
            );
            return None;
        }
    }
    Some(demands)
}

/// A list of a few items; one mistake and the whole is `None`.
fn read_items<T>(field: &Field<'_>, read: impl Fn(&Field<'_>) -> Option<T>) -> Option<Vec<T>> {
    let items = field.list_of(read)?;
    if items.len() > MAX_DEMANDS {
        field.problem(format!(
            "has {} items, more than the {MAX_DEMANDS} allowed",
            items.len()
        ));
        return None;
    }
    Some(items)
}

/// The place of a credential that is named.
pub(crate) fn read_credential(field: &Field<'_>, known: &Known<'_>) -> Option<usize> {
    let name = field.non_empty_text()?;
    let mut names = known.credentials.iter();
    let place = names.position(|known| *known == name);
    if place.is_none() {
        let help = match nearest(name, known.credentials.iter().copied()) {
            Some(known) => format!("did you mean {known}?"),
            None => format!("configured: {}", known.credentials.join(", ")),
        };
        field.problem_with_help(
            format!(
                "{} is not among the credentials of this document",
                quoted(name)
            ),
            help,
        );
    }
    place
}
