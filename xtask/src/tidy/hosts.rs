//! No registry's, mirror's or workplace's name in the repository: it builds wherever cargo, npm and pip are set up.

use anyhow::Result;

use super::{Finding, Tree};

/// Host names, written apart so that this file does not accuse itself. Cargo's own lock-file line is none of them.
const HOSTS: [&str; 11] = [
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "npmjs.com"),
    concat!("registry.", "yarnpkg.com"),
    concat!("npm", "mirror.com"),
    concat!("pypi", ".org"),
    concat!("files.", "pythonhosted.org"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("static.", "rust-lang.org"),
    concat!("deb.", "debian.org"),
    concat!("proxy.", "golang.org"),
];
/// Folders of a person's or a machine's own.
const FOLDERS: [&str; 4] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("../sha", "red/"),
];

/// Checks every file that is text and below 4 MiB.
pub(super) fn check(tree: &Tree<'_>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let path = tree.workspace.root().join(file);
        let small = std::fs::metadata(&path).is_ok_and(|data| data.len() < 4 * 1024 * 1024);
        if let Some(text) = small.then(|| std::fs::read_to_string(&path).ok()).flatten() {
            findings.extend(judge(file, &text));
        }
    }
    Ok(findings)
}

fn judge(file: &std::path::Path, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(host) = HOSTS.iter().find(|host| line.contains(*host)) {
            let text = format!(
                "`{host}` ties the build to one server. In a package-lock.json: npm config set \
                 omit-lockfile-registry-resolved true, then npm install; elsewhere name the package only"
            );
            findings.push(Finding::new(file, number, text));
        }
        if let Some(folder) = FOLDERS.iter().find(|folder| line.contains(*folder)) {
            findings.push(Finding::new(
                file,
                number,
                format!("`{folder}` is no place of this repository"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_foreign_folders_are_found() {
        let text = format!(
            "fine\n\"resolved\": \"https://{}/jose\"\nfile {}me/x\n",
            HOSTS[0], FOLDERS[1]
        );
        let lines: Vec<_> = judge("package-lock.json".as_ref(), &text)
            .iter()
            .map(|finding| finding.line)
            .collect();
        assert_eq!(lines, [2, 3]);
    }
}
