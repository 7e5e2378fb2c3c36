//! One series: all sizes of one direction, measured in turns.

use anyhow::Result;
use cpu_time::ThreadTime;
use host_test::Module;
use portcullis_conformance::growth::{Direction, Loaded, Mint, Scale, World};

/// A direction, with or without conditions, and its sizes.
pub(crate) struct Series {
    scales: Vec<Scale>,
    direction: Direction,
    conditions: bool,
}

/// What one size costs.
pub(crate) struct Point {
    /// How many there are.
    pub(crate) size: usize,
    /// Fuel of a warm request.
    pub(crate) fuel: f64,
    /// Fuel of a request whose token was new.
    pub(crate) first_fuel: f64,
    /// CPU time of a warm request in µs, the median of all rounds.
    pub(crate) micros: f64,
    /// The least of all rounds.
    pub(crate) least_micros: f64,
    /// What it took to load the document.
    pub(crate) loaded: Loaded,
    /// The guest's memory with every token in its cache, in bytes.
    pub(crate) memory: usize,
}

/// A series with its figures.
pub(crate) struct Measured {
    /// In words.
    pub(crate) name: String,
    /// What grows.
    pub(crate) direction: Direction,
    /// From the smallest.
    pub(crate) points: Vec<Point>,
}

impl Series {
    /// All sizes up to `largest`, and at least the smallest.
    pub(crate) fn new(direction: Direction, conditions: bool, largest: usize) -> Self {
        let sizes = direction.sizes().iter().enumerate();
        let scales = sizes
            .filter(|(place, size)| *place == 0 || **size <= largest)
            .map(|(_, size)| Scale {
                direction,
                size: *size,
                conditions,
            })
            .collect();
        Self {
            scales,
            direction,
            conditions,
        }
    }

    pub(crate) fn name(&self) -> String {
        let with = if self.conditions { "with" } else { "without" };
        format!("{}, {with} conditions", self.direction.name())
    }

    pub(crate) const fn direction(&self) -> Direction {
        self.direction
    }

    pub(crate) fn largest(&self) -> usize {
        self.scales.last().map_or(0, |scale| scale.size)
    }

    /// Builds a world for each size, then gives each a turn in every round.
    pub(crate) fn measure(
        &self,
        module: &Module,
        mint: &Mint,
        rounds: u32,
        requests: u32,
    ) -> Result<Measured> {
        let mut worlds = self
            .scales
            .iter()
            .map(|scale| World::build(module, *scale, mint))
            .collect::<Result<Vec<_>>>()?;
        let mut times = vec![Vec::new(); worlds.len()];
        let mut fuel = vec![0; worlds.len()];
        for _ in 0..rounds {
            for (place, world) in worlds.iter_mut().enumerate() {
                // Made beforehand: only the request's way through host and filter is timed.
                let batch: Vec<_> = (0..requests).map(|_| world.draw()).collect();
                let begun = ThreadTime::now();
                for request in batch {
                    fuel[place] += world.send(request)?;
                }
                times[place].push(begun.elapsed().as_secs_f64() * 1e6 / f64::from(requests));
            }
        }
        let sent = f64::from(rounds) * f64::from(requests);
        let points = worlds
            .iter()
            .zip(times)
            .zip(fuel)
            .map(|((world, mut times), fuel)| {
                times.sort_by(f64::total_cmp);
                Point {
                    size: world.scale().size,
                    fuel: fuel as f64 / sent,
                    first_fuel: world.first_seen() as f64,
                    micros: times[times.len() / 2],
                    least_micros: times[0],
                    loaded: world.loaded(),
                    memory: world.memory(),
                }
            })
            .collect();
        Ok(Measured {
            name: self.name(),
            direction: self.direction,
            points,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_can_be_cut_short() {
        let series = |largest| Series::new(Direction::Tokens, true, largest);
        assert_eq!(series(1000).largest(), 1000);
        assert_eq!(series(1).largest(), 10, "the smallest stays");
        assert_eq!(series(usize::MAX).largest(), 100_000);
        assert_eq!(series(1).name(), "cached tokens, with conditions");
    }
}
