//! Google Cloud Service Extensions: a `WasmPlugin` and the extension that puts it on a load balancer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::document::Document;
use super::tree::{Tree, map};
use super::{File, Mistake, Rendered, Target, Wishes, documents};

pub(super) fn render(document: &Document, wishes: &Wishes) -> Result<Rendered, Mistake> {
    if let Some((cluster, destination)) = document.destinations.iter().next() {
        return Err(Mistake::new(format!(
            "a plugin of Google's can call nothing, and the document calls {destination} (cluster `{cluster}`): give the keys inline"
        )));
    }
    if let Some(name) = document.variables.first() {
        return Err(Mistake::new(format!(
            "a plugin of Google's has no environment, and the document reads ${{env:{name}}}"
        )));
    }
    let parent = wishes.namespace.as_deref().unwrap_or_default();
    let plugin = map([
        (
            "name",
            format!("{parent}/wasmPlugins/{}", wishes.name).into(),
        ),
        ("mainVersionId", "v1".into()),
        (
            "logConfig",
            map([
                ("enable", true.into()),
                ("sampleRate", Tree::Number("1".into())),
                ("minLogLevel", "INFO".into()),
            ]),
        ),
        (
            "versions",
            map([(
                "v1",
                map([
                    ("imageUri", wishes.url.as_deref().unwrap_or_default().into()),
                    ("pluginConfigData", STANDARD.encode(&document.text).into()),
                ]),
            )]),
        ),
    ]);
    let extension = map([
        ("name", (&wishes.name).into()),
        (
            "service",
            format!("{parent}/wasmPlugins/{}", wishes.name).into(),
        ),
        ("failOpen", false.into()),
        ("supportedEvents", vec!["REQUEST_HEADERS"].into()),
    ]);
    let traffic = map([
        (
            "name",
            format!("{parent}/lbTrafficExtensions/{}", wishes.name).into(),
        ),
        (
            "forwardingRules",
            vec![wishes.gateway.as_deref().unwrap_or_default()].into(),
        ),
        ("loadBalancingScheme", "EXTERNAL_MANAGED".into()),
        (
            "extensionChains",
            Tree::List(vec![map([
                ("name", (&wishes.name).into()),
                // Every request: what no chain matches would pass unjudged.
                (
                    "matchCondition",
                    map([("celExpression", Tree::Text("true".into()))]),
                ),
                ("extensions", Tree::List(vec![extension])),
            ])]),
        ),
    ]);
    let file = |name, tree| File {
        name,
        text: documents(Target::Google, &[tree]),
    };
    Ok(Rendered {
        files: vec![
            file("wasmplugin.yaml", plugin),
            file("lbtrafficextension.yaml", traffic),
        ],
        configuration: document.text.clone().into_bytes(),
        variables: Vec::new(),
    })
}
