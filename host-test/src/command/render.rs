//! `host-test render`: one document as the configuration of a gateway.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use host_test::render::{AUTHORITIES, Rendered, Target, Wishes, capabilities, render};
use host_test::{HostOptions, Level, Module, PluginConfig, Process, Worker};

use super::plugin;

/// Writes a configuration as a gateway wants it
#[derive(Debug, Args)]
#[command(after_help = "\
Gateways: istio, istio-traffic-extension, envoy-gateway, higress, google, apisix, ngx-wasm, envoy

Examples:
  host-test render --for istio --config policy.yaml --url oci://registry.example.com/token-guard:1.0 \\
      --wasm token-guard.wasm
  host-test render --for ngx-wasm --config policy.yaml --url /etc/nginx/token-guard.wasm \\
      --upstream 127.0.0.1:9000 --resolver 10.0.0.2 --out /etc/nginx

With --wasm the filter itself judges the document first, as the gateway will hand it over. A wish that the gateway would
ignore is refused. Exit status: 0 written, 1 the filter refuses the document, 2 the command can't do its work.")]
pub(crate) struct Render {
    /// Which gateway
    #[arg(long = "for", value_name = "GATEWAY")]
    target: Target,
    /// The document, YAML or JSON
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The filter: it checks the document, and Envoy then allows it what it imports and nothing else
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Where the gateway finds the module: oci://…, https://…, or a path
    #[arg(long)]
    url: Option<String>,
    /// Digest of the image, or of the file behind https
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// Name of the filter, and of what is made for it
    #[arg(long, default_value = "token-guard")]
    name: String,
    /// Namespace in Kubernetes; for Google projects/PROJECT/locations/global
    #[arg(long)]
    namespace: Option<String>,
    /// The gateway: Istio's label, Envoy Gateway's resource, Google's forwarding rule
    #[arg(long, value_name = "NAME")]
    gateway: Option<String>,
    /// Where forwarded requests go, for a gateway whose routes stand in the same file
    #[arg(long, value_name = "HOST:PORT")]
    upstream: Option<String>,
    /// Where a cluster is that the document names without a URL; may be given several times
    #[arg(long, value_name = "NAME=URL", value_parser = named)]
    cluster: Vec<(String, String)>,
    /// File of certificate authorities, as the gateway sees it
    #[arg(long, value_name = "FILE", default_value = AUTHORITIES)]
    authorities: String,
    /// DNS server of nginx
    #[arg(long, value_name = "ADDRESS")]
    resolver: Option<String>,
    /// An environment variable for the check; alone, its value is taken from this command's environment
    #[arg(long, value_name = "NAME[=VALUE]", requires = "wasm")]
    env: Vec<String>,
    /// Write the files into this folder instead of standard output
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

fn named(text: &str) -> Result<(String, String), String> {
    let (name, url) = text.split_once('=').ok_or("a cluster is NAME=URL")?;
    Ok((name.to_owned(), url.to_owned()))
}

impl Render {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let file = self.config.display().to_string();
        let text = std::fs::read_to_string(&self.config).with_context(|| file.clone())?;
        let module = match &self.wasm {
            Some(path) => {
                let profile = self.target.profile();
                let compiled = plugin::compile(path, profile, Module::compile_quickly_for);
                Some(compiled?)
            }
            None => None,
        };
        let wishes = self.wishes(module.as_ref());
        let rendered = render(self.target, &text, &wishes).with_context(|| file.clone())?;
        if let Some(module) = &module
            && !self.check(module, &rendered)?
        {
            eprintln!(
                "{file}: refused by the filter, as {} would hand it over",
                self.target
            );
            return Ok(ExitCode::FAILURE);
        }
        self.write(&rendered)?;
        Ok(ExitCode::SUCCESS)
    }

    fn wishes(&self, module: Option<&Module>) -> Wishes {
        Wishes {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            url: self.url.clone(),
            sha256: self.sha256.clone(),
            upstream: self.upstream.clone(),
            gateway: self.gateway.clone(),
            clusters: self.cluster.clone(),
            authorities: self.authorities.clone(),
            resolver: self.resolver.clone(),
            capabilities: module.map(capabilities).unwrap_or_default(),
        }
    }

    /// Whether the filter takes it; what it says goes to standard error.
    fn check(&self, module: &Module, rendered: &Rendered) -> Result<bool> {
        let environment = self
            .env
            .iter()
            .map(|variable| plugin::variable(variable))
            .collect::<Result<_>>()?;
        let plugin = PluginConfig {
            name: self.name.clone(),
            root_id: self.name.clone(),
            vm_id: self.name.clone(),
            configuration: rendered.configuration.clone(),
            environment,
            ..PluginConfig::default()
        };
        let options = HostOptions::of(self.target.profile());
        let mut worker = Worker::new(module, plugin, options, &Process::new());
        let started = worker.start();
        for line in started.logs.iter().filter(|line| line.level >= Level::Warn) {
            eprintln!("{}: {}", line.level, line.message);
        }
        if let Some(why) = started.failure {
            eprintln!("the filter trapped: {why}");
        }
        Ok(started.configured)
    }

    fn write(&self, rendered: &Rendered) -> Result<()> {
        let Some(folder) = &self.out else {
            let mut out = std::io::stdout().lock();
            for file in &rendered.files {
                if rendered.files.len() > 1 {
                    writeln!(out, "# {}", file.name)?;
                }
                out.write_all(file.text.as_bytes())?;
            }
            return Ok(());
        };
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        for file in &rendered.files {
            let path = folder.join(file.name);
            std::fs::write(&path, &file.text).with_context(|| path.display().to_string())?;
            eprintln!("{}: written", path.display());
        }
        if !rendered.variables.is_empty() {
            eprintln!(
                "the gateway's process needs in its environment: {}",
                rendered.variables.join(", ")
            );
        }
        Ok(())
    }
}
