//! Each tenant has metadata of its own, which says where its keys are.

use portcullis_engine::{Count, Reason};
use serde_json::json;

use super::{any, each, holds_apart, of};
use crate::mint::{Key, key};
use crate::world::World;

fn discovering(tenants: serde_json::Value, kind: &str) -> serde_json::Value {
    let mut document = each(tenants);
    let issuer = document["issuers"][0].as_object_mut().unwrap();
    issuer.remove("jwks");
    issuer.insert(
        "discovery".into(),
        json!({"cluster": "idp", "kind": kind, "clusters": {"https://keys.example.com": "keys"}}),
    );
    document
}

fn metadata(tenant: &str, keys: &str) -> String {
    let issuer = format!("https://login.example.com/{tenant}/v2.0");
    json!({"issuer": issuer, "jwks_uri": keys}).to_string()
}

fn path(kind: &str, tenant: &str) -> String {
    match kind {
        "oidc" => {
            format!("https://login.example.com/{tenant}/v2.0/.well-known/openid-configuration")
        }
        _ => format!(
            "https://login.example.com/.well-known/oauth-authorization-server/{tenant}/v2.0"
        ),
    }
}

#[test]
fn metadata_of_each_tenant_leads_to_its_keys() {
    for kind in ["oidc", "oauth"] {
        for tenants in [json!(["acme", "umbrella"]), any()] {
            let (acme, umbrella) = (key("a", 1), key("a", 2));
            let mut world = World::new(&discovering(tenants, kind));
            let find = |world: &mut World, key: &Key, tenant: &str| {
                assert_eq!(world.next_call(), ("idp".to_owned(), path(kind, tenant)));
                let keys = format!("https://keys.example.com/{tenant}");
                world.answer_body(metadata(tenant, &keys));
                let at = world.calls.len() - 1;
                world.calls.swap(0, at);
                assert_eq!(world.next_call(), ("keys".to_owned(), keys));
                world.answer_keys(&[key]);
            };
            world.start();
            if world.calls.is_empty() {
                for (key, tenant) in [(&acme, "acme"), (&umbrella, "umbrella")] {
                    let ask = of(&world, key, tenant);
                    world.send(&ask).waits();
                    find(&mut world, key, tenant);
                    world.send(&ask).forward();
                }
            } else {
                find(&mut world, &acme, "acme");
                find(&mut world, &umbrella, "umbrella");
            }
            holds_apart(&mut world, &acme, &umbrella);
        }
    }
}

#[test]
fn metadata_of_another_tenant_is_refused() {
    let acme = key("a", 1);
    let mut world = World::new(&discovering(any(), "oidc"));
    let ask = of(&world, &acme, "acme");
    world.send(&ask).waits();
    let ended = world.answer_body(metadata("umbrella", "https://keys.example.com/umbrella"));
    for (_, got) in ended {
        assert_eq!(got.reason(), Some(Reason::KeysNotLoaded));
    }
    assert_eq!(world.calls_made, 1);
    assert_eq!(world.count(Count::MetadataIssuer), 1);
    // The log names the entry, never what a token said.
    assert_eq!(world.notices.len(), 1);
    assert!(world.notices[0].contains("{tenant}") && !world.notices[0].contains("acme"));
}
