//! What stands for sharing in a build without it: `shared` is a mistake in the document, told with its place.

use portcullis_policy::Section;

use super::environment::Environment;

/// No such value can be made.
#[derive(Debug)]
pub(crate) enum Sharing {}

/// INVARIANT: reports a mistake.
pub(super) fn read(section: &mut Section<'_>, _environment: &dyn Environment) -> Option<Sharing> {
    for name in ["secret", "dangerous_inline_secret", "encoding"] {
        section.field(name);
    }
    section.problem_with_help(
        "lets workers share what they fetched, and this build cannot",
        "use token-guard.wasm, which can",
    );
    None
}
