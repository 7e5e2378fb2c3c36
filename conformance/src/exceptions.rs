//! Cases that end otherwise in the manner of a host: the table in `profiles.yaml`, and what is demanded of it.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use serde::Deserialize;

use crate::case::Case;

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    exceptions: Vec<Exception>,
}

/// Some cases on some hosts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    profiles: Vec<String>,
    /// These cases; or
    #[serde(default)]
    cases: Vec<String>,
    /// all cases of this world.
    world: Option<String>,
    why: String,
    /// Part of what a runner says about the case.
    says: String,
}

impl Exception {
    fn is_about(&self, profile: &str, case: &Case) -> bool {
        self.profiles.iter().any(|known| known == profile)
            && (self.cases.contains(&case.name) || self.world.as_ref() == Some(&case.world))
    }
}

impl Exceptions {
    /// Reads the table, and demands that it is about profiles and cases that there are, each once.
    pub fn load(profiles: &[&str], cases: &[Case]) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles.yaml");
        let table: Self = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
        table.check(profiles, cases)?;
        Ok(table)
    }

    fn check(&self, profiles: &[&str], cases: &[Case]) -> Result<()> {
        for exception in &self.exceptions {
            ensure!(
                exception.why.len() > 20 && exception.says.len() > 8,
                "an exception says why, and what is said instead: {exception:?}"
            );
            ensure!(
                exception.cases.is_empty() == exception.world.is_some(),
                "an exception has `cases` or `world`: {exception:?}"
            );
            for profile in &exception.profiles {
                ensure!(profiles.contains(&profile.as_str()), "no profile {profile}");
            }
            for name in &exception.cases {
                ensure!(
                    cases.iter().any(|case| case.name == *name),
                    "no case {name}"
                );
            }
        }
        for profile in profiles {
            for case in cases {
                let about = |exception: &&Exception| exception.is_about(profile, case);
                let times = self.exceptions.iter().filter(about).count();
                ensure!(times < 2, "{profile}: {} is listed twice", case.name);
            }
        }
        Ok(())
    }

    /// Judges how a case ended on a host: as natively, or as the table says.
    pub fn judge(&self, profile: &str, case: &Case, played: Result<()>) -> Result<()> {
        let listed = self
            .exceptions
            .iter()
            .find(|exception| exception.is_about(profile, case));
        match (listed, played) {
            (None, played) => played,
            (Some(exception), Ok(())) => {
                bail!(
                    "is listed as an exception ({}), but ends as natively",
                    exception.why
                )
            }
            (Some(exception), Err(error)) => {
                let said = format!("{error:#}");
                ensure!(
                    said.contains(&exception.says),
                    "is listed with {:?}, but says: {said}",
                    exception.says
                );
                Ok(())
            }
        }
    }

    /// How many cases of a host are listed.
    pub fn on(&self, profile: &str, cases: &[Case]) -> usize {
        let listed = |case: &&Case| {
            let mut exceptions = self.exceptions.iter();
            exceptions.any(|exception| exception.is_about(profile, case))
        };
        cases.iter().filter(listed).count()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::case;

    fn table(cases: &str) -> Exceptions {
        let text = format!(
            "exceptions: [{{profiles: [p], {cases}, why: because it is so over there, says: \"that it differs\"}}]"
        );
        serde_saphyr::from_str(&text).unwrap()
    }

    #[test]
    fn a_listed_case_must_differ_and_say_so() {
        let cases = case::load().unwrap();
        let (listed, other) = (&cases[0], &cases[1]);
        let table = table(&format!("cases: [{}]", listed.name));
        table.check(&["p"], &cases).unwrap();
        let differs = || Err(anyhow!("it said that it differs"));
        assert!(table.judge("p", listed, differs()).is_ok());
        assert!(table.judge("p", listed, Ok(())).is_err(), "it passes now");
        assert!(
            table
                .judge("p", listed, Err(anyhow!("something else")))
                .is_err()
        );
        assert!(table.judge("p", other, differs()).is_err());
        assert!(table.judge("q", listed, differs()).is_err());
        assert!(table.judge("q", listed, Ok(())).is_ok());
        assert_eq!((table.on("p", &cases), table.on("q", &cases)), (1, 0));
    }

    #[test]
    fn what_is_listed_exists() {
        let cases = case::load().unwrap();
        assert!(
            table("cases: [no_such_case]")
                .check(&["p"], &cases)
                .is_err()
        );
        assert!(table("world: main").check(&["q"], &cases).is_err());
        // One that names neither cases nor a world would list nothing.
        assert!(table("cases: []").check(&["p"], &cases).is_err());
    }
}
