//! Envoy Gateway's `EnvoyExtensionPolicy`, with a route that makes a cluster of each destination.

use super::destination::Destination;
use super::document::Document;
use super::istio::resource;
use super::tree::{Tree, map};
use super::{File, Mistake, Rendered, Target, Wishes, documents};

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const EXTENSIONS: &str = "gateway.envoyproxy.io";

pub(super) fn render(document: &Document, wishes: &Wishes) -> Result<Rendered, Mistake> {
    let namespace = wishes.namespace.as_deref().unwrap_or("default");
    let gateway = wishes.gateway.as_deref().unwrap_or("eg");
    let route = |cluster: &str| format!("{}-to-{}", wishes.name, Destination::label(cluster));
    let configuration = document.tree(|cluster, _| {
        // As Envoy Gateway calls the cluster of a route's first rule.
        format!("httproute/{namespace}/{}/rule/0", route(cluster))
    });
    let policy = map([
        (
            "targetRefs",
            Tree::List(vec![map([
                ("group", GATEWAY_API.into()),
                ("kind", "Gateway".into()),
                ("name", gateway.into()),
            ])]),
        ),
        (
            "wasm",
            Tree::List(vec![filter(document, wishes, configuration.clone())]),
        ),
    ]);
    let mut trees = vec![resource(
        &format!("{EXTENSIONS}/v1alpha1"),
        "EnvoyExtensionPolicy",
        &wishes.name,
        namespace,
        policy,
    )];
    let mut seen: Vec<String> = Vec::new();
    for (cluster, destination) in &document.destinations {
        let name = route(cluster);
        if seen.contains(&name) {
            return Err(Mistake::new(format!(
                "cluster `{cluster}` and another would both be called {name}"
            )));
        }
        trees.extend(way(&name, destination, namespace, gateway)?);
        seen.push(name);
    }
    Ok(Rendered {
        files: vec![File {
            name: "envoyextensionpolicy.yaml",
            text: documents(Target::EnvoyGateway, &trees),
        }],
        configuration: configuration.json().into_bytes(),
        variables: document.variables.clone(),
    })
}

fn filter(document: &Document, wishes: &Wishes, configuration: Tree) -> Tree {
    let url = wishes.url.as_deref().unwrap_or_default();
    let (kind, field, url) = match url.strip_prefix("oci://") {
        Some(image) => ("Image", "image", image),
        None => ("HTTP", "http", url),
    };
    let source = map([("url", url.into())]).with("sha256", wishes.sha256.as_ref().map(Into::into));
    let keys = (!document.variables.is_empty())
        .then(|| map([("hostKeys", document.variables.clone().into())]));
    map([
        ("name", (&wishes.name).into()),
        ("rootID", (&wishes.name).into()),
        ("code", map([("type", kind.into()), (field, source)])),
        ("failOpen", false.into()),
    ])
    .with("env", keys)
    .with("config", Some(configuration))
}

/// A backend, the certificate that it must show, and the route without which Envoy Gateway makes no cluster of it. The route's host
/// name is one that no client asks for (RFC 6761), and the filter guards it like every other route.
fn way(
    name: &str,
    destination: &Destination,
    namespace: &str,
    gateway: &str,
) -> Result<Vec<Tree>, Mistake> {
    let port = Tree::from(destination.port);
    let address = map([
        (
            if destination.is_address() {
                "address"
            } else {
                "hostname"
            },
            (&destination.host).into(),
        ),
        ("port", port.clone()),
    ]);
    let endpoint = if destination.is_address() {
        "ip"
    } else {
        "fqdn"
    };
    let backend = map([("endpoints", Tree::List(vec![map([(endpoint, address)])]))]);
    let path = destination.path.split('?').next().unwrap_or("/");
    let rule = map([
        (
            "matches",
            Tree::List(vec![map([
                ("method", "GET".into()),
                (
                    "path",
                    map([("type", "Exact".into()), ("value", path.into())]),
                ),
            ])]),
        ),
        (
            "backendRefs",
            Tree::List(vec![map([
                ("group", EXTENSIONS.into()),
                ("kind", "Backend".into()),
                ("name", name.into()),
                ("port", port),
            ])]),
        ),
    ]);
    let route = map([
        (
            "parentRefs",
            Tree::List(vec![map([("name", gateway.into())])]),
        ),
        ("hostnames", vec![format!("{name}.invalid")].into()),
        ("rules", Tree::List(vec![rule])),
    ]);
    let mut trees = vec![
        resource(
            &format!("{GATEWAY_API}/v1"),
            "HTTPRoute",
            name,
            namespace,
            route,
        ),
        resource(
            &format!("{EXTENSIONS}/v1alpha1"),
            "Backend",
            name,
            namespace,
            backend,
        ),
    ];
    if destination.tls {
        if destination.is_address() {
            return Err(Mistake::new(format!(
                "{destination}: Envoy Gateway verifies certificates by name; give the destination's host name"
            )));
        }
        let policy = map([
            (
                "targetRefs",
                Tree::List(vec![map([
                    ("group", EXTENSIONS.into()),
                    ("kind", "Backend".into()),
                    ("name", name.into()),
                ])]),
            ),
            (
                "validation",
                map([
                    ("wellKnownCACertificates", "System".into()),
                    ("hostname", (&destination.host).into()),
                ]),
            ),
        ]);
        trees.push(resource(
            &format!("{GATEWAY_API}/v1"),
            "BackendTLSPolicy",
            name,
            namespace,
            policy,
        ));
    }
    Ok(trees)
}
