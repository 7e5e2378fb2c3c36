//! Cookies and queries: lists of named parts, some of which are credentials. Those go, the others stay byte for byte.

use crate::config::{At, Credentials};
use crate::credential::{Shown, trim};

/// A list of parts in which a credential, or what poses as one, was found.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    separator: u8,
    parts: Vec<(Box<[u8]>, Owner)>,
}

/// Whose a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Nobody's that we know.
    Other,
    /// The credential's of this place.
    Place(usize),
    /// None of ours, but some server could take it for one.
    Poses,
}

impl Parts {
    /// About how much memory this holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let parts = self.parts.iter();
        parts
            .map(|(part, _)| part.len().saturating_add(32))
            .fold(0, usize::saturating_add)
    }

    /// What remains without credentials, but for those of places that `keep` names; `None` if nothing goes.
    pub(crate) fn without(&self, keep: impl Fn(usize) -> bool) -> Option<Vec<u8>> {
        let stays = |owner: &Owner| match owner {
            Owner::Other => true,
            Owner::Place(place) => keep(*place),
            Owner::Poses => false,
        };
        if self.parts.iter().all(|(_, owner)| stays(owner)) {
            return None;
        }
        let kept = self.parts.iter().filter(|(_, owner)| stays(owner));
        let kept: Vec<&[u8]> = kept.map(|(part, _)| &**part).collect();
        let joined = kept.join(&self.separator);
        // White space before the first cookie separated it from one that is gone.
        Some(trim_start(&joined).to_vec())
    }
}

/// Reads the values of all `Cookie` headers (RFC 6265 section 4.2.1; RFC 9113 section 8.2.3 allows several), and shows what
/// stands in the places of credentials. `None` if there is nothing of ours.
pub(crate) fn read_cookies<'h>(
    lines: &[(&'h [u8], &'h [u8])],
    credentials: &Credentials,
    shown: &mut Shown<'h>,
) -> Option<Parts> {
    let mut parts = Vec::new();
    for (line, (_, value)) in lines.iter().enumerate() {
        for (index, part) in value.split(|byte| *byte == b';').enumerate() {
            let owner = owner_of_cookie(part, credentials, shown);
            // Lines are joined as RFC 9113 wants, with a space behind the semicolon.
            let part = if line > 0 && index == 0 {
                [b" ", trim_start(part)].concat()
            } else {
                part.to_vec()
            };
            parts.push((part.into_boxed_slice(), owner));
        }
    }
    found(b';', parts)
}

/// Reads the query of a target, likewise.
pub(crate) fn read_query<'h>(
    target: &'h [u8],
    credentials: &Credentials,
    shown: &mut Shown<'h>,
) -> Option<Parts> {
    let begin = target.iter().position(|byte| *byte == b'?')?;
    let query = target.get(begin.saturating_add(1)..)?;
    let parts = query
        .split(|byte| *byte == b'&')
        .map(|part| (part.into(), owner_of_parameter(part, credentials, shown)));
    found(b'&', parts.collect())
}

fn found(separator: u8, parts: Vec<(Box<[u8]>, Owner)>) -> Option<Parts> {
    let ours = parts.iter().any(|(_, owner)| *owner != Owner::Other);
    ours.then_some(Parts { separator, parts })
}

fn owner_of_cookie<'h>(part: &'h [u8], credentials: &Credentials, shown: &mut Shown<'h>) -> Owner {
    let mut owner = Owner::Other;
    for (index, place) in credentials.places().iter().enumerate() {
        let At::Cookie { name, .. } = &place.at else {
            continue;
        };
        let name = name.as_bytes();
        let after_name = trim_start(part).strip_prefix(name);
        if let Some(value) = after_name.and_then(|rest| rest.strip_prefix(b"=")) {
            shown.push(index, unquoted(trim(value)));
            owner = Owner::Place(index);
        } else if owner == Owner::Other
            // Readers of RFC 2965 split at commas too; some take quotes for the ends of values.
            && part
                .split(|byte| matches!(byte, b',' | b'"'))
                .any(|piece| poses_as(name_of(piece), name))
        {
            owner = Owner::Poses;
        }
    }
    owner
}

fn owner_of_parameter<'h>(
    part: &'h [u8],
    credentials: &Credentials,
    shown: &mut Shown<'h>,
) -> Owner {
    let mut owner = Owner::Other;
    for (index, place) in credentials.places().iter().enumerate() {
        let At::Query { name } = &place.at else {
            continue;
        };
        let name = name.as_bytes();
        let found = name_of(part);
        // However its name is escaped, every reader of queries takes it for the parameter.
        if decoded(found).eq(name.iter().copied()) {
            let value = part.get(found.len()..).unwrap_or_default();
            shown.push(index, value.strip_prefix(b"=").unwrap_or(value));
            owner = Owner::Place(index);
        } else if owner == Owner::Other
            // HTML 4 appendix B.2.2 had servers split at semicolons too.
            && part
                .split(|byte| *byte == b';')
                .any(|piece| poses_as(name_of(piece), name))
        {
            owner = Owner::Poses;
        }
    }
    owner
}

/// What stands before `=`, or all.
fn name_of(part: &[u8]) -> &[u8] {
    part.split(|byte| *byte == b'=').next().unwrap_or_default()
}

/// Whether some server could take one name for the other: in other letter case, escaped, with white space around it, with
/// `_` for signs, or with an index behind it (`name[]`), as PHP does.
pub(crate) fn poses_as(name: &[u8], ours: &[u8]) -> bool {
    let fold = |byte: u8| match byte {
        _ if byte.is_ascii_alphanumeric() => byte.to_ascii_lowercase(),
        _ => b'_',
    };
    let white = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut name = decoded(name).skip_while(white);
    for wanted in ours {
        if name.next().map(fold) != Some(fold(*wanted)) {
            return false;
        }
    }
    let mut rest = name.skip_while(white);
    // NUL ended names in C.
    matches!(rest.next(), None | Some(b'[' | 0))
}

/// The bytes of a name, escapes resolved once.
fn decoded(name: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut rest = name;
    std::iter::from_fn(move || {
        let (first, tail) = rest.split_first()?;
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    Some(high << 4 | low)
                }
                _ => Some(b'%'),
            },
            (b'+', _) => Some(b' '),
            (byte, _) => Some(*byte),
        }
    })
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

/// A cookie's value without the quotes around it, which are not part of it (RFC 6265 section 4.1.1).
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}
