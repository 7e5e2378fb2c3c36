//! One pass over the headers: what is read, what poses as ours, what contradicts itself.

use std::borrow::Cow;

use portcullis_policy::path;

use crate::config::{Config, Role};
use crate::credential::{Shown, is_token_char, trim};
use crate::forward::Stripped;
use crate::parts::{TooMany, read_cookies, read_query};
use crate::reason::Reason;
use crate::refusal::Refusal;

/// Most bytes of `Connection`: each option is compared with all our names.
const MOST_CONNECTION: usize = 8 << 10;

/// Most headers that are taken off a request, each spelling for itself.
const MOST_SPELLINGS: usize = 64;

/// What one pass found.
#[derive(Default)]
pub(super) struct Scanned<'h> {
    pub(super) method: Option<&'h [u8]>,
    pub(super) path: Option<&'h [u8]>,
    pub(super) authority: Option<&'h [u8]>,
    scheme: Option<&'h [u8]>,
    protocol: Option<&'h [u8]>,
    pub(super) host: Option<&'h [u8]>,
    pub(super) further_host: bool,
    pub(super) shown: Shown<'h>,
    pub(super) content_type: Option<&'h [u8]>,
    origin: Option<&'h [u8]>,
    further_origin: bool,
    pub(super) requested_method: Option<&'h [u8]>,
    content_length: Option<&'h [u8]>,
    transfer_encoding: bool,
    pub(super) stripped: Stripped,
}

pub(super) fn scan<'h>(
    headers: &[(&'h [u8], &'h [u8])],
    config: &Config,
) -> Result<Scanned<'h>, Refusal> {
    let mut found = Scanned::default();
    let mut connection: Vec<(&[u8], &[u8])> = Vec::new();
    let mut cookies: Vec<(&[u8], &[u8])> = Vec::new();
    for &(name, value) in headers {
        if let Some(pseudo) = name.strip_prefix(b":") {
            found.pseudo(pseudo, value)?;
            continue;
        }
        if name.is_empty() || !name.iter().all(|byte| is_token_char(*byte)) {
            return Err(Refusal::because(Reason::HeaderMalformed, "header_name"));
        }
        // All that follows looks for names of certain lengths.
        if !config.name_lengths.has(name.len()) {
            continue;
        }
        if config.identity_headers.covers(name) || config.removed.covers(name) {
            push_new(&mut found.stripped.remove, name)?;
            continue;
        }
        match config.credentials.role(name) {
            Role::Place(place) => {
                found.shown.push(place, value);
                push_new(&mut found.stripped.credential, name)?;
                continue;
            }
            Role::Poses => {
                push_new(&mut found.stripped.credential, name)?;
                continue;
            }
            Role::None => {}
        }
        // By length first: most headers are none of these.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                found.further_host |= found.host.replace(value).is_some();
            }
            6 if name.eq_ignore_ascii_case(b"origin") => {
                found.further_origin |= found.origin.replace(value).is_some();
            }
            10 if name.eq_ignore_ascii_case(b"connection") => connection.push((name, value)),
            12 if name.eq_ignore_ascii_case(b"content-type") => found.content_type = Some(value),
            6 if config.credentials.in_cookies() && name.eq_ignore_ascii_case(b"cookie") => {
                cookies.push((name, value));
            }
            14 if name.eq_ignore_ascii_case(b"content-length")
                // RFC 9112 section 6.3: a length told twice is an attempt at smuggling, or as good as one.
                && found.content_length.replace(value).is_some() =>
            {
                return Err(Refusal::because(Reason::HeaderConflict, "content_length"));
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                found.transfer_encoding = true;
            }
            29 if name.eq_ignore_ascii_case(b"access-control-request-method") => {
                found.requested_method = Some(value);
            }
            _ => {}
        }
    }
    if found.transfer_encoding && found.content_length.is_some() {
        return Err(Refusal::because(
            Reason::HeaderConflict,
            "transfer_encoding",
        ));
    }
    let listed = connection.iter().map(|(_, value)| value.len());
    if listed.fold(0, usize::saturating_add) > MOST_CONNECTION {
        return Err(Refusal::because(Reason::HeaderMalformed, "connection"));
    }
    found.protect_from_connection(&connection, config)?;
    found.look_into(&cookies, config)?;
    Ok(found)
}

impl<'h> Scanned<'h> {
    /// The one origin that is told (RFC 6454 section 7), if it can be one.
    pub(super) fn origin(&self) -> Option<Box<str>> {
        let origin = self.origin.filter(|_| !self.further_origin)?;
        let fits = origin.len() <= 256 && origin.iter().all(u8::is_ascii_graphic);
        str::from_utf8(origin).ok().filter(|_| fits).map(Box::from)
    }

    fn pseudo(&mut self, name: &[u8], value: &'h [u8]) -> Result<(), Refusal> {
        let place = match name {
            b"method" => &mut self.method,
            b"path" => &mut self.path,
            b"authority" => &mut self.authority,
            b"scheme" => &mut self.scheme,
            // RFC 8441: WebSockets over HTTP/2.
            b"protocol" => &mut self.protocol,
            _ => {
                return Err(Refusal::because(
                    Reason::PseudoHeaderRefused,
                    "pseudo_header_unknown",
                ));
            }
        };
        if place.replace(value).is_some() {
            return Err(Refusal::because(
                Reason::PseudoHeaderRefused,
                "pseudo_header_repeated",
            ));
        }
        Ok(())
    }

    /// Finds credentials among cookies and the parameters of the query.
    ///
    /// # Errors
    /// More of them than are looked at.
    fn look_into(
        &mut self,
        cookies: &[(&'h [u8], &'h [u8])],
        config: &Config,
    ) -> Result<(), Refusal> {
        let refuse = |cause| move |TooMany| Refusal::because(Reason::HeaderMalformed, cause);
        let credentials = &config.credentials;
        let (shown, stripped) = (&mut self.shown, &mut self.stripped);
        if credentials.in_cookies()
            && let Some(parts) =
                read_cookies(cookies, credentials, shown).map_err(refuse("too_many_cookies"))?
        {
            let mut names = Vec::new();
            for (name, _) in cookies {
                push_new(&mut names, name)?;
            }
            stripped.cookies = Some(Box::new((names, parts)));
        }
        // A longer target is refused for its length, soon after.
        if credentials.in_query()
            && let Some(target) = self.path.filter(|path| path.len() <= path::MAX_PATH_BYTES)
            && let Some(parts) =
                read_query(target, credentials, shown).map_err(refuse("too_many_parameters"))?
        {
            stripped.query = Some(Box::new(parts));
        }
        Ok(())
    }

    /// RFC 9110 section 7.6.1: the next hop removes every header that `Connection` lists. A client that lists one of
    /// ours would have it removed after we set it; such names are taken off the list.
    ///
    /// # Errors
    /// More spellings of `Connection` than are looked at.
    fn protect_from_connection(
        &mut self,
        lines: &[(&[u8], &[u8])],
        config: &Config,
    ) -> Result<(), Refusal> {
        let ours = |option: &[u8]| {
            config.identity_headers.covers(option)
                || config.credentials.role(option) != Role::None
                || config.credentials.in_cookies() && option.eq_ignore_ascii_case(b"cookie")
        };
        let options = || {
            lines
                .iter()
                .flat_map(|(_, value)| value.split(|byte| *byte == b','))
                .map(trim)
        };
        if !options().any(ours) {
            return Ok(());
        }
        let kept: Vec<_> = options()
            .filter(|option| {
                !option.is_empty()
                    && !ours(option)
                    && option.iter().all(|byte| is_token_char(*byte))
            })
            .map(String::from_utf8_lossy)
            .collect();
        // Every line goes; what remains is set anew as one.
        for (name, _) in lines {
            push_new(&mut self.stripped.remove, name)?;
        }
        self.stripped.connection = (!kept.is_empty()).then(|| kept.join(", ").into());
        Ok(())
    }
}

/// # Errors
/// More names than are compared with one another. Names fold together in every mark that is no letter or digit, so that one
/// client could spell ours in thousands of ways.
fn push_new(names: &mut Vec<Cow<'static, [u8]>>, name: &[u8]) -> Result<(), Refusal> {
    if names.iter().any(|known| **known == *name) {
        return Ok(());
    }
    if names.len() >= MOST_SPELLINGS {
        return Err(Refusal::because(
            Reason::HeaderMalformed,
            "header_spellings",
        ));
    }
    // The spelling that Envoy always gives needs no allocation.
    names.push(if name == b"authorization" {
        Cow::Borrowed(b"authorization")
    } else {
        Cow::Owned(name.to_vec())
    });
    Ok(())
}
