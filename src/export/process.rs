//! The metrics of the program itself: what was built, and what the process uses.

use std::io::{self, Write};

use prometheus::core::Collector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry, process_collector::ProcessCollector};

use super::family::{self, Kind};
use super::text::TextWriter;

/// The fixed metrics of the program itself.
pub struct SelfMetrics {
    registry: Registry,
    dropped_reports: IntCounter,
}

impl SelfMetrics {
    /// Registers what the program says of itself. `libpcap` is the library's version.
    ///
    /// # Errors
    /// When the registry refuses a metric.
    pub fn new(version: &str, commit: &str, libpcap: &str) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build =
            IntGaugeVec::new(Opts::new(family::BUILD_INFO.name, family::BUILD_INFO.help), family::BUILD_INFO.labels)?;
        build.with_label_values(&[version, commit, libpcap]).set(1);
        registry.register(Box::new(build))?;
        let dropped = IntCounterVec::new(
            Opts::new(family::QUEUE_DROPPED.name, family::QUEUE_DROPPED.help),
            family::QUEUE_DROPPED.labels,
        )?;
        let dropped_reports = dropped.with_label_values(&["scrapes"]);
        registry.register(Box::new(dropped))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self { registry, dropped_reports })
    }

    /// Counts a report of a scrape that found no room in its queue.
    pub fn count_dropped_report(&self) {
        self.dropped_reports.inc();
    }

    /// Writes them with the writer that writes all others.
    ///
    /// # Errors
    /// When the writer's end cannot be written.
    pub fn write<W: Write>(&self, writer: &mut TextWriter<W>) -> io::Result<()> {
        self.registry.gather().iter().try_for_each(|family| write_family(family, writer))
    }

    /// The names of all families that are written, in order.
    #[must_use]
    pub fn names() -> Vec<String> {
        let process = ProcessCollector::for_self();
        process.desc().iter().map(|description| description.fq_name.clone()).collect()
    }
}

fn write_family<W: Write>(family: &MetricFamily, writer: &mut TextWriter<W>) -> io::Result<()> {
    let is_counter = family.get_field_type() == MetricType::COUNTER;
    writer.introduce(family.name(), family.help(), if is_counter { Kind::Counter } else { Kind::Gauge })?;
    for metric in family.get_metric() {
        let mut sample = writer.sample(family.name());
        for label in metric.get_label() {
            sample = sample.label(label.name(), label.value());
        }
        sample.value_f64(if is_counter { metric.get_counter().get_value() } else { metric.get_gauge().get_value() })?;
    }
    Ok(())
}
