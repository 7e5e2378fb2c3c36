//! `Input`: what a phase is given, from fields, from text or from a file beside the test file.

use std::path::{Path, PathBuf};

use crate::cases::document::Problems;
use crate::http::Headers;

use super::fields::{Message, One};
use super::http1::{self, Head};

/// Files that a test file names.
pub(super) struct Files<'f> {
    /// The test file.
    pub(super) beside: &'f Path,
}

impl Files<'_> {
    /// A path seen from the test file's directory.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.beside.parent().unwrap_or(Path::new("")).join(file)
    }

    pub(super) fn read(&self, one: &One<'_>, problems: &mut Problems) -> Option<Vec<u8>> {
        let file = one.text(problems)?;
        match std::fs::read(self.path(&file)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                problems.add(one.at, format!("{file}: {error}"));
                None
            }
        }
    }
}

/// What an input says; of its three fields the runner takes the first that is there: file, content, header.
#[derive(Debug, Default)]
struct Input {
    /// A file's or the given content.
    content: Option<Vec<u8>>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Input {
    fn read(mut message: Message<'_>, files: &Files<'_>, problems: &mut Problems) -> Self {
        let mut input = Self::default();
        for mut header in message.messages("header", "Header", problems) {
            let name = header.one("key", problems);
            let value = header.one("value", problems);
            input.fields.push((
                name.and_then(|one| one.bytes(problems)).unwrap_or_default(),
                value
                    .and_then(|one| one.bytes(problems))
                    .unwrap_or_default(),
            ));
            header.finish(problems);
        }
        let content = message.one("content", problems);
        let content = content.and_then(|one| one.bytes(problems));
        let file = message.one("file", problems);
        let file = file.and_then(|one| files.read(&one, problems));
        input.content = file.or(content.filter(|content| !content.is_empty()));
        message.finish(problems);
        input
    }
}

/// The input of a headers phase.
pub(super) fn headers(
    message: Option<Message<'_>>,
    head: Head,
    files: &Files<'_>,
    problems: &mut Problems,
) -> Headers {
    let Some(message) = message else {
        return Headers::joined();
    };
    let at = message.at;
    let input = Input::read(message, files, problems);
    if let Some(content) = input.content {
        return match http1::parse(&content, head) {
            Ok(headers) => headers,
            Err(why) => {
                problems.add(at, why);
                Headers::joined()
            }
        };
    }
    let mut headers = Headers::joined();
    for (name, value) in input.fields {
        headers.add(name, value);
    }
    headers
}

/// The input of a body phase, before it is cut.
pub(super) fn body(
    message: Option<Message<'_>>,
    files: &Files<'_>,
    problems: &mut Problems,
) -> Vec<u8> {
    let input = message.map(|message| Input::read(message, files, problems));
    input.and_then(|input| input.content).unwrap_or_default()
}
