//! The names that conditions may use, in one place.

/// Variables whose fields are named one by one.
pub(super) const CLAIMS: &str = "claims";
pub(super) const CREDENTIALS: &str = "credentials";
pub(super) const REQUEST: &str = "request";
pub(super) const PATH: &str = "path";
pub(super) const SOURCE: &str = "source";
pub(super) const ISSUER: &str = "issuer";
/// The time.
pub(super) const NOW: &str = "now";

/// All variables, for a message.
pub(super) const VARIABLES: [&str; 7] = [CLAIMS, CREDENTIALS, ISSUER, REQUEST, PATH, SOURCE, NOW];

/// The fields of `request`.
pub(super) const REQUEST_FIELDS: [&str; 3] = ["method", "host", "path"];
/// The fields of `source`.
pub(super) const SOURCE_FIELDS: [&str; 1] = ["address"];
/// The fields of `issuer`.
pub(super) const ISSUER_FIELDS: [&str; 1] = ["tenant"];

/// Types, as values: `type(claims.aud) == list`.
pub(super) const TYPES: [&str; 9] = [
    "bool",
    "int",
    "uint",
    "double",
    "string",
    "list",
    "map",
    "null_type",
    "type",
];

/// Macros: expanded by the parser if they are called the right way, so that what is left of them is a mistake.
pub(super) const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "map", "filter"];

/// Functions that are called alone, and how many arguments they take.
pub(super) const FUNCTIONS: [(&str, &[usize]); 7] = [
    ("size", &[1]),
    ("int", &[1]),
    ("uint", &[1]),
    ("double", &[1]),
    ("string", &[1]),
    ("bool", &[1]),
    ("type", &[1]),
];

/// Functions that are called on a value, and how many arguments they take beside it.
///
/// `replace`, `join` and `format` are left out: from a few kilobytes of claims they make hundreds of megabytes.
pub(super) const METHODS: [(&str, &[usize]); 12] = [
    ("size", &[0]),
    ("contains", &[1]),
    ("startsWith", &[1]),
    ("endsWith", &[1]),
    ("split", &[1, 2]),
    ("lowerAscii", &[0]),
    ("upperAscii", &[0]),
    ("trim", &[0]),
    ("substring", &[1, 2]),
    ("indexOf", &[1, 2]),
    ("lastIndexOf", &[1, 2]),
    ("charAt", &[1]),
];

/// `a string`, `an int`.
pub(super) fn article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}
