//! References in texts: `${NAME}` is a token, `${jwk:NAME}` a public key, `${jwks:NAME,NAME}` a key set, `${#}` the number of the
//! request.

use super::document::{At, Problems};
use super::keys::Keys;
use super::tokens::Tokens;

/// Everything that a text can refer to, and the second at which tokens are made.
#[derive(Clone, Copy)]
pub(crate) struct Names<'s> {
    pub(crate) keys: &'s Keys,
    pub(crate) tokens: &'s Tokens,
    pub(crate) now: u64,
    /// Number of the request: 1, except where a scenario sends many.
    pub(crate) number: u64,
}

/// Stands for the number of the request, in texts and in tokens.
pub(crate) const NUMBER: &str = "${#}";

impl Names<'_> {
    /// The text with its references replaced. `$${` is a literal `${`.
    pub(crate) fn fill(&self, text: &str) -> Result<String, String> {
        self.replace(text, |name| Err(format!("there is no token `{name}`")))
    }

    /// As [`Names::fill`], but an unknown reference stays: a configuration may have its own, like `${env:NAME}`.
    pub(crate) fn fill_known(&self, text: &str) -> Result<String, String> {
        self.replace(text, |name| Ok(format!("${{{name}}}")))
    }

    /// Says which references lead nowhere.
    pub(crate) fn check(&self, text: &str, at: At, problems: &mut Problems) {
        if text.contains("${")
            && let Err(message) = self.fill(text)
        {
            problems.add(at, message);
        }
    }

    fn replace(
        &self,
        text: &str,
        unknown: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                filled.push_str(before);
                filled.push_str("${");
                rest = after;
                continue;
            }
            let Some((name, behind)) = after.split_once('}') else {
                return Err("`${` without `}`".to_owned());
            };
            filled.push_str(before);
            filled.push_str(&match name.split_once(':') {
                Some(("jwks", names)) => {
                    self.keys.set(names.split(',').map(str::trim))?.to_string()
                }
                Some(("jwk", name)) => match self.keys.get(name) {
                    Some(key) => key.jwk.to_string(),
                    None => return Err(format!("there is no key `{name}`")),
                },
                _ if name == "#" => self.number.to_string(),
                _ if self.tokens.has(name) => {
                    self.tokens.get(name, self.now, self.number, self.keys)?
                }
                _ => unknown(name)?,
            });
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_references_are_errors_or_stay() {
        let names = Names {
            keys: &Keys::default(),
            tokens: &Tokens::default(),
            now: 0,
            number: 7,
        };
        assert_eq!(names.fill("a${#}b"), Ok("a7b".to_owned()));
        assert_eq!(names.fill("a $${b} c $ {"), Ok("a ${b} c $ {".to_owned()));
        assert!(names.fill("${x}").is_err());
        assert!(names.fill("${jwk:x}").is_err());
        assert!(names.fill("${x").is_err());
        assert_eq!(
            names.fill_known("${env:A}${x}"),
            Ok("${env:A}${x}".to_owned())
        );
    }
}
