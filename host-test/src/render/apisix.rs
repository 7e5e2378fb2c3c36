//! Apache APISIX, standalone: the plugin in `config.yaml`, a route that has it in `apisix.yaml`.

use super::destination::Destination;
use super::document::Document;
use super::tree::{Tree, map};
use super::{File, Mistake, Rendered, Target, Wishes, documents, head, yaml};

pub(super) fn render(document: &Document, wishes: &Wishes) -> Result<Rendered, Mistake> {
    if let Some(name) = document.variables.first() {
        return Err(Mistake::new(format!(
            "APISIX gives filters no environment, and the document reads ${{env:{name}}}"
        )));
    }
    let upstream = Destination::parse_upstream(wishes.upstream.as_deref().unwrap_or_default())
        .map_err(|why| Mistake::new(format!("--upstream: {why}")))?;
    // The name of a destination is its address here.
    let configuration = document.tree(|_, destination| destination.authority());
    let config = map([
        (
            "deployment",
            map([
                ("role", "data_plane".into()),
                ("role_data_plane", map([("config_provider", "yaml".into())])),
            ]),
        ),
        (
            "apisix",
            // Callouts verify certificates against these.
            map([(
                "ssl",
                map([("ssl_trusted_certificate", (&wishes.authorities).into())]),
            )]),
        ),
        (
            "wasm",
            map([(
                "plugins",
                Tree::List(vec![map([
                    ("name", (&wishes.name).into()),
                    // Before APISIX's own plugins of the same phase.
                    ("priority", Tree::Number("7999".into())),
                    ("file", wishes.url.as_deref().unwrap_or_default().into()),
                    ("http_request_phase", "access".into()),
                ])]),
            )]),
        ),
    ]);
    let conf = map([("conf", configuration.json().into())]);
    let route = map([
        ("id", (&wishes.name).into()),
        ("uri", "/*".into()),
        (
            "plugins",
            Tree::Map(vec![(wishes.name.clone(), conf.clone())]),
        ),
        (
            "upstream",
            map([
                ("type", "roundrobin".into()),
                (
                    "nodes",
                    Tree::Map(vec![(upstream.authority(), Tree::Number("1".into()))]),
                ),
            ]),
        ),
    ]);
    let routes = map([("routes", Tree::List(vec![route]))]);
    Ok(Rendered {
        files: vec![
            File {
                name: "config.yaml",
                text: documents(Target::Apisix, &[config]),
            },
            File {
                name: "apisix.yaml",
                // APISIX reads the file only when it ends so: it has then been written wholly.
                text: format!(
                    "{}{}#END\n",
                    head(Target::Apisix, "#"),
                    yaml::document(&routes)
                ),
            },
        ],
        // As it stands in the route: the gateway, and its profile, take the text out of `conf`.
        configuration: conf.json().into_bytes(),
        variables: Vec::new(),
    })
}
