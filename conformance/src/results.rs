//! Where a benchmark's results go: files that the command line names, and those that the repository keeps.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

/// The part of a benchmark's command line that says so.
#[derive(Debug, Args)]
pub struct Results {
    /// Where to write the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Where to write the plot, an SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// Write both where the repository keeps them: in conformance/bench.
    #[arg(long)]
    save: bool,
}

impl Results {
    /// Writes what was asked for. `name` is that of the kept files, without an ending.
    pub fn write(&self, name: &str, json: &Value, plot: &str) -> Result<()> {
        let kept = |ending: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
            self.save.then(|| folder.join(format!("{name}.{ending}")))
        };
        for path in self.json.iter().chain(&kept("json")) {
            write(path, &format!("{json:#}\n"))?;
        }
        for path in self.plot.iter().chain(&kept("svg")) {
            write(path, plot)?;
        }
        Ok(())
    }
}

/// Writes a file, and its folder if that is not there, and says so.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}
