//! Host profiles: what is known of each host that runs Proxy-Wasm filters, as tables of facts that the host calls obey.
//!
//! A profile is a model made from a host's source or documentation, not the host. What it leaves out behaves as in Envoy.

mod apisix;
mod envoy;
mod facts;
mod features;
mod google;
mod ngx_wasm;
mod request_view;
mod spec;

use std::fmt;
use std::str::FromStr;

pub use facts::{
    AfterTrap, CalloutFailure, CalloutsFrom, ContextSwitch, EndOfStream, Fact, Facts, ManyPairs,
    NumHeaders, Pause, PluginConf, Properties, Support, TimerAgain, VmStart,
};
pub use features::Features;
pub use request_view::RequestView;
pub(crate) use request_view::Target;

/// Which host a filter is run in the manner of. `Envoy` unless one is chosen.
#[derive(Clone, Copy)]
pub struct HostProfile(&'static Facts);

impl HostProfile {
    /// Envoy 1.40, and what embeds it: Istio, Envoy Gateway, Higress.
    pub const ENVOY: Self = Self(&envoy::FACTS);
    /// Kong's ngx_wasm_module for nginx and OpenResty.
    pub const NGX_WASM: Self = Self(&ngx_wasm::FACTS);
    /// Apache APISIX with its wasm-nginx-module.
    pub const APISIX: Self = Self(&apisix::FACTS);
    /// Google Cloud Service Extensions.
    pub const GOOGLE: Self = Self(&google::FACTS);
    /// The letter of Proxy-Wasm ABI 0.2.1, and nothing beyond it.
    pub const SPEC: Self = Self(&spec::FACTS);

    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ENVOY,
        Self::NGX_WASM,
        Self::APISIX,
        Self::GOOGLE,
        Self::SPEC,
    ];

    /// The profile of that name, as `--host` takes it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// `envoy`, `ngx-wasm`, `apisix`, `google` or `spec`.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The table.
    pub const fn facts(self) -> &'static Facts {
        self.0
    }

    /// How the host takes a call of that name, `proxy_…` or a WASI name.
    pub fn support(self, call: &str) -> Support {
        let known = self.0.calls.iter().find(|(name, _)| *name == call);
        known.map_or(Support::Works, |(_, support)| *support)
    }
}

impl Default for HostProfile {
    fn default() -> Self {
        Self::ENVOY
    }
}

impl PartialEq for HostProfile {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for HostProfile {}

impl fmt::Debug for HostProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for HostProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no profile of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownHost(pub String);

impl fmt::Display for UnknownHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = HostProfile::ALL.map(HostProfile::name).join(", ");
        write!(f, "no host profile `{}`; there are {names}", self.0)
    }
}

impl std::error::Error for UnknownHost {}

impl FromStr for HostProfile {
    type Err = UnknownHost;

    fn from_str(name: &str) -> Result<Self, UnknownHost> {
        Self::named(name).ok_or_else(|| UnknownHost(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found_by_name() {
        for profile in HostProfile::ALL {
            assert_eq!(HostProfile::named(profile.name()), Some(profile));
        }
        let unknown = "nginx".parse::<HostProfile>().unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "no host profile `nginx`; there are envoy, ngx-wasm, apisix, google, spec"
        );
    }

    #[test]
    fn every_exception_names_a_call_that_exists_once() {
        for profile in HostProfile::ALL {
            let mut seen = Vec::new();
            for (call, support) in profile.facts().calls {
                assert!(
                    crate::abi::names::CALLS.contains(call),
                    "{profile}: {call} is no call"
                );
                assert!(!seen.contains(call), "{profile}: {call} stands twice");
                assert_ne!(
                    *support,
                    Support::Works,
                    "{profile}: {call} is no exception"
                );
                seen.push(call);
            }
        }
    }

    /// The facts are told to people in the README; it must not drift from the tables.
    #[test]
    fn the_readme_lists_every_fact() {
        let readme = include_str!("../../README.md");
        for profile in HostProfile::ALL {
            for fact in profile.facts().known {
                let row = format!("| {profile} | {} | {} |", fact.what, fact.source);
                assert!(readme.contains(&row), "README.md lacks the row:\n{row}");
            }
        }
    }
}
