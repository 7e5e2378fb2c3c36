//! The copy of the tree that mutations are applied to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::patch::Mutation;
use crate::run::output;
use crate::workspace::{Workspace, write_if_changed};

/// A folder that holds the repository's files as they are now.
pub(crate) struct Copy {
    root: PathBuf,
}

impl Copy {
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the copy equal again. Only files that differ are written: cargo rebuilds what they belong to.
    pub(crate) fn sync(&self, workspace: &Workspace) -> Result<usize> {
        let mut renewed = 0;
        let files: BTreeSet<PathBuf> = workspace.files()?.into_iter().collect();
        for file in &files {
            let content = fs::read(workspace.root().join(file))
                .with_context(|| format!("reading {}", file.display()))?;
            renewed += usize::from(write_if_changed(&self.root.join(file), &content)?);
        }
        for file in files_under(&self.root)? {
            if !files.contains(file.strip_prefix(&self.root)?) {
                fs::remove_file(&file)?;
                renewed += 1;
            }
        }
        Ok(renewed)
    }

    /// Applies the patch; the whole of it or an error.
    pub(crate) fn apply(&self, mutation: &Mutation) -> Result<()> {
        let mut git = Command::new("git");
        // Inside the outer repository git would take the paths for the outer tree's and pass them over.
        let ceiling = self.root.parent().unwrap_or(&self.root);
        git.current_dir(&self.root)
            .env("GIT_CEILING_DIRECTORIES", ceiling)
            .arg("apply")
            .arg(&mutation.file);
        output(&mut git).context("the patch no longer applies; renew it")?;
        Ok(())
    }
}

fn files_under(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?
        {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_applied_and_undone() {
        let workspace = Workspace::here().unwrap();
        let copy =
            Copy::at(std::env::temp_dir().join(format!("xtask-tree-{}", std::process::id())));
        assert!(copy.sync(&workspace).unwrap() > 10);
        assert_eq!(copy.sync(&workspace).unwrap(), 0);

        let license = fs::read_to_string(workspace.path("LICENSE")).unwrap();
        let lines: Vec<&str> = license.lines().take(4).collect();
        let file = copy.root().with_extension("patch");
        let (first, rest) = (lines[0], lines[1..].join("\n "));
        let hunk = format!("@@ -1,4 +1,4 @@\n-{first}\n+changed\n {rest}\n");
        fs::write(
            &file,
            format!("# a header\n--- a/LICENSE\n+++ b/LICENSE\n{hunk}"),
        )
        .unwrap();
        let mutation = Mutation {
            name: "x".into(),
            file: file.clone(),
            invariant: "1".into(),
            breaks: String::new(),
            test: "cargo test x".into(),
            needs_filter: false,
        };
        copy.apply(&mutation).unwrap();
        assert!(
            fs::read_to_string(copy.root().join("LICENSE"))
                .unwrap()
                .starts_with("changed\n")
        );
        assert!(copy.apply(&mutation).is_err(), "it fits only once");

        assert_eq!(copy.sync(&workspace).unwrap(), 1);
        assert_eq!(
            fs::read_to_string(copy.root().join("LICENSE")).unwrap(),
            license
        );
        fs::remove_dir_all(copy.root()).unwrap();
        fs::remove_file(file).unwrap();
    }
}
