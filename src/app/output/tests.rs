use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// The deadline of any short operation.
const DEADLINE: Duration = Duration::from_secs(60);

/// The reaction of a reader to one write.
#[derive(Debug, Clone, Copy)]
enum Take {
    All,
    Bytes(usize),
    Fail(i32),
}

const EINTR: i32 = 4;
const EIO: i32 = 5;
const EAGAIN: i32 = 11;
const ENOSPC: i32 = 28;
const EPIPE: i32 = 32;

/// Keeps the written bytes. Follows its script, then takes everything.
#[derive(Debug, Clone, Default)]
struct Reader {
    script: Arc<Mutex<VecDeque<Take>>>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Reader {
    fn that_does(script: &[Take]) -> Self {
        Self { script: Arc::new(Mutex::new(script.iter().copied().collect())), ..Self::default() }
    }

    fn text(&self) -> String {
        String::from_utf8(self.taken.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match self.script.lock().unwrap().pop_front().unwrap_or(Take::All) {
            Take::All => bytes.len(),
            Take::Bytes(count) => count.min(bytes.len()),
            Take::Fail(error) => return Err(io::Error::from_raw_os_error(error)),
        };
        self.taken.lock().unwrap().write(&bytes[..count])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes a line for each permit, and sends on the text of each.
struct Slow {
    permits: Receiver<()>,
    taken: Sender<String>,
}

impl Slow {
    fn new() -> (Self, Sender<()>, Receiver<String>) {
        let (permit, permits) = channel();
        let (taken, lines) = channel();
        (Self { permits, taken }, permit, lines)
    }
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.permits.recv().map_err(|_| io::Error::from_raw_os_error(EPIPE))?;
        drop(self.taken.send(String::from_utf8(bytes.to_vec()).unwrap()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lets the reader take so many lines.
fn allow(permit: &Sender<()>, lines: usize) {
    for _ in 0..lines {
        permit.send(()).unwrap();
    }
}

/// The number of lines that a gap stands for.
fn gap(line: &str) -> u64 {
    line.strip_suffix(" lost\n").unwrap_or_else(|| panic!("{line} is no gap")).parse().unwrap()
}

fn start(out: impl Write + Send + 'static) -> LineQueue {
    LineQueue::start(Stream::Log, out, |lost| format!("{lost} lost\n")).unwrap()
}

fn line(number: usize) -> String {
    format!("line {number}\n")
}

fn finish(output: &LineQueue) {
    assert_eq!(output.finish(Instant::now() + DEADLINE), 0);
}

fn lost(output: &LineQueue) -> u64 {
    output.lost().load(Ordering::Relaxed)
}

/// The text that a reader with this script has after two lines.
fn two_lines(script: &[Take]) -> String {
    let reader = Reader::that_does(script);
    let output = start(reader.clone());
    (1..=2).for_each(|number| output.send(line(number)));
    finish(&output);
    assert_eq!(lost(&output), 0);
    reader.text()
}

#[test]
fn lines_are_written_in_order_before_the_end() {
    let reader = Reader::default();
    let output = start(reader.clone());
    (0..1_000).for_each(|number| output.send(line(number)));
    finish(&output);
    assert_eq!(reader.text(), (0..1_000).map(line).collect::<String>());
}

#[test]
fn blocked_reader_costs_lines_and_never_makes_the_sender_wait() {
    let (slow, permit, lines) = Slow::new();
    let output = start(slow);
    let sent = MAXIMUM_LINES + 10;
    (0..sent).for_each(|number| output.send(line(number)));
    // One line may have left the queue by now.
    let missing = lost(&output);
    assert!((9..=10).contains(&missing), "{missing}");
    assert!(output.finish(Instant::now()) > 0);
    // Once the reader goes on, it learns how many lines are missing, and where.
    allow(&permit, sent * 2);
    finish(&output);
    output.send(line(sent));
    finish(&output);
    let read: Vec<String> = lines.try_iter().collect();
    let kept = sent - usize::try_from(missing).unwrap();
    let expected = (0..kept).map(line).chain([format!("{missing} lost\n"), line(sent)]);
    assert_eq!(read, expected.collect::<Vec<_>>());
}

#[test]
fn a_gap_stands_between_the_lines_before_and_behind_it() {
    let (slow, permit, lines) = Slow::new();
    let output = start(slow);
    (0..MAXIMUM_LINES + 10).for_each(|number| output.send(line(number)));
    // One line fits again, and then the queue is full again.
    permit.send(()).unwrap();
    lines.recv_timeout(DEADLINE).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let before = lost(&output);
    let mut sent = 0;
    while lost(&output) - before == sent {
        assert!(Instant::now() < deadline);
        output.send("late\n".to_owned());
        sent += 1;
    }
    (0..5).for_each(|_| output.send("too late\n".to_owned()));
    allow(&permit, MAXIMUM_LINES * 2);
    finish(&output);
    let rest: Vec<String> = lines.try_iter().collect();
    let late = rest.iter().position(|line| line == "late\n").unwrap();
    assert!(gap(&rest[late - 1]) >= before, "{rest:?}");
    assert_eq!(gap(&rest[late - 1]) + gap(rest.last().unwrap()), lost(&output));
}

#[test]
fn long_lines_fill_a_queue_by_their_bytes() {
    let (slow, _permit, _lines) = Slow::new();
    let output = start(slow);
    let long = "x".repeat(MAXIMUM_BYTES / 4);
    (0..10).for_each(|_| output.send(long.clone()));
    assert!((5..=6).contains(&lost(&output)), "{}", lost(&output));
}

#[test]
fn passing_errors_cost_no_line() {
    for error in [EINTR, EIO, EAGAIN, ENOSPC] {
        assert_eq!(two_lines(&[Take::Fail(error), Take::Fail(error)]), "line 1\nline 2\n", "error {error}");
    }
    assert_eq!(two_lines(&[Take::Bytes(0)]), "line 1\nline 2\n");
}

#[test]
fn the_rest_of_a_line_follows_a_pause_of_the_pipe() {
    assert_eq!(two_lines(&[Take::Bytes(3), Take::Fail(EAGAIN), Take::Fail(EINTR)]), "line 1\nline 2\n");
}

#[test]
fn a_torn_line_is_closed_and_written_again() {
    let torn = [Take::Bytes(3), Take::Fail(ENOSPC), Take::Fail(ENOSPC)];
    assert_eq!(two_lines(&torn), "lin\nline 1\nline 2\n");
    let torn_twice = [Take::Bytes(3), Take::Fail(EIO), Take::All, Take::Bytes(4), Take::Fail(EIO)];
    assert_eq!(two_lines(&torn_twice), "lin\nline\nline 1\nline 2\n");
}

#[test]
fn a_closed_pipe_is_final_and_every_line_counts_as_lost() {
    let output = start(Reader::that_does(&[Take::All, Take::Fail(EPIPE)]));
    (0..3).for_each(|number| output.send(line(number)));
    finish(&output);
    output.send(line(3));
    assert_eq!(lost(&output), 3);
}

#[test]
fn an_offer_takes_half_of_the_queue_and_never_waits() {
    let (out, _permit, _taken) = Slow::new();
    let output = start(out);
    let start = Instant::now();
    let taken = (0..MAXIMUM_LINES).take_while(|number| output.offer(line(*number))).count();
    assert!((MAXIMUM_LINES / 2..=MAXIMUM_LINES / 2 + 1).contains(&taken), "{taken}");
    assert!(start.elapsed() < LONGEST_WAIT, "{:?}", start.elapsed());
    assert_eq!(lost(&output), 0, "the caller counts it");
    output.send(line(MAXIMUM_LINES));
    assert_eq!(lost(&output), 0, "the other half is free");
}

#[test]
fn a_patient_sender_loses_nothing_to_a_slow_reader() {
    let (slow, permit, lines) = Slow::new();
    let output = start(slow);
    let sent = MAXIMUM_LINES + 100;
    let reader = std::thread::spawn(move || {
        allow(&permit, sent);
        (0..sent).map(|_| lines.recv_timeout(DEADLINE).unwrap()).collect::<Vec<_>>()
    });
    (0..sent).for_each(|number| output.send_or_wait(line(number)));
    assert_eq!(reader.join().unwrap(), (0..sent).map(line).collect::<Vec<_>>());
    assert_eq!(lost(&output), 0);
}

#[test]
fn a_patient_sender_waits_once_for_a_blocked_reader() {
    let (slow, _permit, _lines) = Slow::new();
    let output = start(slow);
    let started = Instant::now();
    (0..MAXIMUM_LINES + 1_000).for_each(|number| output.send_or_wait(line(number)));
    assert!(lost(&output) >= 999);
    // Not once for each line.
    assert!(started.elapsed() < DEADLINE, "{:?}", started.elapsed());
}
