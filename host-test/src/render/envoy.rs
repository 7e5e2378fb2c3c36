//! Envoy by itself: a whole bootstrap with one listener.

use super::destination::Destination;
use super::document::Document;
use super::tree::{Tree, map};
use super::{File, Mistake, Rendered, Target, Wishes, documents};

/// Name of the cluster of `--upstream`.
const UPSTREAM: &str = "upstream";

pub(super) fn render(document: &Document, wishes: &Wishes) -> Result<Rendered, Mistake> {
    let upstream = Destination::parse_upstream(wishes.upstream.as_deref().unwrap_or_default())
        .map_err(|why| Mistake::new(format!("--upstream: {why}")))?;
    if document.destinations.contains_key(UPSTREAM) {
        return Err(Mistake::new(format!(
            "the document has a cluster `{UPSTREAM}`, which is the name of your API's: call it otherwise"
        )));
    }
    let mut clusters = vec![cluster(UPSTREAM, &upstream, wishes)];
    for (name, destination) in &document.destinations {
        clusters.push(cluster(name, destination, wishes));
    }
    let bootstrap = map([
        (
            "node",
            map([
                ("id", (&wishes.name).into()),
                ("cluster", (&wishes.name).into()),
            ]),
        ),
        ("admin", map([("address", socket("127.0.0.1", 9901))])),
        (
            "static_resources",
            map([
                ("listeners", Tree::List(vec![listener(document, wishes)])),
                ("clusters", Tree::List(clusters)),
            ]),
        ),
    ]);
    Ok(Rendered {
        files: vec![File {
            name: "bootstrap.yaml",
            text: documents(Target::Envoy, &[bootstrap]),
        }],
        configuration: document.text.clone().into_bytes(),
        variables: document.variables.clone(),
    })
}

fn socket(address: &str, port: u16) -> Tree {
    map([(
        "socket_address",
        map([("address", address.into()), ("port_value", port.into())]),
    )])
}

/// `{ "@type": …, fields }` of Envoy's extension API.
fn typed(kind: &str, fields: Tree) -> Tree {
    let mut all = vec![(
        "@type".to_owned(),
        format!("type.googleapis.com/{kind}").into(),
    )];
    if let Tree::Map(fields) = fields {
        all.extend(fields);
    }
    Tree::Map(all)
}

fn cluster(name: &str, destination: &Destination, wishes: &Wishes) -> Tree {
    let kind = if destination.is_address() {
        "STATIC"
    } else {
        "STRICT_DNS"
    };
    let endpoint = map([(
        "endpoint",
        map([("address", socket(&destination.host, destination.port))]),
    )]);
    map([
        ("name", name.into()),
        ("type", kind.into()),
        ("connect_timeout", Tree::Text("2s".to_owned())),
        (
            "load_assignment",
            map([
                ("cluster_name", name.into()),
                (
                    "endpoints",
                    Tree::List(vec![map([("lb_endpoints", Tree::List(vec![endpoint]))])]),
                ),
            ]),
        ),
    ])
    .with(
        "transport_socket",
        destination.tls.then(|| tls(destination, wishes)),
    )
}

/// Without authorities and a name to match Envoy trusts any certificate.
fn tls(destination: &Destination, wishes: &Wishes) -> Tree {
    let (kind, sni) = if destination.is_address() {
        ("IP_ADDRESS", None)
    } else {
        ("DNS", Some((&destination.host).into()))
    };
    let names = map([
        ("san_type", kind.into()),
        ("matcher", map([("exact", (&destination.host).into())])),
    ]);
    let validation = map([
        (
            "trusted_ca",
            map([("filename", (&wishes.authorities).into())]),
        ),
        ("match_typed_subject_alt_names", Tree::List(vec![names])),
    ]);
    let context = map([
        (
            "tls_params",
            map([(
                "tls_minimum_protocol_version",
                Tree::Text("TLSv1_2".to_owned()),
            )]),
        ),
        ("validation_context", validation),
    ]);
    map([
        ("name", "envoy.transport_sockets.tls".into()),
        (
            "typed_config",
            typed(
                "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                map([("common_tls_context", context)]).with("sni", sni),
            ),
        ),
    ])
}

fn listener(document: &Document, wishes: &Wishes) -> Tree {
    let route = map([
        ("match", map([("prefix", "/".into())])),
        ("route", map([("cluster", UPSTREAM.into())])),
    ]);
    let host = map([
        ("name", UPSTREAM.into()),
        ("domains", vec!["*"].into()),
        ("routes", Tree::List(vec![route])),
    ]);
    let router = map([
        ("name", "envoy.filters.http.router".into()),
        (
            "typed_config",
            typed("envoy.extensions.filters.http.router.v3.Router", map([])),
        ),
    ]);
    let manager = map([
        ("stat_prefix", UPSTREAM.into()),
        // The path that the filter judges is the one that the upstream gets.
        ("normalize_path", true.into()),
        ("merge_slashes", true.into()),
        ("path_with_escaped_slashes_action", "REJECT_REQUEST".into()),
        ("use_remote_address", true.into()),
        (
            "route_config",
            map([
                ("name", UPSTREAM.into()),
                ("virtual_hosts", Tree::List(vec![host])),
            ]),
        ),
        (
            "http_filters",
            Tree::List(vec![filter(document, wishes), router]),
        ),
    ]);
    let manager = map([
        (
            "name",
            "envoy.filters.network.http_connection_manager".into(),
        ),
        (
            "typed_config",
            typed(
                "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                manager,
            ),
        ),
    ]);
    map([
        ("name", UPSTREAM.into()),
        ("address", socket("127.0.0.1", 8080)),
        (
            "filter_chains",
            Tree::List(vec![map([("filters", Tree::List(vec![manager]))])]),
        ),
    ])
}

fn filter(document: &Document, wishes: &Wishes) -> Tree {
    let path = wishes.url.as_deref().unwrap_or_default();
    let keys = (!document.variables.is_empty())
        .then(|| map([("host_env_keys", document.variables.clone().into())]));
    let allowed = (!wishes.capabilities.is_empty()).then(|| {
        let each = |name: &String| (name.clone(), map([]));
        let each = wishes.capabilities.iter().map(each).collect();
        map([("allowed_capabilities", Tree::Map(each))])
    });
    let vm = map([
        ("vm_id", format!("{}-rendered", wishes.name).into()),
        ("runtime", "envoy.wasm.runtime.v8".into()),
        ("code", map([("local", map([("filename", path.into())]))])),
    ])
    .with("environment_variables", keys)
    .with("capability_restriction_config", allowed);
    let config = map([
        ("name", (&wishes.name).into()),
        ("root_id", (&wishes.name).into()),
        ("failure_policy", "FAIL_RELOAD".into()),
        ("vm_config", vm),
    ])
    .with(
        "configuration",
        Some(typed(
            "google.protobuf.StringValue",
            map([("value", Tree::Lines(document.text.clone()))]),
        )),
    );
    map([
        ("name", (&wishes.name).into()),
        (
            "typed_config",
            typed(
                "envoy.extensions.filters.http.wasm.v3.Wasm",
                map([("config", config)]),
            ),
        ),
    ])
}
