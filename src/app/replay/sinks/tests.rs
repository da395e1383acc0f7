use super::*;
use crate::alert::AlertState;
use crate::alert::tests::alert as firing;
use crate::detect::{Figures, Kind, Subject};
use crate::packet::Timestamp;

fn alert(fingerprint: u64, seconds: i64, state: AlertState) -> Alert {
    let starts_at = Timestamp::from_seconds_and_nanoseconds(seconds, 0);
    let subject = Subject::Source([10, 0, 0, 1].into());
    Alert {
        fingerprint: Fingerprint(fingerprint),
        state,
        starts_at,
        ends_at: (state == AlertState::Resolved).then_some(starts_at),
        ..firing(Kind::HostScan, subject, Figures::default())
    }
}

fn fired(fingerprint: u64, seconds: i64) -> Change {
    Change::Fired(alert(fingerprint, seconds, AlertState::Firing))
}

fn resolved(fingerprint: u64, seconds: i64) -> Change {
    Change::Resolved(alert(fingerprint, seconds, AlertState::Resolved))
}

#[test]
fn each_episode_has_its_last_state() {
    let mut episodes = Episodes::at_most(10);
    [fired(1, 5), fired(2, 6), resolved(1, 5), fired(1, 7)].iter().for_each(|change| episodes.notify(change));
    let (alerts, more) = episodes.in_order(&[]);
    let states: Vec<_> =
        alerts.iter().map(|alert| (alert.fingerprint.0, alert.starts_at.seconds(), alert.state)).collect();
    assert_eq!(states, [(1, 5, AlertState::Resolved), (2, 6, AlertState::Firing), (1, 7, AlertState::Firing)]);
    assert_eq!(more, 0);
}

#[test]
fn a_firing_alert_has_its_latest_figures() {
    let mut episodes = Episodes::at_most(10);
    episodes.notify(&fired(1, 5));
    let latest = Alert { figures: Figures { value: 60.0, ..Figures::default() }, ..alert(1, 5, AlertState::Firing) };
    let stranger = alert(2, 5, AlertState::Firing);
    assert_eq!(episodes.in_order(&[latest.clone(), stranger]).0, [latest]);
}

#[test]
fn alerts_past_the_limit_are_counted() {
    let mut episodes = Episodes::at_most(1);
    [fired(1, 5), fired(2, 6), resolved(2, 6), fired(1, 7), resolved(1, 5)]
        .iter()
        .for_each(|change| episodes.notify(change));
    let (alerts, more) = episodes.in_order(&[]);
    assert_eq!((alerts.len(), alerts[0].state, more), (1, AlertState::Resolved, 2));
}
