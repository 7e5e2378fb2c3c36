//! How a plugin is set up in the proxy: the parts of Envoy's `PluginConfig` and what stands round it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::{Clock, Random};
use crate::foreign::ForeignFunctions;
use crate::limits::Limits;
use crate::profile::{HostProfile, PluginConf};

/// One plugin instance, as a proxy's configuration would name it.
#[derive(Clone, Debug, Default)]
pub struct PluginConfig {
    /// Property `plugin_name`.
    pub name: String,
    /// Property `plugin_root_id`.
    pub root_id: String,
    /// Property `plugin_vm_id`; shared data and queues are shared by all VMs with the same one.
    pub vm_id: String,
    /// What `proxy_on_vm_start` can read.
    pub vm_configuration: Vec<u8>,
    /// What `proxy_on_configure` can read.
    pub configuration: Vec<u8>,
    /// Environment variables that WASI shows the guest.
    pub environment: Vec<(String, String)>,
}

impl PluginConfig {
    /// As the host gives it to the filter.
    pub(crate) fn given_by(mut self, profile: HostProfile) -> Self {
        if profile.facts().plugin_conf == PluginConf::Conf
            && let Some(inner) = inner_conf(&self.configuration)
        {
            self.configuration = inner;
        }
        self
    }
}

/// What is in `{"conf": …}`: the text, or the JSON of anything else. None when it is something else.
fn inner_conf(configuration: &[u8]) -> Option<Vec<u8>> {
    let written = serde_json::from_slice(configuration).ok()?;
    let serde_json::Value::Object(members) = written else {
        return None;
    };
    match members.get("conf") {
        Some(serde_json::Value::String(text)) if members.len() == 1 => {
            Some(text.clone().into_bytes())
        }
        Some(inner) if members.len() == 1 => serde_json::to_vec(inner).ok(),
        _ => None,
    }
}

/// What happens to requests after the VM trapped, in hosts that leave the choice: see
/// [`crate::profile::AfterTrap::Policy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The request gets 503; the next one starts a fresh VM (`FAIL_RELOAD`).
    #[default]
    Reload,
    /// The request and all later ones of that worker get 503 (`FAIL_CLOSED`).
    Closed,
    /// The request gets 503; later ones pass without the filter (`FAIL_OPEN`).
    Open,
}

/// Callout destinations that exist.
#[derive(Clone, Debug, Default)]
pub enum Clusters {
    /// Any name is taken for a cluster.
    #[default]
    Any,
    /// Only these; a callout to another one answers `BAD_ARGUMENT` at once.
    Named(BTreeSet<String>),
}

impl Clusters {
    /// Exactly these names.
    pub fn named<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self::Named(names.into_iter().map(Into::into).collect())
    }

    pub(crate) fn contain(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Named(names) => names.contains(name),
        }
    }
}

/// What a plugin's streams are part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostStage {
    /// A proxy: messages come in, wait and go on.
    #[default]
    Proxy,
    /// Google's runner for plugin tests: each callback stands alone. A header has one value, joined by commas; only the map
    /// and the body of the running callback are there; any piece of a body can be replaced; only the properties of the
    /// test can be read.
    GoogleRunner,
}

/// The host round the plugin.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// What the guest may use up.
    pub limits: Limits,
    /// What follows a trap.
    pub failure_policy: FailurePolicy,
    /// Least time between two restarts under [`FailurePolicy::Reload`], on the VM's clock; requests in between get
    /// 503. Envoy waits a second or more.
    pub reload_backoff: Duration,
    /// Which callout destinations exist.
    pub clusters: Clusters,
    /// Functions that `proxy_call_foreign_function` finds; none unless given, or taken from a host's profile.
    pub foreign: ForeignFunctions,
    /// Envoy's option of that name: a pause in request headers still delivers the body.
    pub allow_on_headers_stop_iteration: bool,
    /// The wall clock that the guest sees.
    pub clock: Clock,
    /// Where `random_get` takes its bytes.
    pub random: Random,
    /// What `proxy_get_log_level` answers; lines below it are dropped.
    pub log_level: crate::log::Level,
    /// Keep the bodies that passed, to look at them in [`crate::Exchange`]. A proxy that streams does not.
    pub keep_bodies: bool,
    /// What the streams are part of.
    pub stage: HostStage,
}

impl HostOptions {
    /// The defaults, with that host's limits and foreign functions.
    pub fn of(profile: HostProfile) -> Self {
        let mut options = Self::default();
        options.take_after(profile);
        options
    }

    /// Takes that host's limits and foreign functions; all else stays.
    pub fn take_after(&mut self, profile: HostProfile) {
        self.limits = (profile.facts().limits)();
        self.foreign = (profile.facts().foreign)();
    }
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            failure_policy: FailurePolicy::default(),
            reload_backoff: Duration::ZERO,
            clusters: Clusters::default(),
            foreign: ForeignFunctions::none(),
            allow_on_headers_stop_iteration: false,
            clock: Clock::System,
            random: Random::System,
            log_level: crate::log::Level::Trace,
            keep_bodies: true,
            stage: HostStage::default(),
        }
    }
}
