//! The filter and its configuration, as every subcommand names them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use host_test::{HostProfile, Module, ModuleError, PluginConfig};

use super::busy::Busy;

/// Which filter, and how it is configured.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plugin {
    /// The filter, a .wasm file
    #[arg(long, value_name = "FILE")]
    pub(crate) wasm: PathBuf,
    /// In the manner of which host: envoy, ngx-wasm, apisix, google or spec
    #[arg(long, value_name = "NAME", default_value_t = HostProfile::ENVOY)]
    pub(crate) host: HostProfile,
    /// Plugin configuration, given to the filter as it is
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// VM configuration, given to the filter as it is
    #[arg(long, value_name = "FILE")]
    vm_config: Option<PathBuf>,
    /// Name of the plugin
    #[arg(long, default_value = "filter")]
    name: String,
    /// Root id, for modules with several filters
    #[arg(long, default_value = "")]
    root_id: String,
    /// Id of the VM; shared data belongs to it
    #[arg(long, default_value = "host-test")]
    vm_id: String,
    /// An environment variable that the filter sees; alone, its value is taken from this command's environment
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
}

impl Plugin {
    /// The files that the filter and its configuration stand in.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.wasm.clone()];
        files.extend(self.config.iter().chain(&self.vm_config).cloned());
        files
    }

    /// Reads the filter and compiles it with one of [`Module`]'s functions.
    pub(crate) fn module(&self, how: Compile) -> Result<Module> {
        compile(&self.wasm, self.host, how)
    }

    /// Reads the configuration.
    pub(crate) fn plugin(&self) -> Result<PluginConfig> {
        let read = |path: &Option<PathBuf>| match path {
            Some(path) => std::fs::read(path).with_context(|| path.display().to_string()),
            None => Ok(Vec::new()),
        };
        Ok(PluginConfig {
            name: self.name.clone(),
            root_id: self.root_id.clone(),
            vm_id: self.vm_id.clone(),
            vm_configuration: read(&self.vm_config)?,
            configuration: read(&self.config)?,
            environment: self
                .env
                .iter()
                .map(|it| variable(it))
                .collect::<Result<_>>()?,
        })
    }
}

/// One of [`Module`]'s functions that compile.
pub(super) type Compile = fn(&[u8], HostProfile) -> Result<Module, ModuleError>;

/// Reads a filter and compiles it, and says so if that takes long.
pub(super) fn compile(path: &Path, host: HostProfile, how: Compile) -> Result<Module> {
    let named = || path.display().to_string();
    let _busy = Busy::with(format!("compiling {}", named()));
    let wasm = std::fs::read(path).with_context(named)?;
    how(&wasm, host).with_context(named)
}

/// `NAME=VALUE`, or `NAME` with this command's own value.
pub(super) fn variable(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => std::env::var(text)
            .map(|value| (text.to_owned(), value))
            .with_context(|| format!("--env {text}")),
    }
}
