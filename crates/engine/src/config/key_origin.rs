//! One key set behind a URL: the way to it, and how long what was fetched counts.

use std::rc::Rc;
use std::time::Duration;

use portcullis_jose::{IssuerMetadata, MetadataError};

use super::tenants;
use super::url::{self, Http, Url};

/// A key set behind a URL.
#[derive(Debug)]
pub(crate) struct KeyOrigin {
    pub(crate) way: Way,
    pub(crate) timing: Timing,
}

/// How long fetching takes and what was fetched counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// How long one fetch may take.
    pub(crate) timeout: Duration,
    /// Age at which keys are fetched anew.
    pub(crate) refresh: Duration,
    /// Least time between two fetches for the sake of unknown keys.
    pub(crate) cooldown: Duration,
    /// How much longer than `refresh` the last good keys serve while fetches fail.
    pub(crate) stale: Duration,
}

/// How a key set is found.
#[derive(Debug)]
pub(crate) enum Way {
    /// The configuration says where it is.
    Straight(Target),
    /// The issuer's metadata says where it is, among the destinations of the configuration.
    Discovered(Discovery),
}

impl Way {
    /// How it is discovered, if it is. In a build without discovery: it is not, which lets the linker leave out what that needs.
    pub(crate) const fn discovery(&self) -> Option<&Discovery> {
        match self {
            Self::Discovered(discovery) if cfg!(feature = "discovery") => Some(discovery),
            Self::Discovered(_) | Self::Straight(_) => None,
        }
    }

    /// Whether it leads each tenant elsewhere.
    pub(super) fn has_place(&self) -> bool {
        match self {
            Self::Straight(target) => target.has_place(),
            Self::Discovered(discovery) => discovery.document.has_place(),
        }
    }
}

/// A request and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) cluster: Rc<str>,
    /// The whole request, ready to be sent, but for places for a tenant.
    pub(crate) request: Rc<[(&'static str, Box<str>)]>,
}

/// Where metadata is, and where keys may be.
#[derive(Debug)]
pub(crate) struct Discovery {
    pub(crate) document: Target,
    /// Origin, in the form of [`Url::origin`], and cluster; the issuer's own first.
    pub(super) destinations: Vec<(String, Rc<str>)>,
    pub(super) http: Http,
}

/// Where metadata stands under an issuer's URL.
#[derive(Clone, Copy, Debug)]
pub(super) enum WellKnown {
    /// OpenID Connect Discovery 1.0 section 4: behind the issuer's path.
    OpenId,
    /// RFC 8414 section 3: before the issuer's path.
    OAuth,
}

/// Why metadata is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undiscovered {
    Metadata(MetadataError),
    /// It is about another issuer.
    Issuer,
    /// `jwks_uri` is no URL that a key set could have, or plain http.
    KeySetUri,
    /// `jwks_uri` leads where the configuration names no cluster.
    Origin,
}

impl Undiscovered {
    /// For the log.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Metadata(MetadataError::TooLarge) => "it is too long",
            Self::Metadata(MetadataError::Json(_)) => "it is no strict JSON object",
            Self::Metadata(MetadataError::IssuerMissing) => "it has no `issuer`",
            Self::Metadata(MetadataError::KeySetUriMissing) => "it has no `jwks_uri`",
            Self::Issuer => "its `issuer` is another one (RFC 8414 section 3.3)",
            Self::KeySetUri => "its `jwks_uri` is no absolute https URL",
            Self::Origin => {
                "its `jwks_uri` leads to an origin that `discovery.clusters` does not name"
            }
        }
    }
}

impl Target {
    pub(super) fn of(cluster: &Rc<str>, url: &Url<'_>) -> Self {
        Self {
            cluster: Rc::clone(cluster),
            request: Rc::new([
                (":method", "GET".into()),
                (":scheme", url.scheme.into()),
                (":authority", url.authority.into()),
                (":path", url.target.as_str().into()),
                // RFC 7517 section 8.5.2; many issuers say plain JSON.
                (
                    "accept",
                    "application/jwk-set+json, application/json".into(),
                ),
                // Some issuers stand behind filters that refuse nameless clients.
                (
                    "user-agent",
                    concat!("portcullis/", env!("CARGO_PKG_VERSION")).into(),
                ),
            ]),
        }
    }

    pub(super) fn has_place(&self) -> bool {
        self.request
            .iter()
            .any(|(_, value)| value.contains(tenants::PLACE))
    }

    /// The request for this tenant. INVARIANT: a tenant is one segment of unreserved characters (see [`tenants`]) and its places
    /// are in the path and the query, so it chooses neither host nor cluster, nor a path beside those that the document writes.
    #[must_use]
    pub(crate) fn of_tenant(&self, tenant: Option<&str>) -> Self {
        match tenant {
            Some(tenant) if cfg!(feature = "tenants") => {
                let filled = |(name, value): &(&'static str, Box<str>)| {
                    (*name, value.replace(tenants::PLACE, tenant).into())
                };
                Self {
                    cluster: Rc::clone(&self.cluster),
                    request: self.request.iter().map(filled).collect(),
                }
            }
            Some(_) | None => self.clone(),
        }
    }
}

impl Discovery {
    pub(super) const OPENID: WellKnown = WellKnown::OpenId;
    pub(super) const OAUTH: WellKnown = WellKnown::OAuth;

    /// Where the keys of `issuer` are, by its metadata.
    ///
    /// INVARIANT: the document must be about that very issuer, and chooses among the configured destinations only.
    ///
    /// # Errors
    /// [`Undiscovered`]
    pub(crate) fn locate(&self, issuer: &str, body: &[u8]) -> Result<Target, Undiscovered> {
        let metadata = IssuerMetadata::parse(body).map_err(Undiscovered::Metadata)?;
        if metadata.issuer() != issuer {
            return Err(Undiscovered::Issuer);
        }
        let url =
            url::parse(metadata.jwks_uri(), self.http).map_err(|_| Undiscovered::KeySetUri)?;
        let origin = url.origin();
        let known = self.destinations.iter().find(|(known, _)| *known == origin);
        let (_, cluster) = known.ok_or(Undiscovered::Origin)?;
        Ok(Target::of(cluster, &url))
    }
}

impl WellKnown {
    /// The path of the metadata of an issuer with this path. Both specifications take a final `/` off first.
    pub(super) fn path_for(self, issuer: &str) -> String {
        let path = issuer.strip_suffix('/').unwrap_or(issuer);
        match self {
            Self::OpenId => format!("{path}/.well-known/openid-configuration"),
            Self::OAuth => format!("/.well-known/oauth-authorization-server{path}"),
        }
    }
}

#[cfg(feature = "shared")]
impl KeyOrigin {
    /// Everything that tells this key set from others, as bytes: where it comes from and how long it counts. Two that differ in
    /// anything share nothing: so a document that changes how long keys count fetches them anew.
    pub(crate) fn write_identity(&self, into: &mut Vec<u8>) {
        match &self.way {
            Way::Straight(target) => {
                push_part(into, b"straight");
                target.write_identity(into);
            }
            Way::Discovered(discovery) => {
                push_part(into, b"discovered");
                discovery.document.write_identity(into);
                for (origin, cluster) in &discovery.destinations {
                    push_part(into, origin.as_bytes());
                    push_part(into, cluster.as_bytes());
                }
                let http: &[u8] = match discovery.http {
                    Http::Loopback => b"loopback",
                    Http::Anywhere => b"anywhere",
                };
                push_part(into, http);
            }
        }
        let Timing {
            timeout,
            refresh,
            cooldown,
            stale,
        } = self.timing;
        for span in [timeout, refresh, cooldown, stale] {
            push_part(into, &span.as_nanos().to_be_bytes());
        }
    }
}

#[cfg(feature = "shared")]
impl Target {
    fn write_identity(&self, into: &mut Vec<u8>) {
        push_part(into, self.cluster.as_bytes());
        for (name, value) in &*self.request {
            push_part(into, name.as_bytes());
            push_part(into, value.as_bytes());
        }
    }
}

/// Appends a part so that nobody can take its end for another place.
#[cfg(feature = "shared")]
pub(crate) fn push_part(into: &mut Vec<u8>, part: &[u8]) {
    into.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
    into.extend_from_slice(part);
}

impl KeyOrigin {
    /// Every cluster that it may call.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &str> {
        let (straight, discovered) = match &self.way {
            Way::Straight(target) => (Some(&*target.cluster), [].as_slice()),
            Way::Discovered(discovery) => (None, discovery.destinations.as_slice()),
        };
        let discovered = discovered.iter().map(|(_, cluster)| &**cluster);
        straight.into_iter().chain(discovered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovery() -> Discovery {
        let issuer = url::parse("https://login.example.com/a", Http::Loopback).unwrap();
        Discovery {
            document: Target::of(&"idp".into(), &issuer),
            destinations: vec![
                (issuer.origin(), "idp".into()),
                ("https://keys.example.com:8443".into(), "keys".into()),
            ],
            http: Http::Loopback,
        }
    }

    fn locate(issuer: &str, jwks_uri: &str) -> Result<(String, String), Undiscovered> {
        let document = serde_json::json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string();
        let target = discovery().locate("https://login.example.com/a", document.as_bytes())?;
        let url: String = target.request[1..4]
            .iter()
            .map(|(_, part)| &**part)
            .collect();
        Ok((target.cluster.to_string(), url))
    }

    #[test]
    fn metadata_stands_where_the_specifications_say() {
        for (path, openid, oauth) in [
            (
                "/",
                "/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server",
            ),
            (
                "/issuer1",
                "/issuer1/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/issuer1",
            ),
            (
                "/a/b/",
                "/a/b/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/a/b",
            ),
        ] {
            assert_eq!(WellKnown::OpenId.path_for(path), openid);
            assert_eq!(WellKnown::OAuth.path_for(path), oauth);
        }
    }

    #[test]
    fn keys_are_found_at_configured_origins_only() {
        const ISSUER: &str = "https://login.example.com/a";
        for (uri, cluster) in [
            ("https://login.example.com/jwks", "idp"),
            ("https://LOGIN.example.com:443/jwks?v=2", "idp"),
            ("https://keys.example.com:8443/k", "keys"),
        ] {
            let (found, url) = locate(ISSUER, uri).unwrap();
            assert_eq!(found, cluster, "{uri}");
            assert_eq!(url.replacen("https", "https://", 1), uri);
        }
        for uri in [
            "https://keys.example.com/k",
            "https://evil.example.com/k",
            "https://login.example.com.evil.example/k",
            "https://login.example.com:444/k",
        ] {
            assert_eq!(locate(ISSUER, uri), Err(Undiscovered::Origin), "{uri}");
        }
        for uri in [
            "http://login.example.com/jwks",
            "/jwks",
            "",
            "https://login.example.com@evil.example/k",
            "https://login.example.com\\@evil.example/k",
            "https://login.example.com/k#f",
            "https://login.example.com/k\n",
        ] {
            assert_eq!(locate(ISSUER, uri), Err(Undiscovered::KeySetUri), "{uri}");
        }
    }

    #[test]
    fn the_document_must_be_about_the_issuer_byte_for_byte() {
        for issuer in [
            "",
            "https://login.example.com/",
            "https://login.example.com/a/",
            "https://login.example.com/A",
            "https://LOGIN.example.com/a",
            "https://login.example.com:443/a",
            "https://login.example.com/%61",
        ] {
            assert_eq!(
                locate(issuer, "https://login.example.com/jwks"),
                Err(Undiscovered::Issuer),
                "{issuer}"
            );
        }
    }
}
