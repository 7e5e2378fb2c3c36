//! The tables of README.md are what the code says. To write them anew: `PORTCULLIS_WRITE=1 cargo test -p portcullis-engine`.

use std::fmt::Write as _;
use std::fs;

use portcullis_engine::{Count, Reason};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

fn reasons() -> String {
    let mut table = String::from(
        "| reason | verdict | status | to act | what happened, what to do |\n|---|---|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let status = reason
            .status()
            .map_or_else(|| "–".to_owned(), |status| status.to_string());
        let (code, verdict, blame) = (
            reason.code(),
            reason.verdict().code(),
            reason.blame().code(),
        );
        let _ = writeln!(
            table,
            "| `{code}` | {verdict} | {status} | {blame} | {} |",
            reason.explanation().trim()
        );
    }
    table
}

fn counts() -> String {
    let mut table = String::from("| counter | what is counted |\n|---|---|\n");
    for count in Count::ALL {
        let _ = writeln!(
            table,
            "| `{}` | {} |",
            count.name(),
            count.explanation().trim()
        );
    }
    table
}

fn replaced(text: &str, marker: &str, table: &str) -> String {
    let (before, rest) = text.split_once(&format!("<!-- {marker}:")).unwrap();
    let (note, rest) = rest.split_once("-->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}<!-- {marker}:{note}-->\n{table}<!-- end -->{after}")
}

#[test]
fn the_tables_are_what_the_code_says() {
    let text = fs::read_to_string(README).unwrap();
    let right = replaced(&replaced(&text, "reasons", &reasons()), "counts", &counts());
    if std::env::var_os("PORTCULLIS_WRITE").is_some() {
        fs::write(README, right).unwrap();
    } else {
        assert!(
            text == right,
            "README.md is out of date: PORTCULLIS_WRITE=1 cargo test -p portcullis-engine"
        );
    }
}
