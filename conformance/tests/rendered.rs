//! The files of `examples/` that `host-test render` wrote: they are what it writes today, the filter takes what the gateway would
//! hand over, and Envoy runs its own.
//!
//! `PORTCULLIS_WRITE=1` writes them anew.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use host_test::render::{Target, Wishes, render};
use host_test::{HostOptions, Module, PluginConfig, Process, Worker};
use portcullis_conformance::clock;
use portcullis_conformance::environment;
use portcullis_conformance::envoy::{Envoy, Options, validate};
use portcullis_conformance::http_client;
use portcullis_conformance::jwks_server::JwksServer;
use portcullis_conformance::keys::key;
use portcullis_conformance::mint::{Recipe, mint};
use portcullis_conformance::scenario::{head, replace_once, workspace};
use portcullis_conformance::scratch::Scratch;
use portcullis_conformance::upstream::Upstream;

const IMAGE: &str = "oci://registry.example.com/portcullis/token-guard:0.1.0";

/// One folder's files: what they are made of and for whom.
struct Example {
    target: Target,
    folder: &'static str,
    policy: &'static str,
    wishes: Wishes,
}

fn examples() -> Result<Vec<Example>> {
    let image = || Wishes {
        url: Some(IMAGE.to_owned()),
        ..Wishes::default()
    };
    let file = |path: &str| Wishes {
        url: Some(path.to_owned()),
        upstream: Some("127.0.0.1:9000".to_owned()),
        ..Wishes::default()
    };
    let example = |target, folder, wishes| Example {
        target,
        folder,
        policy: "policy.yaml",
        wishes,
    };
    Ok(vec![
        example(Target::Istio, "istio", image()),
        example(Target::IstioTrafficExtension, "istio", image()),
        example(Target::EnvoyGateway, "envoy-gateway", image()),
        example(Target::Higress, "higress", image()),
        example(
            Target::Apisix,
            "apisix",
            file("/usr/local/apisix/token-guard.wasm"),
        ),
        example(
            Target::NgxWasm,
            "ngx-wasm",
            Wishes {
                resolver: Some("127.0.0.53".to_owned()),
                ..file("/etc/nginx/token-guard.wasm")
            },
        ),
        Example {
            policy: "google/policy.yaml",
            ..example(
                Target::Google,
                "google",
                Wishes {
                    url: Some("us-docker.pkg.dev/demo/portcullis/token-guard:0.1.0".to_owned()),
                    namespace: Some("projects/demo/locations/global".to_owned()),
                    gateway: Some("projects/demo/global/forwardingRules/api".to_owned()),
                    ..Wishes::default()
                },
            )
        },
        Example {
            policy: "envoy/policy.yaml",
            ..example(
                Target::Envoy,
                "envoy",
                Wishes {
                    capabilities: capabilities()?,
                    ..file("target/dist/token-guard.wasm")
                },
            )
        },
    ])
}

fn folder() -> PathBuf {
    workspace().join("examples")
}

fn policy(example: &Example) -> Result<String> {
    Ok(std::fs::read_to_string(folder().join(example.policy))?)
}

/// The filter, compiled once for all tests here.
fn module() -> Result<Module> {
    static MODULE: Mutex<Option<Module>> = Mutex::new(None);
    let mut module = MODULE.lock().unwrap_or_else(PoisonError::into_inner);
    if module.is_none() {
        *module = Some(Module::compile_quickly(&std::fs::read(
            environment::wasm()?,
        )?)?);
    }
    module.clone().context("compiled above")
}

/// As the command takes them from the module.
fn capabilities() -> Result<Vec<String>> {
    Ok(host_test::render::capabilities(&module()?))
}

#[test]
fn what_stands_there_is_what_is_written_today() -> Result<()> {
    let write = std::env::var_os("PORTCULLIS_WRITE").is_some();
    for example in examples()? {
        let rendered = render(example.target, &policy(&example)?, &example.wishes)?;
        for file in rendered.files {
            let path = folder().join(example.folder).join(file.name);
            if write {
                std::fs::write(&path, &file.text)?;
            }
            let there =
                std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            assert_eq!(
                there,
                file.text,
                "{}: run this test with PORTCULLIS_WRITE=1",
                path.display()
            );
        }
    }
    Ok(())
}

#[test]
fn the_filter_takes_what_each_gateway_hands_over() -> Result<()> {
    let module = module()?;
    for example in examples()? {
        let profile = example.target.profile();
        let rendered = render(example.target, &policy(&example)?, &example.wishes)?;
        let plugin = PluginConfig {
            configuration: rendered.configuration,
            ..PluginConfig::default()
        };
        let module = module.for_host(profile)?;
        let mut worker = Worker::new(&module, plugin, HostOptions::of(profile), &Process::new());
        let started = worker.start();
        assert!(started.configured, "{}: {:?}", example.target, started.logs);
    }
    Ok(())
}

#[test]
fn envoy_validates_https_clusters_as_they_are_written() -> Result<()> {
    let wishes = Wishes {
        url: Some(environment::wasm()?.to_string_lossy().into_owned()),
        upstream: Some("127.0.0.1:9000".to_owned()),
        capabilities: capabilities()?,
        ..Wishes::default()
    };
    let document = std::fs::read_to_string(folder().join("policy.yaml"))?;
    let rendered = render(Target::Envoy, &document, &wishes)?;
    let text = &rendered.files.first().context("no file")?.text;
    for needed in [
        "trusted_ca:",
        "match_typed_subject_alt_names:",
        "sni: login.example.com",
    ] {
        ensure!(text.contains(needed), "no {needed} in\n{text}");
    }
    let scratch = Scratch::new()?;
    let file = scratch.write("bootstrap.yaml", text.as_bytes())?;
    validate(&file)
}

#[test]
fn envoy_runs_what_is_written_for_it() -> Result<()> {
    let issuer = JwksServer::start(&serde_json::json!({ "keys": [key("es_a")?.jwk] }).to_string())?;
    let upstream = Upstream::start()?;
    let address = format!("http://{}", issuer.address());
    let document = std::fs::read_to_string(folder().join("envoy/policy.yaml"))?
        .replace("http://127.0.0.1:9090", &address);
    let wishes = Wishes {
        url: Some(environment::wasm()?.to_string_lossy().into_owned()),
        upstream: Some(upstream.address().to_string()),
        capabilities: capabilities()?,
        ..Wishes::default()
    };
    let rendered = render(Target::Envoy, &document, &wishes)?;
    let text = &rendered.files.first().context("no file")?.text;
    let text = replace_once(text, "port_value: 9901", "port_value: 0")?;
    let text = replace_once(&text, "port_value: 8080", "port_value: 0")?;
    let envoy = Envoy::start_text(
        Scratch::new()?,
        "bootstrap.yaml",
        &text,
        &Options::default(),
    )?;
    let gateway = envoy.listener("upstream")?;

    let claims = serde_json::json!({
        "iss": address, "aud": "https://api.example.com", "scope": "orders:read", "client_id": "shop", "jti": "1"
    });
    let recipe = Recipe {
        claims: claims.as_object().cloned().unwrap_or_default(),
        ..Recipe::default()
    };
    let token = String::from_utf8(mint(&recipe, clock::now()?)?)?;
    let ask = |token: Option<&str>| {
        http_client::send(
            gateway,
            &head("GET", "/orders/42", token, "connection: close\r\n"),
        )
    };
    // Keys are fetched with the start; a request may wait for them.
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while ask(Some(&token))?.status != 200 {
        ensure!(
            std::time::Instant::now() < patience,
            "never 200:\n{}",
            envoy.log().join("\n")
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ask(None)?.status, 401);
    assert!(issuer.requests() > 0);
    Ok(())
}
