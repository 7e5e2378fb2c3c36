//! The engine's series as metrics of the host.

use portcullis_abi::{Host, LogLevel, MetricId, MetricKind};
use portcullis_engine::{Kind, Outcome, Series, UnixTime};

/// The host's number of each series, by [`Series::index`]. Empty on a host without metrics.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    ids: Vec<MetricId>,
}

impl Meters {
    /// Defines every series that each configuration has, so that each can be seen at zero before anything happens. Without metrics the guard works
    /// on; it says so once.
    pub(crate) fn define(host: &Host<'_>) -> Self {
        let defined: Result<Vec<_>, _> = Series::always()
            .map(|series| host.metric(kind_of(series), &series.name()))
            .collect();
        match defined {
            Ok(ids) => Self { ids },
            Err(error) => {
                host.log(
                    LogLevel::Warn,
                    &format!("portcullis: no metrics: the host refuses to define one: {error}"),
                );
                Self::default()
            }
        }
    }

    /// Defines the series of shadow mode too. INVARIANT: behind the others, as [`Series::index`] numbers them.
    pub(crate) fn define_shadow(&mut self, host: &Host<'_>) {
        if self.ids.len() != Series::always().count() {
            return;
        }
        for series in Series::of_shadow_mode() {
            match host.metric(kind_of(series), &series.name()) {
                Ok(id) => self.ids.push(id),
                Err(error) => {
                    let line = format!(
                        "portcullis: no metrics of shadow mode: the host refuses to define one: {error}"
                    );
                    host.log(LogLevel::Warn, &line);
                    return;
                }
            }
        }
    }

    /// Adds to a counter. A host that lost a metric it defined is no reason to refuse a request.
    pub(crate) fn count(&self, host: &Host<'_>, series: Series, by: u64) {
        if let Some(id) = self.ids.get(series.index()) {
            let _ = host.increment(*id, i64::try_from(by).unwrap_or(i64::MAX));
        }
    }

    /// Records how long the decision took.
    pub(crate) fn latency(&self, host: &Host<'_>, outcome: &Outcome, ended: UnixTime) {
        if let Some(id) = self.ids.get(Series::Latency.index()) {
            let micros = outcome.latency(ended).as_micros();
            let _ = host.record(*id, u64::try_from(micros).unwrap_or(u64::MAX));
        }
    }
}

const fn kind_of(series: Series) -> MetricKind {
    match series.kind() {
        Kind::Counter => MetricKind::Counter,
        Kind::Histogram => MetricKind::Histogram,
    }
}
