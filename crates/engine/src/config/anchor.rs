//! A trust anchor: one issuer, what its tokens must say, and where its keys come from.

use std::rc::Rc;
use std::time::Duration;

use portcullis_jose::{Algorithm, ExpectedType};
use portcullis_policy::{Field, Section};

use super::algorithms::{self, Accepted};
use super::environment::Environment;
use super::jwks::{self, KeySource};
use super::secrets;
use super::tenants::{self, Template};
use super::url::{self, Http};

/// One configured issuer.
#[derive(Debug)]
pub(crate) struct Anchor {
    /// Its place in the configuration.
    pub(crate) index: usize,
    /// Compared with `iss` byte for byte (RFC 8414 section 2). As the document writes it, where it has a place for a tenant.
    pub(crate) issuer: Rc<str>,
    /// The place for a tenant, and which there are.
    template: Option<Template>,
    /// Each tenant has key sets of its own.
    has_keys_of_each: bool,
    /// A token must be for one of these; never empty.
    pub(crate) audiences: Box<[Box<str>]>,
    /// A token's `alg` must be one of these; never empty. All are HMACs where the issuer has secrets, and none is elsewhere.
    pub(crate) algorithms: Box<[Accepted]>,
    pub(crate) token_type: ExpectedType,
    /// How far clocks may differ.
    pub(crate) leeway: Duration,
    /// The claim that scopes are read from.
    pub(crate) scope_claim: Box<str>,
    /// Take tokens that are bound to their sender's key (`cnf`) for bearer tokens.
    pub(crate) dangerous_ignore_cnf: bool,
    pub(crate) keys: KeySource,
}

impl Anchor {
    /// What the configuration says of an algorithm. `None`: its tokens are refused.
    pub(crate) fn accepted(&self, algorithm: Algorithm) -> Option<Accepted> {
        let mut all = self.algorithms.iter();
        all.find(|one| one.algorithm == algorithm).copied()
    }

    /// Whether a token for these audiences is for us.
    pub(crate) fn accepts_any(&self, audiences: &[String]) -> bool {
        audiences
            .iter()
            .any(|audience| self.audiences.iter().any(|ours| **ours == **audience))
    }

    /// The place for a tenant in its name, and which there are. In a build without tenants: none, which lets the linker leave out
    /// what they need.
    pub(crate) const fn template(&self) -> Option<&Template> {
        if cfg!(feature = "tenants") {
            self.template.as_ref()
        } else {
            None
        }
    }

    /// The same, if each tenant has key sets of its own; else all share the entry's.
    pub(crate) const fn keys_of_each(&self) -> Option<&Template> {
        if self.has_keys_of_each {
            self.template()
        } else {
            None
        }
    }
}

pub(super) fn read(
    section: &mut Section<'_>,
    index: usize,
    environment: &dyn Environment,
) -> Option<Anchor> {
    let http = if section.or("dangerous_allow_http", false, Field::boolean) {
        Http::Anywhere
    } else {
        Http::Loopback
    };
    let issuer = section.required("issuer", |field| read_issuer(field, http));
    let audiences = section.required("audiences", |field| {
        distinct(field, |item| Some(item.non_empty_text()?.into()))
    });
    let algorithms = section.required("algorithms", algorithms::read);
    let token_type = section.optional("token_type", |field| {
        field.one_of(&[("at+jwt", ExpectedType::AtJwt)])
    });
    let leeway = section.or("leeway", Duration::from_secs(30), |field| {
        field.duration(Duration::ZERO..=Duration::from_secs(300))
    });
    let scope_claim = section.or("scope_claim", "scope", Field::non_empty_text);
    let dangerous_ignore_cnf = section.or("dangerous_ignore_cnf", false, Field::boolean);
    let tenants = section.field("tenants");
    let template = read_template(section, issuer, tenants);
    let keys = read_keys(section, issuer, http, algorithms.as_deref(), environment)?;
    let has_keys_of_each = match &keys {
        KeySource::Fetched(origins) => origins.iter().any(|origin| origin.way.has_place()),
        KeySource::Inline(_) | KeySource::Secrets(_) => false,
    };
    Some(Anchor {
        index,
        issuer: issuer?.0.into(),
        template: template?,
        has_keys_of_each,
        audiences: audiences?.into(),
        algorithms: algorithms?,
        token_type: token_type.unwrap_or_default(),
        leeway,
        scope_claim: scope_claim.into(),
        dangerous_ignore_cnf,
        keys,
    })
}

/// `jwks`, `discovery` or `secrets`.
fn read_keys(
    section: &mut Section<'_>,
    issuer: Option<Named<'_>>,
    http: Http,
    algorithms: Option<&[Accepted]>,
    environment: &dyn Environment,
) -> Option<KeySource> {
    // A name that cannot be read is reported already.
    let has_tenants = issuer.is_none_or(|(_, around)| around.is_some());
    let jwks = section.field("jwks");
    let discovery = section.field("discovery");
    if let Some(secrets) = section.field("secrets").map(Field::hushed) {
        for field in [&jwks, &discovery].into_iter().flatten() {
            field.problem("keys come from here or from `secrets`, not from both");
        }
        return secrets::read(&secrets, algorithms, environment).map(KeySource::Secrets);
    }
    let is_symmetric = |one: &Accepted| one.algorithm.is_symmetric();
    // INVARIANT: no key set holds a secret, whatever it says.
    if algorithms.into_iter().flatten().any(is_symmetric) {
        for field in [&jwks, &discovery].into_iter().flatten() {
            field.problem_with_help(
                "holds no key for an HMAC",
                "`secrets` has them, from the environment",
            );
        }
    }
    match (jwks, discovery) {
        (Some(jwks), None) => jwks::read(&mut jwks.section()?, http, has_tenants),
        // INVARIANT: a build that leaves it out refuses the document, so nothing is discovered later.
        (None, Some(discovery)) if !cfg!(feature = "discovery") => {
            discovery.problem_with_help(
                "asks for discovery, and this build has none",
                "use token-guard.wasm, which has it, or `jwks`",
            );
            None
        }
        (None, Some(discovery)) => {
            let issuer = issuer.map(|(name, _)| name);
            jwks::read_discovery(&mut discovery.section()?, issuer, http)
        }
        (Some(jwks), Some(discovery)) => {
            discovery.problem("keys come from `jwks` or by `discovery`, not from both");
            // For the mistakes in them.
            let jwks = jwks.section();
            let _ = jwks.map(|mut jwks| jwks::read(&mut jwks, http, has_tenants));
            let issuer = issuer.map(|(name, _)| name);
            let discovery = discovery.section();
            let _ =
                discovery.map(|mut discovery| jwks::read_discovery(&mut discovery, issuer, http));
            None
        }
        (None, None) => {
            section.problem_with_help(
                "the field `jwks` is missing",
                "or `discovery: { cluster: … }`, where the issuer publishes metadata",
            );
            None
        }
    }
}

/// An issuer's name, and what stands around its tenant.
type Named<'d> = (&'d str, Option<(&'d str, &'d str)>);

fn read_issuer<'d>(field: &Field<'d>, http: Http) -> Option<Named<'d>> {
    let text = field.non_empty_text()?;
    let around = match text.contains(['{', '}']) {
        // INVARIANT: a build that leaves tenants out refuses the document: such a name is no issuer's own.
        true if !cfg!(feature = "tenants") => {
            field.problem_with_help(
                "has a place for a tenant, and this build has no tenants",
                "use token-guard.wasm, which has them",
            );
            return None;
        }
        true => Some(Template::split(field, text)?),
        false => None,
    };
    // Any tenant does: none has a character that a URL cannot have.
    let sample = text.replace(tenants::PLACE, "tenant");
    let parsed = match url::parse(&sample, http) {
        Ok(parsed) => parsed,
        Err(wrong) => {
            wrong.report(field);
            return None;
        }
    };
    // RFC 8414 section 2: "a URL that uses the "https" scheme and has no query or fragment components".
    if parsed.has_query {
        field.problem("an issuer has no query (RFC 8414 section 2)");
        return None;
    }
    Some((text, around))
}

/// `tenants`, which belongs to an issuer with a place for one, and only to such.
fn read_template(
    section: &Section<'_>,
    issuer: Option<Named<'_>>,
    tenants: Option<Field<'_>>,
) -> Option<Option<Template>> {
    match (issuer?.1, tenants) {
        (None, None) => Some(None),
        (Some(around), Some(tenants)) => Template::read(&tenants, around).map(Some),
        (Some(_), None) => {
            section.problem_with_help(
                "the field `tenants` is missing: the issuer has a place for one",
                "tenants: [a, b], or tenants: { pattern: uuid }",
            );
            None
        }
        (None, Some(tenants)) => {
            tenants.problem("the issuer has no `{tenant}` that this could be for");
            None
        }
    }
}

/// A non-empty list without repetitions.
fn distinct<T: PartialEq>(
    field: &Field<'_>,
    read: impl Fn(&Field<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut values: Vec<T> = Vec::new();
    let mut whole = true;
    for item in field.non_empty_list()? {
        match read(&item) {
            Some(value) if values.contains(&value) => {
                item.problem("stands here twice");
                whole = false;
            }
            Some(value) => values.push(value),
            None => whole = false,
        }
    }
    whole.then_some(values)
}
