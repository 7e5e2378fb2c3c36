//! The gateways, and which wishes each of them takes.

use std::fmt;
use std::str::FromStr;

use super::{Mistake, Wishes};
use crate::profile::HostProfile;

/// A gateway, by the form of its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Istio's `WasmPlugin`.
    Istio,
    /// Istio's `TrafficExtension`, which follows it.
    IstioTrafficExtension,
    /// Envoy Gateway's `EnvoyExtensionPolicy`.
    EnvoyGateway,
    /// Higress's `WasmPlugin`.
    Higress,
    /// Google Cloud Service Extensions.
    Google,
    /// Apache APISIX, standalone.
    Apisix,
    /// nginx with ngx_wasm_module.
    NgxWasm,
    /// Envoy by itself: a whole static bootstrap.
    Envoy,
}

/// No such gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTarget(String);

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Target::ALL.iter().map(|target| target.name()).collect();
        write!(f, "no gateway `{}`; there are {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownTarget {}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(name: &str) -> Result<Self, UnknownTarget> {
        let found = Self::ALL.into_iter().find(|target| target.name() == name);
        found.ok_or_else(|| UnknownTarget(name.to_owned()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a gateway takes a wish.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// There is nothing to do with it: a wish that would be ignored is refused.
    No,
    IfGiven,
    /// The words say what for.
    Wants(&'static str),
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Istio,
        Self::IstioTrafficExtension,
        Self::EnvoyGateway,
        Self::Higress,
        Self::Google,
        Self::Apisix,
        Self::NgxWasm,
        Self::Envoy,
    ];

    /// As `--for` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Istio => "istio",
            Self::IstioTrafficExtension => "istio-traffic-extension",
            Self::EnvoyGateway => "envoy-gateway",
            Self::Higress => "higress",
            Self::Google => "google",
            Self::Apisix => "apisix",
            Self::NgxWasm => "ngx-wasm",
            Self::Envoy => "envoy",
        }
    }

    /// The host whose manners the filter meets there.
    pub const fn profile(self) -> HostProfile {
        match self {
            Self::Google => HostProfile::GOOGLE,
            Self::Apisix => HostProfile::APISIX,
            Self::NgxWasm => HostProfile::NGX_WASM,
            Self::Istio
            | Self::IstioTrafficExtension
            | Self::EnvoyGateway
            | Self::Higress
            | Self::Envoy => HostProfile::ENVOY,
        }
    }

    /// Whether its files are Kubernetes' resources.
    const fn is_kubernetes(self) -> bool {
        matches!(
            self,
            Self::Istio | Self::IstioTrafficExtension | Self::EnvoyGateway | Self::Higress
        )
    }

    /// Refuses wishes that would be ignored, and asks for what it cannot do without.
    pub(super) fn accepts(self, wishes: &Wishes) -> Result<(), Mistake> {
        use Takes::{IfGiven, No, Wants};
        let kubernetes = self.is_kubernetes();
        let table = [
            ("url", &wishes.url, self.url()),
            (
                "sha256",
                &wishes.sha256,
                if kubernetes { IfGiven } else { No },
            ),
            (
                "namespace",
                &wishes.namespace,
                match self {
                    Self::Google => Wants("the parent, projects/PROJECT/locations/global"),
                    _ if kubernetes => IfGiven,
                    _ => No,
                },
            ),
            (
                "upstream",
                &wishes.upstream,
                match self {
                    Self::Apisix | Self::NgxWasm | Self::Envoy => {
                        Wants("where requests go, HOST:PORT")
                    }
                    _ => No,
                },
            ),
            (
                "gateway",
                &wishes.gateway,
                match self {
                    Self::Google => {
                        Wants("the forwarding rule, projects/PROJECT/…/forwardingRules/NAME")
                    }
                    Self::Istio | Self::IstioTrafficExtension | Self::EnvoyGateway => IfGiven,
                    _ => No,
                },
            ),
            (
                "resolver",
                &wishes.resolver,
                if self == Self::NgxWasm { IfGiven } else { No },
            ),
        ];
        for (name, wish, takes) in table {
            match (wish, takes) {
                (Some(_), No) => {
                    return Err(Mistake::new(format!("{self} has no use for --{name}")));
                }
                (None, Wants(what)) => {
                    return Err(Mistake::new(format!("{self} wants --{name}: {what}")));
                }
                _ => {}
            }
        }
        if let Some(digest) = &wishes.sha256
            && !(digest.len() == 64
                && digest
                    .bytes()
                    .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f')))
        {
            return Err(Mistake::new("--sha256 is 64 lower-case hexadecimal digits"));
        }
        let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        if wishes.name.is_empty() || !wishes.name.bytes().all(plain) || wishes.name.starts_with('-')
        {
            return Err(Mistake::new(
                "--name is of lower-case letters, digits and `-`",
            ));
        }
        self.accepts_url(wishes.url.as_deref().unwrap_or_default())
    }

    const fn url(self) -> Takes {
        Takes::Wants(match self {
            Self::Google => "the image in Artifact Registry, HOST/PROJECT/REPOSITORY/NAME:TAG",
            Self::Apisix | Self::NgxWasm | Self::Envoy => "the path of the module",
            Self::EnvoyGateway => "oci://REGISTRY/NAME:TAG or https://…",
            _ => "oci://REGISTRY/NAME:TAG, https://… or file:///…",
        })
    }

    fn accepts_url(self, url: &str) -> Result<(), Mistake> {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        let fits = match self {
            Self::Google | Self::Apisix | Self::NgxWasm | Self::Envoy => scheme.is_none(),
            Self::EnvoyGateway => matches!(scheme, Some("oci" | "https")),
            _ => matches!(scheme, Some("oci" | "https" | "file")),
        };
        let odd = |it: char| {
            it.is_whitespace()
                || it.is_control()
                || matches!(it, '"' | '\'' | '\\' | ';' | '{' | '}' | '$')
        };
        match (fits && !url.is_empty() && !url.contains(odd), self.url()) {
            (false, Takes::Wants(what)) => Err(Mistake::new(format!("{self}'s --url is {what}"))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for target in Target::ALL {
            assert_eq!(target.name().parse(), Ok(target));
        }
        assert!(
            "kong"
                .parse::<Target>()
                .unwrap_err()
                .to_string()
                .contains("ngx-wasm")
        );
    }

    #[test]
    fn what_would_be_ignored_is_refused_and_what_lacks_is_asked_for() {
        let why = |target: Target, wishes: Wishes| target.accepts(&wishes).unwrap_err().to_string();
        let url = |url: &str| Wishes {
            url: Some(url.into()),
            ..Wishes::default()
        };
        assert!(why(Target::Istio, Wishes::default()).contains("wants --url"));
        assert!(why(Target::Istio, url("/x.wasm")).contains("--url is oci://"));
        assert!(why(Target::EnvoyGateway, url("file:///x")).contains("--url is oci://"));
        assert!(why(Target::Envoy, url("/x.wasm")).contains("wants --upstream"));
        assert!(
            why(
                Target::Envoy,
                Wishes {
                    sha256: Some("a".repeat(64)),
                    ..url("/x")
                }
            )
            .contains("no use for --sha256")
        );
        assert!(
            why(
                Target::Istio,
                Wishes {
                    upstream: Some("a:1".into()),
                    ..url("oci://x/y")
                }
            )
            .contains("no use for --upstream")
        );
        assert!(
            why(
                Target::Istio,
                Wishes {
                    sha256: Some("A".repeat(64)),
                    ..url("oci://x/y")
                }
            )
            .contains("64")
        );
        assert!(
            why(
                Target::Istio,
                Wishes {
                    name: "A".into(),
                    ..url("oci://x/y")
                }
            )
            .contains("--name")
        );
        let injected = Wishes {
            upstream: Some("a:1".into()),
            ..url("/x; evil on")
        };
        assert!(why(Target::NgxWasm, injected).contains("--url"));
        assert_eq!(Target::Istio.accepts(&url("oci://x/y:1")), Ok(()));
    }
}
