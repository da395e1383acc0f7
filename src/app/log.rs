//! The program's own log, on standard error, in the form that the lines of alerts have too.
//!
//! The log of the exporter goes through a [`LineQueue`], so that no thread waits for a reader; that of `replay` is
//! written at once. Takes events and lines; gives lines to the queue or to standard error. Must not know what is
//! logged.

use std::fmt::{self, Debug};
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Instant, SystemTime};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, reload};

use super::output::{LineQueue, Stream, gap, without_lock};
use crate::capture::printable;
use crate::config::Log;
use crate::events::line::{LineForm, LogLine};
use crate::packet::Timestamp;

/// The queue of the exporter's log, once it has started.
static OUTPUT: OnceLock<LineQueue> = OnceLock::new();

/// The level of the log, once it has started.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Starts the log of a command that waits for its reader, as filters do.
pub(super) fn start(config: Log) {
    init(config, BoxMakeWriter::new(io::stderr));
}

/// Starts the log of the exporter. From here on [`say`] is queued too, and so are messages of panics. Gives the
/// number of lost log lines.
pub(super) fn start_queued(config: Log) -> io::Result<Arc<AtomicU64>> {
    let gap = move |lost| {
        gap(config.format, "log lines were lost because standard error was not read or could not be written", lost)
    };
    let output = LineQueue::start(Stream::Log, without_lock(io::stderr())?, gap)?;
    let output = OUTPUT.get_or_init(|| output);
    let queued = output.clone();
    init(config, BoxMakeWriter::new(move || Queued(queued.clone())));
    panic::set_hook(Box::new(say_panic));
    Ok(output.lost())
}

/// Writes lines that are not in the form of the log to standard error. A failure cannot be reported anywhere.
pub(super) fn say(text: &str) {
    let text: String = text.lines().map(|line| printable(line) + "\n").collect();
    match OUTPUT.get() {
        Some(output) => output.send(text),
        None => io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default(),
    }
}

/// Writes why the program does not start. A standard error without a reader must not delay the exit status, which a
/// service manager waits for.
pub(super) fn say_refusal(text: &str, deadline: Instant) {
    let output = without_lock(io::stderr()).and_then(|out| LineQueue::start(Stream::Log, out, |_| String::new()));
    match output {
        Ok(output) => drop(OUTPUT.set(output)),
        Err(error) => tracing::debug!(%error, "standard error is written at once"),
    }
    say(text);
    finish(deadline);
}

/// Waits until the log is written, but not beyond `deadline`.
pub(super) fn finish(deadline: Instant) {
    if let Some(output) = OUTPUT.get() {
        output.finish(deadline);
    }
}

/// Queues the message of a panic. The default hook would write to standard error itself, and the thread would wait for
/// its reader.
fn say_panic(panicked: &PanicHookInfo<'_>) {
    let place = panicked.location().map(ToString::to_string).unwrap_or_default();
    let payload = panicked.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let reason = text.unwrap_or_default();
    let name = thread::current().name().unwrap_or_default().to_owned();
    tracing::error!(thread = name, place, reason, "a thread panicked; this is a bug in trafficmonitor");
}

fn init(config: Log, writer: BoxMakeWriter) {
    let lines = tracing_subscriber::fmt::layer().event_format(EventLines(config.format)).with_writer(writer);
    let (level, handle) = reload::Layer::new(LevelFilter::from_level(config.level));
    Registry::default().with(lines.with_filter(level)).init();
    drop(LEVEL.set(handle));
}

/// Writes lines of this level and of more urgent ones from now on.
pub(super) fn set_level(level: Level) {
    let changed = LEVEL.get().map(|handle| handle.reload(LevelFilter::from_level(level)));
    if let Some(Err(error)) = changed {
        tracing::error!(%error, "the level of the log cannot be changed");
    }
}

/// Queues each line that is written to it.
struct Queued(LineQueue);

impl Write for Queued {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.send(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes an event as a line of this form.
struct EventLines(LineForm);

impl<S, N> FormatEvent<S, N> for EventLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = MessageText::default();
        event.record(&mut message);
        let metadata = event.metadata();
        let level = metadata.level().as_str().to_ascii_lowercase();
        let mut line = LogLine::new(self.0, Timestamp::from(SystemTime::now()), &level, &message.0);
        event.record(&mut Fields(&mut line));
        if *metadata.level() > Level::INFO {
            // At debug level the origin of a line matters.
            line.put_text("target", metadata.target());
        }
        writer.write_str(&line.finish())
    }
}

/// The field in which an event has its message.
const MESSAGE: &str = "message";

/// Takes the message out of an event.
#[derive(Default)]
struct MessageText(String);

impl Visit for MessageText {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            self.0 = format!("{value:?}");
        }
    }
}

/// Writes all other fields of an event.
struct Fields<'a>(&'a mut LogLine);

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
    use std::sync::Mutex;

    use super::*;

    /// Keeps the written bytes.
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

    /// A log line in a form, without its time.
    fn logged(form: LineForm, log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt::layer().event_format(EventLines(form)).with_writer(move || writer.clone());
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
            logged(LineForm::Logfmt, log),
            " level=warn msg=\"cannot open\" error=\"no \\\"such\\\" file\" interface=eth0 count=3\n"
        );
        assert_eq!(
            logged(LineForm::Json, log),
            "\",\"level\":\"warn\",\"msg\":\"cannot open\",\"error\":\"no \\\"such\\\" file\",\"interface\":\"eth0\",\
             \"count\":3}\n"
        );
    }

    #[test]
    fn a_panic_is_a_line_of_the_log() {
        let log = || {
            let hook = panic::take_hook();
            panic::set_hook(Box::new(say_panic));
            let (reason, number) = ("no such row", 7);
            panic::catch_unwind(|| panic!("{reason}: {number}")).unwrap_err();
            panic::set_hook(hook);
        };
        let line = logged(LineForm::Logfmt, log);
        assert!(line.starts_with(" level=error msg=\"a thread panicked; this is a bug in trafficmonitor\""), "{line}");
        assert!(line.contains(" place=src/app/log.rs:") && line.ends_with(" reason=\"no such row: 7\"\n"), "{line}");
    }

    #[test]
    fn a_line_for_debugging_says_where_it_comes_from() {
        assert_eq!(
            logged(LineForm::Logfmt, || tracing::debug!("x")),
            " level=debug msg=x target=trafficmonitor::app::log::tests\n"
        );
    }
}
