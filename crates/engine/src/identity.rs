//! Who a verified token speaks for. Identity only: whether that is enough is decided anew for every request.

use std::cell::Cell;
use std::rc::Rc;

use portcullis_jose::Claims;

use crate::config::Anchor;

/// What a token said whose signature was verified by a key of the issuer that it names.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) anchor: Rc<Anchor>,
    pub(crate) claims: Claims,
    pub(crate) audiences: Vec<String>,
    pub(crate) scopes: Vec<String>,
    /// The identity headers' names and values, or the name of the header whose claim is unfit.
    pub(crate) headers: Result<Rc<[(Rc<str>, Box<str>)]>, &'static str>,
    /// Cleared when the key that verified this leaves the issuer's key set.
    pub(crate) alive: Rc<Cell<bool>>,
}
