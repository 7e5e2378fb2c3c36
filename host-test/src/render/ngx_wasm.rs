//! nginx with ngx_wasm_module: a whole `nginx.conf`.

use super::destination::Destination;
use super::document::Document;
use super::{File, Mistake, Rendered, Target, Wishes, head};

/// nginx reads its configuration through a buffer of this size, and a word of it must fit in (`NGX_CONF_BUFFER`).
const LONGEST_WORD: usize = 4096;

pub(super) fn render(document: &Document, wishes: &Wishes) -> Result<Rendered, Mistake> {
    let upstream = Destination::parse_upstream(wishes.upstream.as_deref().unwrap_or_default())
        .map_err(|why| Mistake::new(format!("--upstream: {why}")))?;
    let named = document.destinations.values().find(|it| !it.is_address());
    if let (Some(destination), None) = (named, &wishes.resolver) {
        return Err(Mistake::new(format!(
            "ngx_wasm looks names up by itself, at a public server unless told: say --resolver ADDRESS for {destination}"
        )));
    }
    // The name of a destination is its address here.
    let configuration = document
        .tree(|_, destination| destination.authority())
        .json();
    let word = word(&configuration);
    if word.len() >= LONGEST_WORD {
        return Err(Mistake::new(format!(
            "the document takes {} bytes in nginx.conf, and nginx reads at most {LONGEST_WORD} of a word: it is too long for this gateway",
            word.len()
        )));
    }
    let module = &wishes.name;
    let url = wishes.url.as_deref().unwrap_or_default();
    let mut text = head(Target::NgxWasm, "#");
    for name in &document.variables {
        text.push_str(&format!("env {name};\n"));
    }
    text.push_str(
        "worker_processes auto;\n\nevents {\n    worker_connections 1024;\n}\n\nwasm {\n",
    );
    text.push_str(&format!("    module {module} {};\n", self::word(url)));
    if let Some(resolver) = &wishes.resolver {
        let plain = |it: char| it.is_ascii_alphanumeric() || ".:[]-".contains(it);
        if resolver.is_empty() || !resolver.chars().all(plain) {
            return Err(Mistake::new(format!(
                "--resolver: `{resolver}` is no address"
            )));
        }
        text.push_str(&format!("    resolver {resolver};\n"));
    }
    text.push_str("\n    # Off unless said: without these, whoever answers chooses the keys.\n");
    text.push_str(&format!(
        "    tls_trusted_certificate {};\n    tls_verify_cert on;\n    tls_verify_host on;\n}}\n\n",
        self::word(&wishes.authorities)
    ));
    text.push_str(&format!(
        "http {{\n    server {{\n        listen 8080;\n\n        location / {{\n            proxy_wasm {module} {word};\n            \
         proxy_set_header Host $http_host;\n            proxy_pass http://{};\n        }}\n    }}\n}}\n",
        upstream.authority()
    ));
    Ok(Rendered {
        files: vec![File {
            name: "nginx.conf",
            text,
        }],
        configuration: configuration.into_bytes(),
        variables: document.variables.clone(),
    })
}

/// A word in single quotes; nginx takes `\'` and `\\` for the character itself.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::render;

    /// A word in quotes as `ngx_conf_read_token` reads it.
    fn nginx_reads(word: &str) -> String {
        let mut out = String::new();
        let mut inside = word
            .strip_prefix('\'')
            .unwrap()
            .strip_suffix('\'')
            .unwrap()
            .chars()
            .peekable();
        while let Some(character) = inside.next() {
            assert_ne!(character, '\'', "the word ends here");
            match (character, inside.peek()) {
                ('\\', Some('"' | '\'' | '\\')) => out.extend(inside.next()),
                ('\\', Some('n')) => {
                    inside.next();
                    out.push('\n');
                }
                _ => out.push(character),
            }
        }
        out
    }

    #[test]
    fn a_word_comes_back_as_it_was() {
        for text in [r#"{"a":"it's \"x\" \\n $y; }"}"#, r"\'", r"\", "'", ""] {
            assert_eq!(nginx_reads(&word(text)), text);
        }
    }

    #[test]
    fn a_document_that_nginx_would_not_read_is_refused() {
        let wishes = Wishes {
            url: Some("/x.wasm".into()),
            upstream: Some("127.0.0.1:9000".into()),
            ..Wishes::default()
        };
        let long = format!("a: {}\n", "x".repeat(5000));
        let why = render(Target::NgxWasm, &long, &wishes)
            .unwrap_err()
            .to_string();
        assert!(why.contains("at most 4096"), "{why}");
        let named = "a: { cluster: c, uri: 'https://a.example/k' }\n";
        let why = render(Target::NgxWasm, named, &wishes)
            .unwrap_err()
            .to_string();
        assert!(why.contains("--resolver"), "{why}");
        assert!(render(Target::NgxWasm, "a: b\n", &wishes).is_ok());
    }
}
