//! The host's variables for the document, read when it names the first one.

use std::cell::OnceCell;

use portcullis_abi::{Host, Variable};
use portcullis_engine::Environment;

/// The environment of this VM.
pub(crate) struct HostEnvironment<'h, 'c> {
    host: &'h Host<'c>,
    variables: OnceCell<Vec<Variable>>,
}

impl<'h, 'c> HostEnvironment<'h, 'c> {
    pub(crate) const fn of(host: &'h Host<'c>) -> Self {
        Self {
            host,
            variables: OnceCell::new(),
        }
    }
}

impl Environment for HostEnvironment<'_, '_> {
    /// A host that gives no environment has no variables: the document's mistake is told at its place.
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        let variables = self
            .variables
            .get_or_init(|| self.host.environment().unwrap_or_default());
        let mut found = variables
            .iter()
            .filter(|(known, _)| known == name.as_bytes());
        found.next().map(|(_, value)| value.to_vec())
    }
}
