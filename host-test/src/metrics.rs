//! Metrics: counters, gauges and histograms by name, shared by all VMs of a process.

use std::collections::{BTreeMap, HashMap};

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

/// All series of a process.
#[derive(Default)]
pub(crate) struct Metrics {
    slots: HashMap<(Kind, Vec<u8>), usize>,
    series: Vec<Series>,
}

struct Series {
    kind: Kind,
    name: String,
    value: u64,
    /// Recorded values of a histogram.
    count: u64,
}

impl Metrics {
    fn slot(&mut self, kind: Kind, name: Vec<u8>) -> usize {
        if let Some(slot) = self.slots.get(&(kind, name.clone())) {
            return *slot;
        }
        let slot = self.series.len();
        self.series.push(Series {
            kind,
            name: String::from_utf8_lossy(&name).into_owned(),
            value: 0,
            count: 0,
        });
        self.slots.insert((kind, name), slot);
        slot
    }

    pub(crate) fn values(&self) -> BTreeMap<String, u64> {
        self.series
            .iter()
            .filter(|series| series.kind != Kind::Histogram)
            .map(|series| (series.name.clone(), series.value))
            .collect()
    }

    pub(crate) fn histograms(&self) -> BTreeMap<String, (u64, u64)> {
        self.series
            .iter()
            .filter(|series| series.kind == Kind::Histogram)
            .map(|series| (series.name.clone(), (series.count, series.value)))
            .collect()
    }
}

/// The metric ids of one VM: they are its own, the series behind them are the process's.
#[derive(Default)]
pub(crate) struct MetricIds {
    slots: HashMap<u32, usize>,
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
        if self.slots.len() >= bound {
            return Err(Status::InternalFailure);
        }
        self.defined = self.defined.saturating_add(1);
        let id = self.defined.saturating_mul(4) | kind as u32;
        self.slots.insert(id, metrics.slot(kind, name));
        Ok(id)
    }

    fn series<'m>(&self, metrics: &'m mut Metrics, id: u32) -> Result<&'m mut Series, Status> {
        let slot = self.slots.get(&id).ok_or(Status::NotFound)?;
        metrics.series.get_mut(*slot).ok_or(Status::NotFound)
    }

    pub(crate) fn increment(&self, metrics: &mut Metrics, id: u32, by: i64) -> Result<(), Status> {
        if matches!(id & 3, 2 | 3) {
            return Err(Status::BadArgument);
        }
        let series = self.series(metrics, id)?;
        match series.kind {
            Kind::Counter if by <= 0 => return Err(Status::BadArgument),
            _ if by >= 0 => series.value = series.value.saturating_add(by.unsigned_abs()),
            _ => series.value = series.value.saturating_sub(by.unsigned_abs()),
        }
        Ok(())
    }

    pub(crate) fn record(&self, metrics: &mut Metrics, id: u32, value: u64) -> Result<(), Status> {
        let series = self.series(metrics, id)?;
        match series.kind {
            Kind::Counter => series.value = series.value.saturating_add(value),
            Kind::Gauge => series.value = value,
            Kind::Histogram => {
                series.value = series.value.saturating_add(value);
                series.count = series.count.saturating_add(1);
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, metrics: &mut Metrics, id: u32) -> Result<u64, Status> {
        if matches!(id & 3, 2 | 3) {
            return Err(Status::BadArgument);
        }
        Ok(self.series(metrics, id)?.value)
    }
}
