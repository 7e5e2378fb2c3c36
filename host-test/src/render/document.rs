//! The filter's configuration as it was written: its text, its tree, where it wants to call out, which variables it reads.

use std::collections::BTreeMap;

use super::destination::Destination;
use super::tree::Tree;
use super::{Mistake, Wishes};
use crate::cases::document::{At, Node, Value, parse};

/// A configuration, read.
#[derive(Debug)]
pub(super) struct Document {
    /// As it was written.
    pub(super) text: String,
    tree: Tree,
    /// By the name that the document gives them.
    pub(super) destinations: BTreeMap<String, Destination>,
    /// Names in `${env:NAME}`, sorted.
    pub(super) variables: Vec<String>,
}

impl Document {
    /// Reads YAML or JSON. A destination is an object with `cluster` and `uri`, or one of `--cluster`.
    pub(super) fn read(text: &str, wishes: &Wishes) -> Result<Self, Mistake> {
        let root = parse(text).map_err(|(at, why)| Mistake::at(at, why))?;
        let mut found = Found {
            destinations: BTreeMap::new(),
            issuer: None,
            variables: Vec::new(),
        };
        for (name, url) in &wishes.clusters {
            let destination = Destination::parse(url)
                .map_err(|why| Mistake::new(format!("--cluster {name}={url}: {why}")))?;
            found.destinations.insert(name.clone(), destination);
        }
        let tree = found.tree(&root)?;
        if !matches!(tree, Tree::Map(_)) {
            return Err(Mistake::at(root.at, "the configuration must be a map"));
        }
        found.variables.sort();
        found.variables.dedup();
        Ok(Self {
            text: text.to_owned(),
            tree,
            destinations: found.destinations,
            variables: found.variables,
        })
    }

    /// The document with its clusters called as the host calls them.
    pub(super) fn tree(&self, name: impl Fn(&str, &Destination) -> String) -> Tree {
        renamed(&self.tree, &|cluster| {
            self.destinations
                .get(cluster)
                .map(|destination| name(cluster, destination))
        })
    }
}

/// Hosts that read the document as a protobuf `Struct` hold every number as a double.
pub(super) fn fits_doubles(tree: &Tree) -> Result<(), Mistake> {
    const LARGEST: u64 = 1 << 53;
    match tree {
        Tree::Number(digits) => match digits.parse::<i64>() {
            Ok(number) if number.unsigned_abs() > LARGEST => Err(Mistake::new(format!(
                "{digits} is larger than the numbers that this host keeps exactly (2^53): write it in quotes"
            ))),
            _ => Ok(()),
        },
        Tree::List(items) => items.iter().try_for_each(fits_doubles),
        Tree::Map(fields) => fields.iter().try_for_each(|(_, value)| fits_doubles(value)),
        _ => Ok(()),
    }
}

fn renamed(tree: &Tree, name: &dyn Fn(&str) -> Option<String>) -> Tree {
    match tree {
        Tree::List(items) => Tree::List(items.iter().map(|item| renamed(item, name)).collect()),
        Tree::Map(fields) => Tree::Map(
            fields
                .iter()
                .map(|(key, value)| match value {
                    Tree::Text(cluster) if key == "cluster" => {
                        let text = name(cluster).unwrap_or_else(|| cluster.clone());
                        (key.clone(), Tree::Text(text))
                    }
                    Tree::Map(origins) if key == "clusters" => {
                        let each = |(origin, cluster): &(String, Tree)| match cluster {
                            Tree::Text(cluster) => {
                                let text = name(cluster).unwrap_or_else(|| cluster.clone());
                                (origin.clone(), Tree::Text(text))
                            }
                            other => (origin.clone(), renamed(other, name)),
                        };
                        (key.clone(), Tree::Map(origins.iter().map(each).collect()))
                    }
                    value => (key.clone(), renamed(value, name)),
                })
                .collect(),
        ),
        leaf => leaf.clone(),
    }
}

struct Found {
    destinations: BTreeMap<String, Destination>,
    /// `issuer` of the innermost object that has one: where a cluster without `uri` is.
    issuer: Option<String>,
    variables: Vec<String>,
}

impl Found {
    fn tree(&mut self, node: &Node) -> Result<Tree, Mistake> {
        Ok(match &node.value {
            Value::Scalar { text, plain } => {
                let tree = scalar(text, *plain, node.at)?;
                if let Tree::Text(text) = &tree {
                    self.read_variables(text);
                }
                tree
            }
            Value::List(items) => Tree::List(
                items
                    .iter()
                    .map(|item| self.tree(item))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Map(entries) => {
                let outer = self.issuer.clone();
                if let Some(issuer) = entries.iter().find_map(issuer_of) {
                    self.issuer = Some(issuer);
                }
                let fields = entries
                    .iter()
                    .map(|(key, _, value)| Ok((key.clone(), self.tree(value)?)))
                    .collect::<Result<Vec<_>, Mistake>>()?;
                self.read_destination(&fields, node.at)?;
                self.issuer = outer;
                Tree::Map(fields)
            }
        })
    }

    fn read_destination(&mut self, fields: &[(String, Tree)], at: At) -> Result<(), Mistake> {
        let text = |name: &str| {
            fields.iter().find_map(|(key, value)| match value {
                Tree::Text(text) if key == name => Some(text.as_str()),
                _ => None,
            })
        };
        for (key, value) in fields {
            if let (true, Tree::Map(origins)) = (key == "clusters", value) {
                for (origin, cluster) in origins {
                    if let Tree::Text(cluster) = cluster {
                        self.place(cluster, origin, at)?;
                    }
                }
            }
        }
        let Some(cluster) = text("cluster") else {
            return Ok(());
        };
        let uri = text("uri").or(self.issuer.as_deref());
        match uri.map(str::to_owned) {
            Some(uri) => self.place(cluster, &uri, at),
            None if self.destinations.contains_key(cluster) => Ok(()),
            None => Err(Mistake::at(
                at,
                format!("nothing says where cluster `{cluster}` is: add --cluster {cluster}=URL"),
            )),
        }
    }

    /// Notes where a cluster is: one origin, wherever the document names it.
    fn place(&mut self, cluster: &str, uri: &str, at: At) -> Result<(), Mistake> {
        let destination =
            Destination::parse(uri).map_err(|why| Mistake::at(at, format!("{uri}: {why}")))?;
        let Some(known) = self.destinations.get(cluster) else {
            self.destinations.insert(cluster.to_owned(), destination);
            return Ok(());
        };
        if known.is_same_origin(&destination) {
            return Ok(());
        }
        Err(Mistake::at(
            at,
            format!(
                "cluster `{cluster}` is {known} elsewhere and {destination} here: give each origin its own"
            ),
        ))
    }

    fn read_variables(&mut self, text: &str) {
        for rest in text.split("${env:").skip(1) {
            if let Some((name, _)) = rest.split_once('}')
                && !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                self.variables.push(name.to_owned());
            }
        }
    }
}

/// The URL in an `issuer` field.
fn issuer_of((key, _, value): &(String, At, Node)) -> Option<String> {
    match &value.value {
        Value::Scalar { text, .. } if key == "issuer" && text.contains("://") => Some(text.clone()),
        _ => None,
    }
}

/// A scalar by YAML 1.2's core schema; a number keeps its digits where JSON writes numbers so.
fn scalar(text: &str, plain: bool, at: At) -> Result<Tree, Mistake> {
    if !plain {
        return Ok(Tree::Text(text.to_owned()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Tree::Null),
        "true" | "True" | "TRUE" => return Ok(Tree::Flag(true)),
        "false" | "False" | "FALSE" => return Ok(Tree::Flag(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins_as_number =
        unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if !begins_as_number {
        return Ok(Tree::Text(text.to_owned()));
    }
    let unclear = || {
        let why = format!(
            "readers of YAML differ on what {text} is: write a plain number, or quotes for text"
        );
        Err(Mistake::at(at, why))
    };
    let is_json = serde_json::from_str::<serde_json::Value>(text).is_ok_and(|it| it.is_number());
    if is_json {
        return Ok(Tree::Number(text.to_owned()));
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let radix = |prefix: &str, radix: u32| {
        let digits = text.strip_prefix(prefix)?;
        i64::from_str_radix(digits, radix).ok()
    };
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Ok(Tree::Number(number.to_string()));
    }
    // `+1`, `.5`, `01`, `.inf`: numbers to YAML and none to JSON, or to one YAML and not to the other.
    if digits(unsigned)
        || text.parse::<f64>().is_ok()
        || matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan")
    {
        return unclear();
    }
    Ok(Tree::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Document, String> {
        Document::read(text, &Wishes::default()).map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn numbers_and_texts_stay_what_they_are() {
        let document = read(
            "version: 1\nlarge: 9007199254740993\nhalf: 0.50\nhex: 0x10\ntext: '1'\nword: no\ntime: 10m\nnone: ~\nflag: True\n",
        )
        .unwrap();
        assert_eq!(
            document.tree(|name, _| name.to_owned()).json(),
            r#"{"version":1,"large":9007199254740993,"half":0.50,"hex":16,"text":"1","word":"no","time":"10m","none":null,"flag":true}"#
        );
        assert!(
            fits_doubles(&document.tree)
                .unwrap_err()
                .to_string()
                .contains("9007199254740993")
        );
        for unclear in ["a: 01", "a: +1", "a: .5", "a: .inf", "a: 1."] {
            assert!(read(unclear).unwrap_err().contains("differ"), "{unclear}");
        }
    }

    #[test]
    fn destinations_and_variables_are_found() {
        let text = "issuers:\n  - jwks: { uri: 'https://login.example.com/keys', cluster: login }\n    secret: '${env:A_B}-${env:C}-${env:A_B}${env:}'\n";
        let document = read(text).unwrap();
        assert_eq!(document.variables, ["A_B", "C"]);
        let login = &document.destinations["login"];
        assert_eq!(
            (login.host.as_str(), login.port, login.path.as_str()),
            ("login.example.com", 443, "/keys")
        );
        let renamed = document
            .tree(|name, it| format!("{name}|{}", it.host))
            .json();
        assert!(
            renamed.contains(r#""cluster":"login|login.example.com""#),
            "{renamed}"
        );
    }

    #[test]
    fn discovery_is_at_the_issuer_and_at_the_origins_that_it_names() {
        let text = "issuers:\n  - issuer: https://login.example.com\n    discovery:\n      cluster: idp\n      clusters: { 'https://keys.example.com': keys }\n";
        let document = read(text).unwrap();
        assert_eq!(document.destinations["idp"].host, "login.example.com");
        assert_eq!(document.destinations["keys"].host, "keys.example.com");
        let renamed = document.tree(|_, it| it.host.clone()).json();
        assert!(renamed.contains(r#""cluster":"login.example.com","clusters":{"https://keys.example.com":"keys.example.com"}"#), "{renamed}");
    }

    #[test]
    fn each_of_several_key_sets_is_somewhere() {
        let text = "issuers:\n  - issuer: https://login.example.com\n    jwks:\n      uris:\n        - { uri: 'https://a.example/1', cluster: a }\n        - { uri: 'https://b.example/2', cluster: b }\n        - { uri: 'https://b.example/3', cluster: b }\n";
        let document = read(text).unwrap();
        let hosts: Vec<_> = document
            .destinations
            .iter()
            .map(|(name, it)| (&**name, &*it.host))
            .collect();
        assert_eq!(hosts, [("a", "a.example"), ("b", "b.example")]);
        let renamed = document.tree(|_, it| it.host.clone()).json();
        for one in [
            r#"/1","cluster":"a.example""#,
            r#"/2","cluster":"b.example""#,
            r#"/3","cluster":"b.example""#,
        ] {
            assert!(renamed.contains(one), "{one}: {renamed}");
        }
    }

    #[test]
    fn a_cluster_without_place_or_with_two_is_a_mistake() {
        let text = "a:\n  cluster: idp\n";
        let mistake = read(text).unwrap_err();
        assert!(
            mistake.contains("--cluster idp=URL") && mistake.contains("line 2"),
            "{mistake}"
        );
        let wishes = Wishes {
            clusters: vec![("idp".into(), "https://x.example".into())],
            ..Wishes::default()
        };
        assert!(Document::read(text, &wishes).is_ok());
        let two = "a: { cluster: c, uri: 'https://a.example/1' }\nb: { cluster: c, uri: 'https://b.example/1' }\n";
        assert!(read(two).unwrap_err().contains("its own"));
        let two = "issuer: https://a.example\ndiscovery: { cluster: c, clusters: { 'https://b.example': c } }\n";
        assert!(read(two).unwrap_err().contains("its own"));
        assert!(read("[]").unwrap_err().contains("must be a map"));
    }
}
