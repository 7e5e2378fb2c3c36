//! Envoy bootstraps for the tests: listeners with the filter in front of the upstream, and clusters.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

/// A bootstrap with these listeners and clusters. [`crate::envoy::Envoy::start`] adds the admin interface.
pub fn bootstrap(listeners: Vec<Value>, clusters: Vec<Value>) -> Value {
    json!({ "static_resources": { "listeners": listeners, "clusters": clusters } })
}

/// A static cluster with one endpoint, plain HTTP/1.1.
pub fn cluster(name: &str, endpoint: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": {
                "socket_address": { "address": endpoint.ip().to_string(), "port_value": endpoint.port() }
            } } }] }]
        }
    })
}

/// A listener on a free loopback port: these HTTP filters, then the router to `cluster`.
pub fn listener(name: &str, filters: Vec<Value>, cluster: &str) -> Value {
    let mut filters = filters;
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" }
    }));
    json!({
        "name": name,
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "codec_type": "AUTO",
                "http_filters": filters,
                "route_config": {
                    "name": name,
                    "virtual_hosts": [{
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": cluster } }]
                    }]
                }
            }
        }] }]
    })
}

/// The HTTP filter that runs `wasm` with `document` as its configuration. `vm_id` must be unique in the bootstrap
/// unless two instances are meant to share a virtual machine.
pub fn guard(vm_id: &str, wasm: &Path, document: &str) -> Value {
    json!({
        "name": "portcullis.token_guard",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "token_guard",
                "root_id": "token_guard",
                "failure_policy": "FAIL_RELOAD",
                "vm_config": {
                    "vm_id": vm_id,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": wasm } }
                },
                "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": document }
            }
        }
    })
}

/// The filter with these variables (`vm_config.environment_variables`).
pub fn with_environment(mut filter: Value, variables: &[(String, String)]) -> Value {
    let pairs: serde_json::Map<String, Value> = variables
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    filter["typed_config"]["config"]["vm_config"]["environment_variables"] =
        json!({ "key_values": pairs });
    filter
}
