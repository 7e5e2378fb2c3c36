//! How clients are told things: the realm, the texts of answers, the metadata document, which pages may read it all.

use portcullis_policy::{Field, Policy, Section};

use super::cors::Cors;
use super::credentials::Credentials;
use super::metadata::Metadata;
use super::texts::{Text, Texts};
use crate::reason::Reason;

/// How clients are told things.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) realm: Box<str>,
    texts: Texts,
    metadata: Option<Metadata>,
    cors: Option<Cors>,
}

impl Default for Telling {
    fn default() -> Self {
        Self {
            realm: "api".into(),
            texts: Texts::default(),
            metadata: None,
            cors: None,
        }
    }
}

impl Telling {
    /// The metadata document, if there is one. In a build without answers: none, which lets the linker leave out what makes it.
    pub(crate) const fn metadata(&self) -> Option<&Metadata> {
        if cfg!(feature = "answers") {
            self.metadata.as_ref()
        } else {
            None
        }
    }

    /// Which pages may call, if any; see [`Telling::metadata`].
    pub(crate) const fn cors(&self) -> Option<&Cors> {
        if cfg!(feature = "answers") {
            self.cors.as_ref()
        } else {
            None
        }
    }

    /// The base of problem types, if not `about:blank`.
    pub(crate) fn type_base(&self) -> Option<&str> {
        self.texts.type_base.as_deref()
    }

    /// What to say for a reason instead of the built-in text; see [`Telling::metadata`].
    pub(crate) fn text(&self, reason: Reason, status: u16) -> Option<&Text> {
        if cfg!(feature = "answers") {
            self.texts.of(reason, status)
        } else {
            None
        }
    }
}

/// Reads `realm`, `answers`, `resource` and `cors`.
pub(super) fn read(
    document: &mut Section<'_>,
    issuers: &[&str],
    credentials: &Credentials,
    policy: Option<&Policy>,
) -> Telling {
    let default = Telling::default();
    let realm = document.or("realm", default.realm, read_realm);
    #[cfg(feature = "answers")]
    return Telling {
        realm,
        texts: document.or("answers", default.texts, |field| {
            super::texts::read(&mut field.section()?)
        }),
        metadata: document.optional("resource", |field| {
            let methods = credentials.bearer_methods();
            super::metadata::read(&mut field.section()?, issuers, &methods, policy)
        }),
        cors: document.optional("cors", |field| {
            super::cors::read(&mut field.section()?, policy)
        }),
    };
    #[cfg(not(feature = "answers"))]
    {
        let _ = (issuers, credentials, policy);
        for name in ["answers", "resource", "cors"] {
            document.optional(name, left_out::<()>);
        }
        Telling {
            realm,
            ..Telling::default()
        }
    }
}

/// What stands for a part that this build does not have.
#[cfg(not(feature = "answers"))]
pub(super) fn left_out<T>(field: &Field<'_>) -> Option<T> {
    field.problem("this build has no answers of one's own and no identity as JSON (use token-guard.wasm, which has them)");
    None
}

fn read_realm(field: &Field<'_>) -> Option<Box<str>> {
    let realm = field.non_empty_text()?;
    if realm.len() > 128 || !realm.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        field.problem("wants at most 128 printable ASCII characters");
        return None;
    }
    Some(realm.into())
}
