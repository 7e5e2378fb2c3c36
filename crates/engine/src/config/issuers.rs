//! Which anchor a token's issuer belongs to: by its name, or by what stands around its tenant.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::anchor::Anchor;

/// Most issuers with a place for a tenant. Each is compared with each other at load.
pub(super) const MOST_TEMPLATES: usize = 100;

/// Most slashes before a tenant.
pub(super) const MOST_SEGMENTS: usize = 16;

/// The issuers of a document. What a look-up costs does not grow with their number.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    exact: BTreeMap<Rc<str>, usize>,
    /// By what stands before the tenant, then by what stands after it.
    templates: BTreeMap<Box<str>, BTreeMap<Box<str>, Vec<usize>>>,
    anchors: Vec<Rc<Anchor>>,
}

/// An issuer that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found<'i> {
    /// The place of its anchor in the document.
    pub(crate) index: usize,
    pub(crate) tenant: Option<&'i str>,
}

impl Issuers {
    pub(super) fn new(anchors: &[Rc<Anchor>]) -> Self {
        let mut issuers = Self {
            anchors: anchors.to_vec(),
            ..Self::default()
        };
        for anchor in anchors {
            match anchor.template() {
                None => {
                    let name = Rc::clone(&anchor.issuer);
                    issuers.exact.insert(name, anchor.index);
                }
                Some(template) => {
                    let after = issuers.templates.entry(template.before().into());
                    let found = after.or_default().entry(template.after().into());
                    found.or_default().push(anchor.index);
                }
            }
        }
        issuers
    }

    /// The anchor of that name. No two match: the document would have been refused.
    pub(crate) fn find<'i>(&self, issuer: &'i str) -> Option<Found<'i>> {
        if let Some(index) = self.exact.get(issuer) {
            return Some(Found {
                index: *index,
                tenant: None,
            });
        }
        if !cfg!(feature = "tenants") || self.templates.is_empty() {
            return None;
        }
        let slashes = issuer.match_indices('/').map(|(at, _)| at);
        let mut tenants = slashes.take(MOST_SEGMENTS).filter_map(|at| {
            let (before, rest) = issuer.split_at_checked(at.saturating_add(1))?;
            let end = rest.find('/').unwrap_or(rest.len());
            let (tenant, after) = rest.split_at_checked(end)?;
            let anchors = self.templates.get(before)?.get(after)?;
            let index = anchors.iter().copied().find(|index| {
                let template = self
                    .anchors
                    .get(*index)
                    .and_then(|anchor| anchor.template());
                template.is_some_and(|template| template.has(tenant))
            })?;
            Some(Found {
                index,
                tenant: Some(tenant),
            })
        });
        tenants.next()
    }
}
