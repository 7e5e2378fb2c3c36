//! Versions of the ABI: how a module says which one it speaks, and in what they differ.

use std::fmt;

use wasmtime::ExternType;

/// A version of Proxy-Wasm's ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AbiVersion {
    /// 0.1.0: header callbacks are not told whether a body follows; requests and responses are continued by calls of their
    /// own; the configuration is read with `proxy_get_configuration`.
    V0_1_0,
    /// 0.2.0: as 0.2.1, without `proxy_get_log_level`.
    V0_2_0,
    /// 0.2.1.
    V0_2_1,
}

/// Calls that not every version has: first and last version of each.
const OF_SOME: [(&str, AbiVersion, AbiVersion); 7] = {
    use AbiVersion::{V0_1_0, V0_2_0, V0_2_1};
    [
        ("proxy_get_configuration", V0_1_0, V0_1_0),
        ("proxy_continue_request", V0_1_0, V0_1_0),
        ("proxy_continue_response", V0_1_0, V0_1_0),
        ("proxy_clear_route_cache", V0_1_0, V0_1_0),
        ("proxy_continue_stream", V0_2_0, V0_2_1),
        ("proxy_close_stream", V0_2_0, V0_2_1),
        ("proxy_get_log_level", V0_2_1, V0_2_1),
    ]
};

impl AbiVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::V0_1_0, Self::V0_2_0, Self::V0_2_1];

    /// The function whose export says that a module speaks this version.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::V0_1_0 => "proxy_abi_version_0_1_0",
            Self::V0_2_0 => "proxy_abi_version_0_2_0",
            Self::V0_2_1 => "proxy_abi_version_0_2_1",
        }
    }

    /// The version that a module speaks: of several marks the first counts, as in Envoy.
    pub(crate) fn of(module: &wasmtime::Module) -> Option<Self> {
        let functions = module
            .exports()
            .filter(|export| matches!(export.ty(), ExternType::Func(_)));
        let mut marks = functions.filter_map(|export| {
            Self::ALL
                .into_iter()
                .find(|version| version.mark() == export.name())
        });
        marks.next()
    }

    /// The version in which a call was there, if it is not there in this one.
    pub(crate) fn lacks(self, call: &str) -> Option<Self> {
        let (_, first, last) = OF_SOME.iter().find(|(name, ..)| *name == call)?;
        (self < *first || self > *last).then_some(*last)
    }
}

impl fmt::Display for AbiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_lack_what_came_later_or_went() {
        use AbiVersion::{V0_1_0, V0_2_0, V0_2_1};
        assert_eq!(V0_1_0.lacks("proxy_continue_stream"), Some(V0_2_1));
        assert_eq!(V0_2_0.lacks("proxy_continue_stream"), None);
        assert_eq!(V0_2_0.lacks("proxy_get_log_level"), Some(V0_2_1));
        assert_eq!(V0_2_1.lacks("proxy_get_log_level"), None);
        assert_eq!(V0_2_1.lacks("proxy_get_configuration"), Some(V0_1_0));
        assert_eq!(V0_1_0.lacks("proxy_log"), None);
        for (call, ..) in OF_SOME {
            assert!(
                crate::abi::names::CALLS.contains(&call),
                "{call} is no call"
            );
        }
    }
}
