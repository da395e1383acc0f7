//! Tests of the journal.

use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::file::replay;
use super::*;
use crate::notify::notice::Notice;
use crate::notify::tests::notices::{firing, resolved};

const RECEIVERS: [&str; 2] = ["one", "two"];

fn waits(number: u64, receivers: &[&str], notice: Notice) -> JournalRecord {
    let receivers = receivers.iter().map(|name| (*name).to_owned()).collect();
    JournalRecord::Waits { number, receivers, changed_at: 5, notice: Arc::new(notice) }
}

fn settled(receiver: &str, numbers: &[u64], is_delivered: bool) -> JournalRecord {
    settled_and_counted(receiver, numbers, is_delivered, &[])
}

fn settled_and_counted(receiver: &str, numbers: &[u64], is_delivered: bool, counted: &[u64]) -> JournalRecord {
    let (receiver, numbers, counted) = (receiver.to_owned(), numbers.to_vec(), counted.to_vec());
    JournalRecord::Settled { receiver, numbers, is_delivered, counted }
}

fn state_after(records: &[JournalRecord]) -> JournalState {
    let mut state = JournalState::default();
    records.iter().for_each(|record| state.apply(record));
    state
}

/// Some records of two receivers and four alerts.
fn records() -> impl Strategy<Value = Vec<JournalRecord>> {
    let one = (0..4_u8, 0..4_u64, any::<bool>(), any::<prop::sample::Index>());
    prop::collection::vec(one, 0..12).prop_map(|steps| {
        let mut number = 0;
        let record = |(sort, alert, flag, index): (u8, u64, bool, prop::sample::Index)| match sort {
            0 | 1 => {
                number += 1;
                let notice = if flag { firing(alert) } else { resolved(alert) };
                waits(number, &RECEIVERS[..1 + index.index(2)], notice)
            }
            2 => settled_and_counted(RECEIVERS[index.index(2)], &[alert + 1, alert + 2], flag, &[alert + 1]),
            _ => JournalRecord::Fires {
                receiver: RECEIVERS[index.index(2)].to_owned(),
                notice: Arc::new(firing(alert)),
                is_counted: flag,
            },
        };
        steps.into_iter().map(record).collect()
    })
}

/// The bytes of records, and the length after each.
fn bytes_of(records: &[JournalRecord]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let ends = records.iter().map(|record| {
        record::encode(record, &mut bytes);
        bytes.len()
    });
    let ends = ends.collect();
    (bytes, ends)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cut_anywhere_the_whole_records_before_the_cut_count(records in records()) {
        let (bytes, ends) = bytes_of(&records);
        let mut expected = JournalState::default();
        let mut whole = 0;
        for cut in 0..=bytes.len() {
            while ends.get(whole).is_some_and(|end| *end <= cut) {
                expected.apply(&records[whole]);
                whole += 1;
            }
            let (state, unread) = replay(&bytes[..cut]);
            prop_assert_eq!(&state, &expected, "cut at {}", cut);
            prop_assert_eq!(unread, cut - whole.checked_sub(1).map_or(0, |last| ends[last]));
        }
    }

    #[test]
    fn damaged_anywhere_the_records_before_the_damage_count(
        records in records(), place in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let (mut bytes, ends) = bytes_of(&records);
        prop_assume!(!bytes.is_empty());
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let whole = ends.iter().filter(|end| **end <= place).count();
        prop_assert_eq!(replay(&bytes).0, state_after(&records[..whole]));
    }

    #[test]
    fn any_bytes_are_read_up_to_the_first_damage(
        records in records(), bytes in prop::collection::vec(any::<u8>(), 0..200), payload in "[ -~]{0,80}",
    ) {
        let (whole, _) = bytes_of(&records);
        let (written, _) = reread_journal(&whole);
        let damaged = [&whole[..], &bytes].concat();
        let (again, unread) = reread_journal(&damaged);
        prop_assert_eq!((&again, unread), (&written, bytes.len()), "four bytes are no checksum by chance");
        let of_payload = [&(payload.len() as u32).to_le_bytes()[..], &crc32fast::hash(payload.as_bytes()).to_le_bytes()];
        let unknown = [&of_payload.concat()[..], payload.as_bytes(), &whole].concat();
        prop_assert_eq!(reread_journal(&unknown), (written, 0), "a payload of another form concerns itself alone");
    }

    #[test]
    fn journal_written_anew_says_the_same(records in records()) {
        let mut state = state_after(&records);
        let (bytes, _) = bytes_of(&state.records().collect::<Vec<_>>());
        let (again, unread) = replay(&bytes);
        state.receivers.retain(|_, receiver| *receiver != ReceiverState::default());
        prop_assert_eq!((again.receivers, unread), (state.receivers, 0));
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// A journal that waits for a slow disk.
fn open(folder: &Path) -> Result<Journal, JournalError> {
    open_and_count(folder, Arc::default())
}

fn open_and_count(folder: &Path, failures: Arc<AtomicU64>) -> Result<Journal, JournalError> {
    let journal = Journal::open(folder, &RECEIVERS.map(str::to_owned), failures)?;
    Ok(Journal { patience: Duration::from_secs(120), ..journal })
}

#[test]
fn state_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state_dir = folder.path().join("state");
    let records = [waits(1, &RECEIVERS, firing(1)), waits(2, &["two", "three"], firing(2)), settled("one", &[1], true)];
    let mut journal = open(&state_dir).unwrap();
    run(async {
        journal.append(&records).await;
        journal.sync().await;
    });
    drop(journal);
    let again = open(&state_dir).unwrap();
    let mut expected = state_after(&records);
    assert!(expected.receivers.remove("three").is_some(), "it is no longer configured");
    assert_eq!(*again.state(), expected);
    let mode = |path: &str| std::fs::metadata(state_dir.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("notify"), mode("notify/journal")), (0o700, 0o700, 0o600));
}

#[test]
fn file_stays_short_while_notices_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).unwrap();
    run(async {
        for number in 1..=5_000 {
            journal.append(&[waits(number, &RECEIVERS, firing(number % 10)), settled("one", &[number], true)]).await;
            journal.append(&[settled("two", &[number], false)]).await;
        }
    });
    let length = std::fs::metadata(folder.path().join("notify/journal")).unwrap().len();
    assert!(length < 2 << 20, "{length} bytes");
    let expected = journal.state().clone();
    drop(journal);
    assert_eq!(open(folder.path()).unwrap().state().receivers["one"], expected.receivers["one"]);
}

#[test]
fn damaged_file_is_read_up_to_the_damage_and_then_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify/journal");
    let mut journal = open(folder.path()).unwrap();
    run(journal.append(&[waits(1, &RECEIVERS, firing(1)), waits(2, &RECEIVERS, firing(2))]));
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for cut in (0..whole.len()).step_by(13) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let mut journal = open(folder.path()).unwrap();
        let before = journal.state().receivers.get("one").map_or(0, |one| one.waiting.len());
        run(journal.append(&[waits(3, &RECEIVERS, firing(3))]));
        drop(journal);
        assert_eq!(open(folder.path()).unwrap().state().receivers["one"].waiting.len(), before + 1, "cut at {cut}");
    }
}

#[test]
fn folder_that_cannot_be_used_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let message = |state_dir: &Path| open(state_dir).unwrap_err().to_string();
    std::fs::write(path("file"), "").unwrap();
    assert!(message(&path("file")).contains("must be a directory"), "{}", message(&path("file")));

    std::fs::create_dir_all(path("linked")).unwrap();
    std::os::unix::fs::symlink(folder.path(), path("linked/notify")).unwrap();
    assert!(matches!(open(&path("linked")), Err(JournalError::Folder { .. })));

    std::fs::create_dir_all(path("file link/notify")).unwrap();
    std::os::unix::fs::symlink(path("file"), path("file link/notify/journal")).unwrap();
    assert!(matches!(open(&path("file link")), Err(JournalError::File { .. })));

    let first = open(&path("shared")).unwrap();
    assert!(message(&path("shared")).contains("another process"), "{}", message(&path("shared")));
    drop(first);
    assert!(open(&path("shared")).is_ok());

    let journal = path("shared/notify/journal");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[8] += 1;
    std::fs::write(&journal, bytes).unwrap();
    assert!(message(&path("shared")).contains("another version"), "{}", message(&path("shared")));
}

#[test]
fn disk_that_takes_nothing_is_counted_and_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let obstacle = folder.path().join("notify/journal.new");
    std::fs::create_dir_all(&obstacle).unwrap();
    let failures = Arc::<AtomicU64>::default();
    let mut journal = open_and_count(folder.path(), Arc::clone(&failures)).unwrap();
    let records = [waits(1, &RECEIVERS, firing(1))];
    run(async {
        journal.append(&records).await;
        assert_eq!(failures.load(Relaxed), 1, "not tried again at once");
        std::fs::remove_dir(&obstacle).unwrap();
        while let Some(moment) = journal.wakes_at() {
            tokio::time::sleep_until(moment.into()).await;
            journal.append(&[]).await;
        }
    });
    drop(journal);
    assert_eq!(*open(folder.path()).unwrap().state(), state_after(&records));
}

#[test]
fn disk_that_hangs_delays_no_delivery_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal { patience: Duration::from_millis(100), ..open(folder.path()).unwrap() };
    let records = [waits(1, &RECEIVERS, firing(1)), waits(2, &RECEIVERS, firing(2))];
    let (release, hangs) = std::sync::mpsc::channel::<()>();
    run(async {
        journal.run(move |_| hangs.recv().map_err(|_| io::ErrorKind::BrokenPipe.into())).await;
        // The disk hangs until it is released: a call that waited for it would never return.
        let calls = async {
            journal.append(&records[..1]).await;
            journal.sync().await;
            tokio::time::sleep(RETRY).await;
            journal.append(&records[1..]).await;
        };
        tokio::time::timeout(Duration::from_secs(60), calls).await.expect("no call waits for the disk");
        release.send(()).unwrap();
        while let Some(moment) = journal.wakes_at() {
            tokio::time::sleep_until(moment.into()).await;
            journal.append(&[]).await;
        }
    });
    drop(journal);
    assert_eq!(*open(folder.path()).unwrap().state(), state_after(&records));
}
