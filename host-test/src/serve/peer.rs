//! What a filter learns of a client's TLS connection: Envoy's `connection.*` attributes, in Envoy's spelling.

use std::fmt::Write;

use rustls::{ProtocolVersion, ServerConnection};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// Properties by path, as [`crate::Connection::properties`] has them.
pub(crate) type Properties = Vec<(Vec<String>, Vec<u8>)>;

/// The attributes of a connection, and whether the client gave a certificate, which was checked.
pub(crate) fn attributes(connection: &ServerConnection) -> (Properties, bool) {
    let mut properties = Properties::new();
    let mut put = |name: &str, value: String| {
        let path = vec!["connection".to_owned(), name.to_owned()];
        properties.push((path, value.into_bytes()));
    };
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => Some("TLSv1.2"),
        Some(ProtocolVersion::TLSv1_3) => Some("TLSv1.3"),
        _ => None,
    };
    if let Some(version) = version {
        put("tls_version", version.to_owned());
    }
    if let Some(name) = connection.server_name() {
        put("requested_server_name", name.to_owned());
    }
    let certificate = connection
        .peer_certificates()
        .and_then(|chain| chain.first());
    let Some(der) = certificate else {
        return (properties, false);
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    put("sha256_peer_certificate_digest", hex(digest.as_ref()));
    // One that rustls has verified can be read; if not, nothing more is shown.
    if let Ok((_, certificate)) = X509Certificate::from_der(der) {
        put("subject_peer_certificate", rfc2253(certificate.subject()));
        for extension in certificate.extensions() {
            let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension()
            else {
                continue;
            };
            // Envoy shows the first of each kind.
            for (property, wanted) in [
                ("uri_san_peer_certificate", uri as Pick),
                ("dns_san_peer_certificate", dns as Pick),
            ] {
                if let Some(name) = names.general_names.iter().find_map(wanted) {
                    put(property, name.to_owned());
                }
            }
        }
    }
    (properties, true)
}

type Pick = for<'n> fn(&'n GeneralName<'_>) -> Option<&'n str>;

fn uri<'n>(name: &'n GeneralName<'_>) -> Option<&'n str> {
    match name {
        GeneralName::URI(uri) => Some(uri),
        _ => None,
    }
}

fn dns<'n>(name: &'n GeneralName<'_>) -> Option<&'n str> {
    match name {
        GeneralName::DNSName(name) => Some(name),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A name as RFC 2253 writes it: the last part first, special characters escaped.
fn rfc2253(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let part = |part: &&x509_parser::x509::RelativeDistinguishedName<'_>| {
        let attributes = part.iter().map(|attribute| {
            let oid = attribute.attr_type();
            let names = x509_parser::objects::oid_registry();
            let short = x509_parser::objects::oid2abbrev(oid, names);
            let name = short.map_or_else(|_| oid.to_id_string(), str::to_owned);
            format!("{name}={}", escaped(attribute.as_str().unwrap_or_default()))
        });
        attributes.collect::<Vec<_>>().join("+")
    };
    parts.iter().rev().map(part).collect::<Vec<_>>().join(",")
}

fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (at, character) in value.chars().enumerate() {
        let at_border = character == ' ' && (at == 0 || at == last);
        let first = character == '#' && at == 0;
        if at_border || first || matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_rfc_2253_has_them() {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::OrganizationName, "Acme, Inc.");
        name.push(rcgen::DnType::CommonName, "#1 client ");
        params.distinguished_name = name;
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (_, certificate) = X509Certificate::from_der(certificate.der()).unwrap();
        assert_eq!(
            rfc2253(certificate.subject()),
            r"CN=\#1 client\ ,O=Acme\, Inc."
        );
    }
}
