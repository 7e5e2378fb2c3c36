//! Cookies and queries: lists of named parts, some of which are credentials. Those go, the others stay byte for byte.

use std::fmt;

use crate::config::{At, Credentials};
use crate::credential::{Shown, trim};

/// A list of parts in which a credential, or what poses as one, was found.
#[derive(Clone)]
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

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // INVARIANT: no token is ever shown, not even by accident.
        f.debug_struct("Parts")
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

impl Parts {
    /// A list of which the parts at these ascending places are somebody's; `None` if that is none.
    fn of(
        separator: u8,
        parts: impl Iterator<Item = Box<[u8]>>,
        ours: Vec<(usize, Owner)>,
    ) -> Option<Self> {
        if ours.is_empty() {
            return None;
        }
        let mut ours = ours.into_iter().peekable();
        let parts = parts.enumerate().map(|(at, part)| {
            let owner = ours.next_if(|(ours, _)| *ours == at);
            (part, owner.map_or(Owner::Other, |(_, owner)| owner))
        });
        Some(Self {
            separator,
            parts: parts.collect(),
        })
    }

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

/// Most pieces that are looked at in the cookies of a request, and in its query: each is compared with every place of a credential,
/// before anybody is known. A cookie or parameter is at least one; commas and quotes (`;` in queries) make more of it.
const MOST_PIECES: usize = 2048;

/// There are more pieces than anybody should have to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Reads the values of all `Cookie` headers (RFC 6265 section 4.2.1; RFC 9113 section 8.2.3 allows several), and shows what
/// stands in the places of credentials. `None` if there is nothing of ours.
///
/// # Errors
/// [`TooMany`] pieces.
pub(crate) fn read_cookies<'h>(
    lines: &[(&'h [u8], &'h [u8])],
    credentials: &Credentials,
    shown: &mut Shown<'h>,
) -> Result<Option<Parts>, TooMany> {
    let cookies = || {
        let lines = lines.iter().enumerate();
        lines.flat_map(|(line, (_, value))| {
            let cookies = value.split(|byte| *byte == b';').enumerate();
            cookies.map(move |(index, part)| (line > 0 && index == 0, part))
        })
    };
    let mut left = MOST_PIECES;
    let mut ours = Vec::new();
    for (at, (_, part)) in cookies().enumerate() {
        match owner_of_cookie(part, credentials, shown, &mut left)? {
            Owner::Other => {}
            owner => ours.push((at, owner)),
        }
    }
    // Lines are joined as RFC 9113 wants, with a space behind the semicolon.
    let joined = |(begins_line, part): (bool, &[u8])| match begins_line {
        true => [b" ", trim_start(part)].concat().into(),
        false => part.into(),
    };
    Ok(Parts::of(b';', cookies().map(joined), ours))
}

/// Reads the query of a target, likewise.
///
/// # Errors
/// [`TooMany`] pieces.
pub(crate) fn read_query<'h>(
    target: &'h [u8],
    credentials: &Credentials,
    shown: &mut Shown<'h>,
) -> Result<Option<Parts>, TooMany> {
    let query = target.splitn(2, |byte| *byte == b'?').nth(1);
    let parameters = || {
        let query = query.into_iter();
        query.flat_map(|query| query.split(|byte| *byte == b'&'))
    };
    let mut left = MOST_PIECES;
    let mut ours = Vec::new();
    for (at, part) in parameters().enumerate() {
        match owner_of_parameter(part, credentials, shown, &mut left)? {
            Owner::Other => {}
            owner => ours.push((at, owner)),
        }
    }
    Ok(Parts::of(b'&', parameters().map(Box::from), ours))
}

fn owner_of_cookie<'h>(
    part: &'h [u8],
    credentials: &Credentials,
    shown: &mut Shown<'h>,
    left: &mut usize,
) -> Result<Owner, TooMany> {
    let names = || {
        let places = credentials.places().iter().enumerate();
        places.filter_map(|(index, place)| match &place.at {
            At::Cookie { name, .. } => Some((index, name.as_bytes())),
            _ => None,
        })
    };
    let mut owner = Owner::Other;
    for (index, name) in names() {
        let after_name = trim_start(part).strip_prefix(name);
        if let Some(value) = after_name.and_then(|rest| rest.strip_prefix(b"=")) {
            shown.push(index, unquoted(trim(value)));
            owner = Owner::Place(index);
        }
    }
    // Readers of RFC 2965 split at commas too; some take quotes for the ends of values.
    let pieces = part.split(|byte| matches!(byte, b',' | b'"'));
    or_poses(owner, pieces, names().map(|(_, name)| name), left)
}

fn owner_of_parameter<'h>(
    part: &'h [u8],
    credentials: &Credentials,
    shown: &mut Shown<'h>,
    left: &mut usize,
) -> Result<Owner, TooMany> {
    let names = || {
        let places = credentials.places().iter().enumerate();
        places.filter_map(|(index, place)| match &place.at {
            At::Query { name } => Some((index, name.as_bytes())),
            _ => None,
        })
    };
    let mut owner = Owner::Other;
    let found = name_of(part);
    for (index, name) in names() {
        // However its name is escaped, every reader of queries takes it for the parameter.
        if decoded(found).eq(name.iter().copied()) {
            let value = part.get(found.len()..).unwrap_or_default();
            shown.push(index, value.strip_prefix(b"=").unwrap_or(value));
            owner = Owner::Place(index);
        }
    }
    // HTML 4 appendix B.2.2 had servers split at semicolons too.
    let pieces = part.split(|byte| *byte == b';');
    or_poses(owner, pieces, names().map(|(_, name)| name), left)
}

/// The owner of a part, if it has one; else whether one of its pieces poses as a credential.
fn or_poses<'p, 'n>(
    owner: Owner,
    pieces: impl Iterator<Item = &'p [u8]>,
    names: impl Iterator<Item = &'n [u8]> + Clone,
    left: &mut usize,
) -> Result<Owner, TooMany> {
    if owner != Owner::Other {
        *left = left.checked_sub(1).ok_or(TooMany)?;
        return Ok(owner);
    }
    for piece in pieces {
        *left = left.checked_sub(1).ok_or(TooMany)?;
        let found = name_of(piece);
        if names.clone().any(|name| poses_as(found, name)) {
            return Ok(Owner::Poses);
        }
    }
    Ok(owner)
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
