//! The table of all cases on all hosts, and the comparison between them.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use crate::case::{Case, HostKind};
use crate::verdict::Verdict;

/// What came of each case on each host that a test played it on.
#[derive(Debug, Default)]
pub struct Report {
    hosts: Vec<HostKind>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    cells: Vec<Cell>,
}

/// One case on one host.
#[derive(Debug)]
enum Cell {
    /// It does not run there.
    Elsewhere,
    /// As expected; the last verdict is shown.
    Good(Vec<Verdict>),
    /// Not as expected.
    Bad(String),
}

impl Report {
    /// An empty table with these columns.
    pub fn new(hosts: &[HostKind]) -> Self {
        Self {
            hosts: hosts.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Plays one case on every host of the table. A verdict that differs between hosts is a failure too, even if
    /// each is what the case expects: what the case does not mention must be the same as well.
    pub fn play(&mut self, case: &Case, mut play: impl FnMut(HostKind) -> Result<Vec<Verdict>>) {
        let mut cells: Vec<Cell> = self
            .hosts
            .iter()
            .map(|host| match case.runs_on(*host) {
                false => Cell::Elsewhere,
                true => match play(*host) {
                    Ok(verdicts) => Cell::Good(verdicts),
                    Err(error) => Cell::Bad(format!("{error:#}")),
                },
            })
            .collect();
        let first = cells.iter().find_map(|cell| match cell {
            Cell::Good(verdicts) => Some(verdicts.clone()),
            _ => None,
        });
        let proxy_first = case
            .script()
            .iter()
            .any(|step| matches!(step, crate::script::Step::Send(send) if send.in_envoy.is_some()));
        for (host, cell) in self.hosts.iter().zip(&mut cells) {
            let (Some(first), Cell::Good(verdicts)) = (&first, &*cell) else {
                continue;
            };
            if first != verdicts && !(*host == HostKind::Envoy && proxy_first) {
                *cell = Cell::Bad(format!(
                    "differs from {:?}:\n    {first:?}\n    {verdicts:?}",
                    self.hosts[0]
                ));
            }
        }
        self.rows.push(Row {
            name: case.name.clone(),
            cells,
        });
    }

    /// How many cases ran as expected on that host.
    pub fn good_on(&self, host: HostKind) -> usize {
        let Some(column) = self.hosts.iter().position(|known| *known == host) else {
            return 0;
        };
        self.rows
            .iter()
            .filter(|row| matches!(row.cells[column], Cell::Good(_)))
            .count()
    }

    /// Every case as expected, everywhere; an error tells those that were not, a paragraph each.
    pub fn require(&self) -> Result<()> {
        let mut wrong = Vec::new();
        for row in &self.rows {
            for (cell, host) in row.cells.iter().zip(&self.hosts) {
                if let Cell::Bad(why) = cell {
                    wrong.push(format!("{} ({host:?}): {why}", row.name));
                }
            }
        }
        let count = wrong.len();
        ensure!(
            wrong.is_empty(),
            "{count} cases are wrong:\n{}",
            wrong.join("\n")
        );
        Ok(())
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut table = format!("{:<60}", "case");
        for host in &self.hosts {
            let _ = write!(table, " {:<38}", format!("{host:?}").to_lowercase());
        }
        table.push('\n');
        for row in &self.rows {
            let _ = write!(table, "{:<60}", row.name);
            for cell in &row.cells {
                let text = match cell {
                    Cell::Elsewhere => "-".to_owned(),
                    Cell::Good(verdicts) => verdicts
                        .last()
                        .map_or_else(String::new, ToString::to_string),
                    Cell::Bad(_) => "WRONG".to_owned(),
                };
                let _ = write!(table, " {text:<38}");
            }
            table.truncate(table.trim_end().len());
            table.push('\n');
        }
        for host in &self.hosts {
            let _ = writeln!(
                table,
                "{host:?}: {} of {} cases as expected",
                self.good_on(*host),
                self.rows.len()
            );
        }
        table
    }
}
