//! `StringMatcher`: a text exactly, from a file, or by regular expression over the whole of it, and the absence of one.

use regex_lite::Regex;

use crate::cases::document::{At, Problems};

use super::fields::Message;
use super::input::Files;

/// What must, or must not, be among some texts.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) at: At,
    invert: bool,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    Exactly(Vec<u8>),
    Matches { source: String, whole: Regex },
}

impl Matcher {
    pub(super) fn read(
        mut message: Message<'_>,
        files: &Files<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let at = message.at;
        let invert = message.one("invert", problems);
        let invert = invert.and_then(|one| one.flag(problems)).unwrap_or(false);
        let one = message.oneof(&["exact", "regex", "file"], problems);
        message.finish(problems);
        let Some(one) = one else {
            problems.add(at, "a StringMatcher needs `exact`, `regex` or `file`");
            return None;
        };
        let wanted = match one.name {
            "regex" => {
                let source = one.text(problems)?;
                match Regex::new(&format!("\\A(?:{source})\\z")) {
                    Ok(whole) => Wanted::Matches { source, whole },
                    Err(error) => {
                        problems.add(one.at, format!("`regex`: {error}"));
                        return None;
                    }
                }
            }
            "file" => Wanted::Exactly(files.read(&one, problems)?),
            _ => Wanted::Exactly(one.bytes(problems)?),
        };
        Some(Self { at, invert, wanted })
    }

    /// Whether one of the texts is what is wanted; turned round when its absence is.
    pub(super) fn holds<'t>(&self, mut texts: impl Iterator<Item = &'t [u8]>) -> bool {
        let found = texts.any(|text| match &self.wanted {
            Wanted::Exactly(wanted) => text == wanted,
            Wanted::Matches { whole, .. } => whole.is_match(&String::from_utf8_lossy(text)),
        });
        found != self.invert
    }

    /// In words, for a report.
    pub(super) fn describe(&self) -> String {
        let wanted = match &self.wanted {
            Wanted::Exactly(wanted) => format!("{:?}", String::from_utf8_lossy(wanted)),
            Wanted::Matches { source, .. } => format!("/{source}/, the whole of it"),
        };
        if self.invert {
            format!("no {wanted}")
        } else {
            wanted
        }
    }
}
