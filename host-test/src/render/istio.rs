//! Istio's `WasmPlugin` and `TrafficExtension`, and Higress's `WasmPlugin`, which is made of Istio's.

use super::destination::Destination;
use super::document::{Document, fits_doubles};
use super::tree::{Tree, map};
use super::{File, Mistake, Rendered, Target, Wishes, documents};

pub(super) fn render(
    target: Target,
    document: &Document,
    wishes: &Wishes,
) -> Result<Rendered, Mistake> {
    let configuration = document.tree(|_, destination| cluster(destination));
    fits_doubles(&configuration)?;
    let namespace = wishes.namespace.as_deref().unwrap_or(match target {
        Target::Higress => "higress-system",
        _ => "istio-ingress",
    });
    let wasm = wasm(document, wishes, configuration.clone());
    let mut trees = vec![match target {
        Target::Higress => {
            // `pluginConfig`, not `defaultConfig`: into that Higress mixes rules of its own, which the filter does not know.
            let spec = ordered().with("wasm", Some(wasm));
            resource(
                "extensions.higress.io/v1alpha1",
                "WasmPlugin",
                &wishes.name,
                namespace,
                flat(spec),
            )
        }
        Target::IstioTrafficExtension => {
            let spec = selected(wishes).with("wasm", Some(wasm));
            resource(
                "extensions.istio.io/v1alpha1",
                "TrafficExtension",
                &wishes.name,
                namespace,
                spec,
            )
        }
        _ => {
            let spec = selected(wishes).with("wasm", Some(wasm));
            resource(
                "extensions.istio.io/v1alpha1",
                "WasmPlugin",
                &wishes.name,
                namespace,
                flat(spec),
            )
        }
    }];
    trees.extend(ways(document, wishes, namespace)?);
    let name = match target {
        Target::IstioTrafficExtension => "trafficextension.yaml",
        _ => "wasmplugin.yaml",
    };
    Ok(Rendered {
        files: vec![File {
            name,
            text: documents(target, &trees),
        }],
        configuration: configuration.json().into_bytes(),
        variables: document.variables.clone(),
    })
}

/// As Istio calls the cluster of a `ServiceEntry`.
fn cluster(destination: &Destination) -> String {
    format!("outbound|{}||{}", destination.port, destination.host)
}

pub(super) fn resource(version: &str, kind: &str, name: &str, namespace: &str, spec: Tree) -> Tree {
    map([
        ("apiVersion", version.into()),
        ("kind", kind.into()),
        (
            "metadata",
            map([("name", name.into()), ("namespace", namespace.into())]),
        ),
        ("spec", spec),
    ])
}

/// Which gateway, and where in its chain: before Istio's own authentication, so that nothing works on a request unjudged.
fn selected(wishes: &Wishes) -> Tree {
    let gateway = wishes.gateway.as_deref().unwrap_or("ingressgateway");
    let selector = map([("matchLabels", map([("istio", gateway.into())]))]);
    map([("selector", selector), ("phase", "AUTHN".into())])
}

/// Higress puts every plugin on its own gateway. 1000 is before most of its own plugins.
fn ordered() -> Tree {
    map([
        ("phase", "AUTHN".into()),
        ("priority", Tree::Number("1000".into())),
    ])
}

fn wasm(document: &Document, wishes: &Wishes, configuration: Tree) -> Tree {
    let variable = |name: &String| map([("name", name.into()), ("valueFrom", "HOST".into())]);
    let variables: Vec<Tree> = document.variables.iter().map(variable).collect();
    let environment = (!variables.is_empty()).then(|| map([("env", Tree::List(variables))]));
    map([("url", wishes.url.as_deref().unwrap_or_default().into())])
        .with("sha256", wishes.sha256.as_ref().map(Into::into))
        .with("imagePullPolicy", Some("IfNotPresent".into()))
        .with("pluginName", Some((&wishes.name).into()))
        .with("failStrategy", Some("FAIL_CLOSE".into()))
        .with("vmConfig", environment)
        .with("pluginConfig", Some(configuration))
}

/// `WasmPlugin` has the fields of `TrafficExtension.wasm` beside the others.
fn flat(spec: Tree) -> Tree {
    let Tree::Map(fields) = spec else {
        return spec;
    };
    Tree::Map(
        fields
            .into_iter()
            .flat_map(|(name, value)| match value {
                Tree::Map(inner) if name == "wasm" => inner,
                value => vec![(name, value)],
            })
            .collect(),
    )
}

/// The way to each origin: known to the gateway, and over TLS only to who proves its name.
fn ways(document: &Document, wishes: &Wishes, namespace: &str) -> Result<Vec<Tree>, Mistake> {
    let mut origins: Vec<&Destination> = Vec::new();
    for destination in document.destinations.values() {
        if destination.is_address() {
            return Err(Mistake::new(format!(
                "{destination}: a mesh knows other places by name; give the destination's host name"
            )));
        }
        if origins.iter().any(|known| {
            known.host == destination.host
                && known.port == destination.port
                && known.tls != destination.tls
        }) {
            return Err(Mistake::new(format!(
                "{} cannot be both http and https",
                destination.authority()
            )));
        }
        if !origins
            .iter()
            .any(|known| known.is_same_origin(destination))
        {
            origins.push(destination);
        }
    }
    let mut trees = Vec::new();
    for origin in origins {
        let name = format!(
            "{}-{}-{}",
            wishes.name,
            Destination::label(&origin.host),
            origin.port
        );
        trees.push(resource(
            "networking.istio.io/v1",
            "ServiceEntry",
            &name,
            namespace,
            entry(origin),
        ));
        if origin.tls {
            trees.push(resource(
                "networking.istio.io/v1",
                "DestinationRule",
                &name,
                namespace,
                rule(origin, wishes),
            ));
        }
    }
    Ok(trees)
}

fn entry(origin: &Destination) -> Tree {
    let (name, protocol) = if origin.tls {
        ("https", "HTTPS")
    } else {
        ("http", "HTTP")
    };
    let port = map([
        ("number", origin.port.into()),
        ("name", name.into()),
        ("protocol", protocol.into()),
    ]);
    map([
        ("hosts", vec![origin.host.clone()].into()),
        ("location", "MESH_EXTERNAL".into()),
        ("resolution", "DNS".into()),
        ("ports", Tree::List(vec![port])),
        ("exportTo", vec!["."].into()),
    ])
}

fn rule(origin: &Destination, wishes: &Wishes) -> Tree {
    let tls = map([
        ("mode", "SIMPLE".into()),
        ("sni", (&origin.host).into()),
        ("subjectAltNames", vec![origin.host.clone()].into()),
        ("caCertificates", (&wishes.authorities).into()),
    ]);
    map([
        ("host", (&origin.host).into()),
        ("trafficPolicy", map([("tls", tls)])),
        ("exportTo", vec!["."].into()),
    ])
}
