//! Bursts: the queue takes a hand-over, and the log adds up although events are lost.

use super::channel::{LoggedEvent, Taken};
use super::*;

/// The most violations that the kernel path hands over at once.
const HAND_OVER: u64 = 65_536;

/// A channel without a writer, and a sender.
fn unread() -> (Arc<EventChannel>, EventSender) {
    let channel = Arc::<EventChannel>::default();
    (Arc::clone(&channel), EventSender::new(channel, SendingPace::Live))
}

/// All that the writer would take.
fn taken(channel: &EventChannel) -> Vec<LoggedEvent> {
    let mut events = Vec::new();
    // Nothing follows.
    channel.finish(Instant::now());
    loop {
        let Taken { events: some, ends, .. } = channel.take(Some(Instant::now()), true);
        events.extend(some);
        if ends {
            return events;
        }
    }
}

/// Packets of the lines: with an event of their own, and suppressed, by treatment.
fn packets(events: &[LoggedEvent]) -> [u64; 2] {
    let mut sums = [0; 2];
    for event in events {
        match event {
            LoggedEvent::Violation(violation) => {
                sums[violation.action as usize] += violation.packets + violation.suppressed;
            }
            LoggedEvent::Suppressed(suppressed) => sums[suppressed.action as usize] += suppressed.packets,
            LoggedEvent::Alert(_) => {}
        }
    }
    sums
}

#[test]
fn queue_takes_all_that_two_hand_overs_of_the_kernel_bring() {
    let (channel, mut sender) = unread();
    (0..2 * HAND_OVER).for_each(|number| sender.report(&violation(number)));
    (0..1_000).for_each(|_| sender.notify(&change("scans")));
    assert_eq!(channel.lost(), 0);
    assert_eq!(taken(&channel).len() as u64, 2 * HAND_OVER + 1_000);
}

#[test]
fn packets_of_lost_events_are_in_one_later_line_of_each_treatment() {
    let (channel, mut sender) = unread();
    let mut sent = [0; 2];
    for number in 0..3 * HAND_OVER {
        let action = if number % 3 == 0 { Action::Dropped } else { Action::Logged };
        sender.report(&Violation { action, ..violation(number) });
        sent[action as usize] += number + 2;
    }
    let sum = SuppressedPackets { packets: 100_000, ..suppressed(Some("203.0.113.5")) };
    sender.report_suppressed(&sum);
    sent[sum.action as usize] += sum.packets;
    let lost = channel.lost();
    assert!(lost > 10_000, "{lost}");
    let events = taken(&channel);
    assert_eq!(packets(&events), sent, "the log adds up");
    assert_eq!(events.len() as u64, 3 * HAND_OVER + 1 - lost + 2);
    let [.., logged, dropped] = &events[..] else { panic!("{} events", events.len()) };
    for line in [logged, dropped] {
        assert!(matches!(line, LoggedEvent::Suppressed(SuppressedPackets { source: None, .. })), "{line:?}");
    }
}

#[test]
fn flood_of_violations_leaves_space_for_alerts() {
    let (channel, mut sender) = unread();
    (0..3 * HAND_OVER).for_each(|number| sender.report(&violation(number)));
    let lost = channel.lost();
    (0..1_000).for_each(|_| sender.notify(&change("scans")));
    assert_eq!(channel.lost(), lost);
    let alerts = taken(&channel).iter().filter(|event| matches!(event, LoggedEvent::Alert(_))).count();
    assert_eq!(alerts, 1_000);
}

#[test]
fn console_that_refuses_a_line_tells_its_packets_later() {
    let (sender, lines) = std::sync::mpsc::channel();
    let mut calls = 0;
    let console = Box::new(move |line: String, _| {
        calls += 1;
        calls != 1 && sender.send(line).is_ok()
    });
    let log = EventLog::start(Config::default(), Style::default(), console, None).unwrap();
    let mut events = log.sender(SendingPace::Live);
    events.report(&violation(7));
    wait_for("a refused line", || events.lost().load(Ordering::Relaxed) == 1);
    events.report(&violation(3));
    finish(log);
    let lines: Vec<String> = lines.try_iter().collect();
    assert!(lines[0].contains(" packets=3 ") && lines[1].ends_with(" action=dropped suppressed=9\n"), "{lines:?}");
    assert_eq!((lines.len(), events.lost().load(Ordering::Relaxed)), (2, 1));
}
