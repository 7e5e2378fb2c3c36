//! Files stay near 150 lines; past 500 without their tests they are split by idea.

use anyhow::Result;

use super::source::Source;
use super::{Finding, Tree};

/// Lines without tests.
const LIMIT: usize = 500;

/// Checks every Rust file that is no test.
pub(super) fn check(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    Ok(tree.sources.iter().filter_map(judge).collect())
}

fn judge(source: &Source) -> Option<Finding> {
    let lines = source.code_outside_tests().count();
    (lines > LIMIT).then(|| {
        Finding::new(
            &source.file,
            0,
            format!("{lines} lines without tests, over {LIMIT}: split it by idea"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        let code = "fn f() {}\n".repeat(LIMIT);
        let tests = format!(
            "#[cfg(test)]\nmod tests {{\n{}}}\n",
            "    fn g() {}\n".repeat(LIMIT)
        );
        assert!(judge(&Source::new("a.rs".into(), format!("{code}{tests}"))).is_none());
        assert!(
            judge(&Source::new(
                "a.rs".into(),
                format!("{code}fn one() {{}}\n{tests}")
            ))
            .is_some()
        );
        assert!(judge(&Source::new("x/tests/a.rs".into(), code.repeat(3))).is_none());
    }
}
