//! A file of tests as it was read: a suite of our own language, or one of Google's.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::google;
use crate::module::Module;
use crate::profile::HostProfile;

use super::document::{self, At, Problem};
use super::play::play;
use super::report::{CaseReport, Verdict};
use super::steps::Case;
use super::suite::{self, Suite};

/// A file.
pub(crate) enum Loaded {
    Own(Box<Suite>),
    Google {
        suite: Box<google::Suite>,
        configuration: Vec<u8>,
        /// Files that were read beside it.
        files: Vec<PathBuf>,
    },
}

/// One case of a file.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'s> {
    Own(&'s Suite, &'s Case),
    Google(&'s google::Suite, &'s google::Test, &'s [u8]),
}

impl Loaded {
    /// Reads a file, of the kind that its name or its content shows. `config` is for Google's files only.
    pub(crate) fn read(path: &Path, config: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let problem = |at: At, message: String| {
            vec![Problem {
                file: path.to_owned(),
                line: at.line,
                column: at.column,
                message,
            }]
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| problem(At::default(), error.to_string()))?;
        let suite = if google::is_textproto(path) {
            google::read_textproto(path, &text)?
        } else {
            let node = document::parse(&text).map_err(|(at, message)| problem(at, message))?;
            if !google::is_suite(&node) {
                return match config {
                    None => Ok(Self::Own(Box::new(suite::read_parsed(path, &node)?))),
                    Some(_) => Err(problem(
                        At::default(),
                        "--config is for Google's test files; a suite names its own `config`"
                            .to_owned(),
                    )),
                };
            }
            google::read_yaml(path, &node)?
        };
        let config: Option<PathBuf> = config.map(Path::to_owned).or(suite.env.config.clone());
        let files = config.iter().cloned().collect();
        let configuration = match config {
            None => Vec::new(),
            Some(file) => std::fs::read(&file).map_err(|error| {
                problem(At::default(), format!("config {}: {error}", file.display()))
            })?,
        };
        Ok(Self::Google {
            suite: Box::new(suite),
            configuration,
            files,
        })
    }

    /// Files that were read beside the file itself and the filter.
    pub(crate) fn files(&self) -> &[PathBuf] {
        match self {
            Self::Own(suite) => &suite.files,
            Self::Google { files, .. } => files,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Own(suite) => &suite.path,
            Self::Google { suite, .. } => &suite.path,
        }
    }

    /// The filter that the file names.
    pub(crate) fn wasm(&self) -> Option<&Path> {
        match self {
            Self::Own(suite) => suite.wasm.as_deref(),
            Self::Google { suite, .. } => suite.env.wasm.as_deref(),
        }
    }

    /// Which host the file wants to run in the manner of.
    pub(crate) fn profile(&self) -> HostProfile {
        match self {
            Self::Own(suite) => suite.profile,
            Self::Google { .. } => HostProfile::GOOGLE,
        }
    }

    pub(crate) fn pieces(&self) -> Vec<Piece<'_>> {
        match self {
            Self::Own(suite) => {
                let cases = suite.cases.iter();
                cases.map(|case| Piece::Own(suite, case)).collect()
            }
            Self::Google {
                suite,
                configuration,
                ..
            } => {
                let tests = suite.tests.iter();
                let piece = |test| Piece::Google(suite, test, configuration.as_slice());
                tests.map(piece).collect()
            }
        }
    }
}

impl Piece<'_> {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Own(_, case) => &case.name,
            Self::Google(_, test, _) => &test.name,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Own(suite, _) => &suite.path,
            Self::Google(suite, ..) => &suite.path,
        }
    }

    /// Plays it. `limited`: under the limits of the module's host, even if the file's own runner knows none.
    pub(crate) fn play(&self, module: &Module, limited: bool) -> CaseReport {
        let began = Instant::now();
        let (line, played) = match self {
            Self::Own(suite, case) => (case.at.line, play(suite, case, module)),
            Self::Google(suite, test, configuration) => (
                test.at.line,
                google::play(suite, test, module, configuration, limited),
            ),
        };
        let verdict = if played.mismatches.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed
        };
        CaseReport {
            file: self.path().to_owned(),
            line,
            name: self.name().to_owned(),
            verdict,
            mismatches: played.mismatches,
            logs: played.logs,
            log_path: self.log_path().map(Path::to_owned),
            elapsed: began.elapsed(),
        }
    }

    /// Where the file wants the plugin's lines written.
    fn log_path(&self) -> Option<&Path> {
        match self {
            Self::Own(..) => None,
            Self::Google(suite, ..) => suite.env.log_path.as_deref(),
        }
    }
}
