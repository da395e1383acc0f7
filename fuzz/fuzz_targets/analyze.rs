//! Any bytes as an event log, in each format: the analysis never panics.

#![no_main]

use trafficmonitor::events::analysis::{Analysis, LogFormat};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for format in [None, Some(LogFormat::Json), Some(LogFormat::JsonLines), Some(LogFormat::Csv)] {
        let mut analysis = Analysis::default();
        // Compressed bytes may be damaged.
        analysis.read("log", format, input, |_| {}).ok();
        std::hint::black_box(analysis.report(10).to_string());
    }
});
