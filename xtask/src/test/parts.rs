//! What stages need from each other, made once when first asked for. A part that failed stays failed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::dist::{self, Choice, Dist, Modules};
use crate::programs::{self, Program};
use crate::tools;
use crate::workspace::Workspace;

/// The parts.
pub(crate) struct Parts {
    pub(crate) workspace: Workspace,
    dist: Option<Result<Dist, String>>,
    programs: Option<Result<Vec<Program>, String>>,
    envoy: Option<Result<PathBuf, String>>,
    node_modules: Option<Result<PathBuf, String>>,
    prometheus: Option<Result<PathBuf, String>>,
}

impl Parts {
    /// Nothing is made yet.
    pub(crate) fn new(workspace: Workspace) -> Self {
        Self {
            workspace,
            dist: None,
            programs: None,
            envoy: None,
            node_modules: None,
            prometheus: None,
        }
    }

    /// The built modules.
    pub(crate) fn dist(&mut self) -> Result<Dist> {
        let workspace = &self.workspace;
        once(&mut self.dist, "the wasm modules", || {
            dist::build(workspace, Modules::All, Choice::Auto)
        })
    }

    /// Every native program of the workspace, tests included, from one build: what they share is compiled once.
    pub(crate) fn programs(&mut self) -> Result<Vec<Program>> {
        let workspace = &self.workspace;
        once(&mut self.programs, "the native build", || {
            programs::build_all(workspace)
        })
    }

    /// A program that is no test.
    pub(crate) fn binary(&mut self, package: &str, target: &str) -> Result<PathBuf> {
        let programs = self.programs()?;
        let found = programs
            .into_iter()
            .find(|it| !it.is_test && it.package == package && it.target == target);
        Ok(found
            .with_context(|| format!("package {package} has no program {target}"))?
            .path)
    }

    /// Envoy.
    pub(crate) fn envoy(&mut self) -> Result<PathBuf> {
        let workspace = &self.workspace;
        once(&mut self.envoy, "Envoy", || tools::envoy(workspace))
    }

    /// The provider and its clients.
    pub(crate) fn node_modules(&mut self) -> Result<PathBuf> {
        let workspace = &self.workspace;
        once(&mut self.node_modules, "the Node packages", || {
            tools::node_modules(workspace)
        })
    }

    /// Where Prometheus' programs are.
    pub(crate) fn prometheus(&mut self) -> Result<PathBuf> {
        let workspace = &self.workspace;
        once(&mut self.prometheus, "Prometheus", || {
            tools::prometheus(workspace)
        })
    }

    /// Tells a test where the parts are.
    pub(crate) fn tell(&mut self, command: &mut Command) -> Result<()> {
        let dist = self.dist()?;
        command
            .env("PORTCULLIS_WASM", dist.filter)
            .env("PORTCULLIS_WASM_MINIMAL", dist.minimal)
            .env("PORTCULLIS_WASM_TRACED", dist.traced)
            .env("PORTCULLIS_GUESTS", dist.guests);
        command
            .env("PORTCULLIS_ENVOY", self.envoy()?)
            .env("PORTCULLIS_NODE_MODULES", self.node_modules()?)
            .env("PORTCULLIS_PROMETHEUS", self.prometheus()?);
        Ok(())
    }
}

fn once<T: Clone>(
    slot: &mut Option<Result<T, String>>,
    what: &str,
    make: impl FnOnce() -> Result<T>,
) -> Result<T> {
    match slot {
        Some(Ok(made)) => Ok(made.clone()),
        Some(Err(error)) => Err(anyhow!("blocked: {what} failed before ({error})")),
        None => {
            let made = make();
            *slot = Some(
                made.as_ref()
                    .map(T::clone)
                    .map_err(|error| format!("{error:#}")),
            );
            made
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_made_once_and_a_failure_stays() {
        let mut slot = None;
        assert_eq!(once(&mut slot, "it", || Ok(1)).unwrap(), 1);
        assert_eq!(once(&mut slot, "it", || Ok(2)).unwrap(), 1);
        let mut slot: Option<Result<u8, String>> = None;
        assert!(once(&mut slot, "it", || Err(anyhow!("broken"))).is_err());
        let again = once(&mut slot, "it", || Ok(1)).unwrap_err().to_string();
        assert!(
            again.starts_with("blocked: it failed before (broken"),
            "{again}"
        );
    }
}
