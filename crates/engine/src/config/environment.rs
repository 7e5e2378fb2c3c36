//! The variables that the host gives its filters.

/// Where `${env:NAME}` is looked up.
pub trait Environment {
    /// The value of a variable. Whoever asks wipes it.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
}

/// No variables at all.
pub(crate) struct NoEnvironment;

impl Environment for NoEnvironment {
    fn variable(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}

/// The name in `${env:NAME}`, if a text is that and nothing else.
#[cfg(feature = "more-algorithms")]
pub(crate) fn reference(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${env:")?.strip_suffix('}')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
}
