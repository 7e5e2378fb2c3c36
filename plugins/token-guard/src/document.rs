//! The policy document inside what the host gives as configuration.

use serde::Deserialize;

/// How APISIX has a plugin's configuration written into a route.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    conf: String,
}

/// Takes the document out of `{"conf": "…"}`: a JSON object with this one member, a text. Everything else is the document itself.
pub(crate) fn unwrapped(configuration: Vec<u8>) -> Vec<u8> {
    // A derived reader would take the array ["…"] as well.
    let is_object = configuration.trim_ascii_start().starts_with(b"{");
    match serde_json::from_slice(&configuration) {
        Ok(Wrapped { conf }) if is_object => conf.into_bytes(),
        _ => configuration,
    }
}

#[cfg(test)]
mod tests {
    use super::unwrapped;

    #[test]
    fn exactly_one_text_named_conf_is_unwrapped() {
        assert_eq!(
            unwrapped(br#" {"conf": "version: 1\n"} "#.to_vec()),
            b"version: 1\n"
        );
        for other in [
            r#"{"conf": "a", "conf": "b"}"#,
            r#"{"conf": "a", "more": 1}"#,
            r#"{"conf": {"version": 1}}"#,
            r#"{"Conf": "a"}"#,
            r#"["a"]"#,
            r#"{"conf": "a"} x"#,
            r#""a""#,
            "conf: a",
            "",
        ] {
            assert_eq!(unwrapped(other.into()), other.as_bytes(), "{other}");
        }
    }
}
