//! The program's own log, on standard error, in the form that the lines of alerts have too.

use std::fmt::{self, Debug};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry};

use crate::config::{Log, LogFormat, LogLevel};
use crate::events::line::{Form, Line};
use crate::packet::Timestamp;

/// Starts the log. From here on lines are written.
pub(super) fn start(config: Log) {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt::layer().event_format(Lines(form(config.format))).with_writer(std::io::stderr);
    Registry::default().with(lines.with_filter(level)).init();
}

/// The form of the program's lines, of its log as of its alerts.
pub(super) const fn form(format: LogFormat) -> Form {
    match format {
        LogFormat::Logfmt => Form::Logfmt,
        LogFormat::Json => Form::Json,
    }
}

/// Writes an event as a line of this form.
struct Lines(Form);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = Message::default();
        event.record(&mut message);
        let metadata = event.metadata();
        let mut line = Line::new(self.0, Timestamp::from(SystemTime::now()), level(metadata.level()), &message.0);
        event.record(&mut Fields(&mut line));
        if *metadata.level() > Level::INFO {
            // Who debugs wants to know where a line comes from.
            line.put_text("target", metadata.target());
        }
        writer.write_str(&line.finish())
    }
}

fn level(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// The field in which an event has its message.
const MESSAGE: &str = "message";

/// Takes the message out of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            self.0 = format!("{value:?}");
        }
    }
}

/// Writes all other fields of an event.
struct Fields<'a>(&'a mut Line);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != MESSAGE {
            self.0.put_text(field.name(), &format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != MESSAGE {
            self.0.put_text(field.name(), value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.put_text(field.name(), &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.put_number(field.name(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged in a form, without its time.
    fn logged(form: Form, log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt::layer().event_format(Lines(form)).with_writer(move || writer.clone());
        tracing::subscriber::with_default(Registry::default().with(lines), log);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let (_, rest) = text.split_once("Z").unwrap();
        rest.to_owned()
    }

    #[test]
    fn log_lines_have_the_names_and_the_form_of_alert_lines() {
        let error = io::Error::other("no \"such\" file");
        let log = || tracing::warn!(%error, interface = "eth0", count = 3, "cannot open");
        assert_eq!(
            logged(Form::Logfmt, log),
            " level=warn msg=\"cannot open\" error=\"no \\\"such\\\" file\" interface=eth0 count=3\n"
        );
        assert_eq!(
            logged(Form::Json, log),
            "\",\"level\":\"warn\",\"msg\":\"cannot open\",\"error\":\"no \\\"such\\\" file\",\"interface\":\"eth0\",\
             \"count\":3}\n"
        );
    }

    #[test]
    fn a_line_for_debugging_says_where_it_comes_from() {
        assert_eq!(
            logged(Form::Logfmt, || tracing::debug!("x")),
            " level=debug msg=x target=trafficmonitor::app::log::tests\n"
        );
    }
}
