//! What was measured: rates, CPU time, and the ratios of the two servers.

use std::fmt;
use std::net::SocketAddr;

use portcullis_conformance::statistics::{least, median, most};
use serde_json::{Value, json};

/// One server under load.
pub(crate) struct Contender {
    /// What it does with a request that the filter let pass.
    pub(crate) way: &'static str,
    pub(crate) server: &'static str,
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
    /// One a round.
    pub(crate) turns: Vec<Turn>,
}

/// One turn.
pub(crate) struct Turn {
    /// Requests a second.
    pub(crate) per_second: f64,
    /// CPU time of the server for one request, in µs.
    pub(crate) cpu_micros: f64,
}

impl Contender {
    pub(crate) fn title(&self) -> String {
        format!("{}, {}", self.server, self.way)
    }

    fn rates(&self) -> Vec<f64> {
        self.turns.iter().map(|turn| turn.per_second).collect()
    }

    fn cpus(&self) -> Vec<f64> {
        self.turns.iter().map(|turn| turn.cpu_micros).collect()
    }
}

/// host-test beside Envoy.
pub(crate) struct Ratio {
    pub(crate) way: &'static str,
    /// Its requests a second divided by Envoy's, medians.
    pub(crate) rate: f64,
    /// Envoy's CPU time of a request divided by its, medians: the same on a core that nobody else uses.
    pub(crate) cpu: f64,
}

/// All contenders, each pair with Envoy first.
pub(crate) struct Table {
    pub(crate) contenders: Vec<Contender>,
}

impl Table {
    pub(crate) const fn new(contenders: Vec<Contender>) -> Self {
        Self { contenders }
    }

    pub(crate) fn ratios(&self) -> Vec<Ratio> {
        self.contenders
            .chunks_exact(2)
            .map(|pair| Ratio {
                way: pair[0].way,
                rate: median(&pair[1].rates()) / median(&pair[0].rates()),
                cpu: median(&pair[0].cpus()) / median(&pair[1].cpus()),
            })
            .collect()
    }

    pub(crate) fn json(&self) -> Value {
        let contender = |one: &Contender| {
            json!({
                "server": one.server, "way": one.way,
                "per_second": { "median": median(&one.rates()), "rounds": one.rates() },
                "cpu_us": { "median": median(&one.cpus()), "rounds": one.cpus() },
            })
        };
        let ratio =
            |ratio: &Ratio| json!({ "way": ratio.way, "rate": ratio.rate, "cpu": ratio.cpu });
        json!({
            "contenders": self.contenders.iter().map(contender).collect::<Vec<_>>(),
            "host_test_by_envoy": self.ratios().iter().map(ratio).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.contenders.first().map_or(0, |one| one.turns.len());
        writeln!(
            f,
            "a warm token, one core, one worker; median (least to most) of {rounds} rounds\n"
        )?;
        writeln!(
            f,
            "{:<24}{:>12}{:>20}{:>16}",
            "", "requests/s", "", "CPU µs/request"
        )?;
        for one in &self.contenders {
            let (rates, cpus) = (one.rates(), one.cpus());
            let range = format!("({:.0} to {:.0})", least(&rates), most(&rates));
            writeln!(
                f,
                "{:<24}{:>12.0}{range:>20}{:>16.1}",
                one.title(),
                median(&rates),
                median(&cpus)
            )?;
        }
        for Ratio { way, rate, cpu } in self.ratios() {
            writeln!(
                f,
                "\n{way}: host-test serves {rate:.2} times Envoy's requests a second; by CPU time {cpu:.2} times"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_medians() {
        let contender = |server, rates: [f64; 3]| Contender {
            way: "answering",
            server,
            pid: 1,
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            turns: rates
                .iter()
                .map(|rate| Turn {
                    per_second: *rate,
                    cpu_micros: 1e6 / rate,
                })
                .collect(),
        };
        let table = Table::new(vec![
            contender("Envoy", [10_000.0, 20_000.0, 90_000.0]),
            contender("host-test", [30_000.0, 1.0, 31_000.0]),
        ]);
        let ratios = table.ratios();
        assert_eq!(ratios.len(), 1);
        assert!((ratios[0].rate - 1.5).abs() < 1e-9 && (ratios[0].cpu - 1.5).abs() < 1e-9);
        assert!(table.to_string().contains("1.50 times Envoy's"));
        assert_eq!(table.json()["host_test_by_envoy"][0]["way"], "answering");
    }
}
