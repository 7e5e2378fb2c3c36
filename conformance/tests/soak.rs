//! The soak for a minute: once everything that it does in an hour. Whether memory grows, only the hour tells
//! (`cargo xtask bench soak`).

use std::time::Duration;

use anyhow::Result;
use portcullis_conformance::soak::{self, Options};

#[test]
fn a_minute_of_everything_at_once() -> Result<()> {
    let length = Duration::from_secs(62);
    let options = Options {
        length,
        warm_up: length,
        rate: 200,
    };
    let report = soak::run(options, &mut |line| println!("{line}"))?;
    assert!(
        report.answers_are_right(),
        "{}{}",
        report.table(),
        report.words().join("\n")
    );
    Ok(())
}
