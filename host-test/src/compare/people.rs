//! Who called: the tokens of a file of test cases in the place of those that nobody recorded.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;

use crate::cases::suite::Suite;
use crate::cases::text::Names;

use super::Seen;

/// No token of anybody.
pub(super) const GARBAGE: &str = "compare.no.token";

/// In whose name a recorded request is played.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// Nothing is shown.
    Nobody,
    /// The token of that name.
    Token(String),
    /// A token that is bad in its form.
    BadToken,
    /// Somebody of whom there is no token.
    Unknown(String),
}

impl Caller {
    pub(super) fn show(&self) -> String {
        match self {
            Self::Nobody => "no token".to_owned(),
            Self::Token(name) => format!("token {name}"),
            Self::BadToken => "a bad token".to_owned(),
            Self::Unknown(who) => who.clone(),
        }
    }
}

/// The tokens, minted.
#[derive(Debug, Default)]
pub(super) struct People {
    tokens: Vec<Person>,
}

struct Person {
    name: String,
    token: String,
    /// None for a text that is no token.
    claims: Json,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl People {
    /// Mints every token of the file.
    pub(super) fn of(suite: &Suite) -> Result<Self, String> {
        let now = suite.cases.first().map_or(0, |case| case.clock);
        let names = Names {
            keys: &suite.keys,
            tokens: &suite.tokens,
            now,
            number: 1,
        };
        let minted = suite.tokens.names().map(|name| {
            let token = names.tokens.get(name, now, 1, names.keys)?;
            Ok(Person {
                name: name.to_owned(),
                claims: claims(&token).unwrap_or_default(),
                token,
            })
        });
        Ok(Self {
            tokens: minted.collect::<Result<_, String>>()?,
        })
    }

    pub(super) fn token(&self, name: &str) -> Option<&str> {
        let mut tokens = self.tokens.iter();
        let found = tokens.find(|person| person.name == name)?;
        Some(&found.token)
    }

    /// In whose names a request is to be played; never nobody at all.
    pub(super) fn callers(&self, seen: &Seen) -> Vec<Caller> {
        let token = |person: &Person| Caller::Token(person.name.clone());
        match seen {
            Seen::Nobody => vec![Caller::Nobody],
            Seen::BadToken => vec![Caller::BadToken],
            Seen::Untold(decided) => vec![Caller::Unknown(format!("whoever got {decided}"))],
            Seen::Anyone => {
                let tokens = self.tokens.iter().map(token);
                std::iter::once(Caller::Nobody).chain(tokens).collect()
            }
            Seen::Identity {
                issuer,
                subject,
                client,
            } => {
                let matching = |person: &&Person| {
                    let is = |claim: &str, value: &Option<String>| {
                        person.claims.get(claim).and_then(Json::as_str) == value.as_deref()
                    };
                    let of_client =
                        client.is_none() || is("client_id", client) || is("azp", client);
                    is("iss", &Some(issuer.clone())) && is("sub", subject) && of_client
                };
                let tokens: Vec<Caller> = self.tokens.iter().filter(matching).map(token).collect();
                if tokens.is_empty() {
                    let subject = subject.as_deref().unwrap_or("nobody by name");
                    return vec![Caller::Unknown(format!("{issuer}|{subject}"))];
                }
                tokens
            }
        }
    }
}

fn claims(token: &str) -> Option<Json> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}
