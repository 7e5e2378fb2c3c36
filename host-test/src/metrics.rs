//! Metrics: counters, gauges and histograms by name, shared by all VMs of a process.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::abi::status::Status;

/// Proxy-Wasm metric types; the low two bits of a metric id, as in Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

impl Kind {
    pub(crate) const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::Counter),
            1 => Some(Self::Gauge),
            2 => Some(Self::Histogram),
            _ => None,
        }
    }
}

/// All series of a process. Changing one needs no lock, only its handle.
#[derive(Default)]
pub(crate) struct Metrics {
    slots: HashMap<(Kind, Vec<u8>), Arc<Series>>,
}

struct Series {
    kind: Kind,
    name: String,
    value: AtomicU64,
    /// Recorded values of a histogram.
    count: AtomicU64,
}

impl Series {
    fn add(&self, more: u64) {
        change(&self.value, |value| value.saturating_add(more));
    }
}

/// Changes a number that other workers change too.
fn change(number: &AtomicU64, to: impl Fn(u64) -> u64) {
    // Nothing else is read or written by it, so no order is needed; the closure always answers.
    let _ = number.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| Some(to(old)));
}

impl Metrics {
    fn series(&mut self, kind: Kind, name: Vec<u8>) -> Arc<Series> {
        let text = String::from_utf8_lossy(&name).into_owned();
        let series = self.slots.entry((kind, name)).or_insert_with(|| {
            Arc::new(Series {
                kind,
                name: text,
                value: AtomicU64::new(0),
                count: AtomicU64::new(0),
            })
        });
        Arc::clone(series)
    }

    pub(crate) fn values(&self) -> BTreeMap<String, u64> {
        self.slots
            .values()
            .filter(|series| series.kind != Kind::Histogram)
            .map(|series| (series.name.clone(), series.value.load(Ordering::Relaxed)))
            .collect()
    }

    pub(crate) fn histograms(&self) -> BTreeMap<String, (u64, u64)> {
        let loaded = |number: &AtomicU64| number.load(Ordering::Relaxed);
        self.slots
            .values()
            .filter(|series| series.kind == Kind::Histogram)
            .map(|series| {
                let recorded = (loaded(&series.count), loaded(&series.value));
                (series.name.clone(), recorded)
            })
            .collect()
    }
}

/// The metric ids of one VM: they are its own, the series behind them are the process's.
#[derive(Default)]
pub(crate) struct MetricIds {
    series: HashMap<u32, Arc<Series>>,
    defined: u32,
}

impl MetricIds {
    pub(crate) fn define(
        &mut self,
        metrics: &mut Metrics,
        kind: Kind,
        name: Vec<u8>,
        bound: usize,
    ) -> Result<u32, Status> {
        if self.series.len() >= bound {
            return Err(Status::InternalFailure);
        }
        self.defined = self.defined.saturating_add(1);
        let id = self.defined.saturating_mul(4) | kind as u32;
        self.series.insert(id, metrics.series(kind, name));
        Ok(id)
    }

    fn series(&self, id: u32) -> Result<&Series, Status> {
        self.series
            .get(&id)
            .map(Arc::as_ref)
            .ok_or(Status::NotFound)
    }

    pub(crate) fn increment(&self, id: u32, by: i64) -> Result<(), Status> {
        if matches!(id & 3, 2 | 3) {
            return Err(Status::BadArgument);
        }
        let series = self.series(id)?;
        match series.kind {
            Kind::Counter if by <= 0 => return Err(Status::BadArgument),
            _ if by >= 0 => series.add(by.unsigned_abs()),
            _ => change(&series.value, |value| {
                value.saturating_sub(by.unsigned_abs())
            }),
        }
        Ok(())
    }

    pub(crate) fn record(&self, id: u32, value: u64) -> Result<(), Status> {
        let series = self.series(id)?;
        match series.kind {
            Kind::Counter => series.add(value),
            Kind::Gauge => series.value.store(value, Ordering::Relaxed),
            Kind::Histogram => {
                series.add(value);
                change(&series.count, |count| count.saturating_add(1));
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, id: u32) -> Result<u64, Status> {
        if matches!(id & 3, 2 | 3) {
            return Err(Status::BadArgument);
        }
        Ok(self.series(id)?.value.load(Ordering::Relaxed))
    }
}
