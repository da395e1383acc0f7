//! Full disks, and processes that are killed while they write.

use std::io::Write as _;
use std::path::PathBuf;

use super::*;
use crate::os::rerun;

/// Number of kills in a test; more with this variable.
const KILLS: (&str, u32) = ("EVENT_LOG_TEST_KILLS", 12);

fn path_of(format: EventFormat, directory: &Path) -> PathBuf {
    directory.join(format!("{format:?}"))
}

/// Writes to a log of each format until it is killed.
#[test]
#[ignore = "needs root: is run by another test, which kills it"]
fn writes_until_it_is_killed() {
    let Some(folder) = rerun::directory() else { return };
    let log = |format| start(Config { buffer_bytes: 2_000, ..config(format, &path_of(format, &folder)) });
    let logs = FORMATS.map(log);
    println!("{}", rerun::BEGINS);
    let mut senders = logs.each_ref().map(|log| log.sender(SendingPace::File));
    for number in 0.. {
        senders.iter_mut().for_each(|sender| sender.report(&violation(number)));
    }
}

/// The lines of a file that was cut off, without the last one if it is torn.
fn whole_lines(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes[..end].to_vec()
}

#[test]
fn every_whole_line_of_a_killed_process_parses() {
    let kills = std::env::var(KILLS.0).ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS.1);
    let mut state = u64::from(std::process::id());
    println!("seed {state}");
    let test = rerun::path(module_path!(), "writes_until_it_is_killed");
    let (mut events, mut arrays) = (0, 0);
    for _ in 0..kills {
        let folder = tempfile::tempdir().unwrap();
        state = crate::tables::sampling::mixed(state.wrapping_add(1));
        rerun::kill_after(Duration::from_micros(state % 200_000), &test, folder.path());
        let array = path_of(EventFormat::Json, folder.path());
        let text = fs::read(&array).unwrap();
        arrays += u32::from(serde_json::from_slice::<Vec<Value>>(&text).is_ok());
        for format in FORMATS {
            let path = path_of(format, folder.path());
            let cut = folder.path().join("cut");
            if format != EventFormat::Json {
                fs::write(&cut, whole_lines(&path)).unwrap();
                events += if fs::metadata(&cut).unwrap().len() > 0 { numbers(format, &cut).len() } else { 0 };
            }
            // The next start repairs what was torn, and goes on behind it.
            let log = start(config(format, &path));
            log.sender(SendingPace::File).report(&violation(7));
            finish(log);
            let last = if format == EventFormat::Json { numbers(format, &path) } else { last_number(format, &path) };
            assert_eq!(last.last(), Some(&7), "{format:?}");
        }
    }
    assert!(events > 1_000, "{events} events");
    // A kill in the middle of one write may tear it; between writes it cannot.
    assert!(arrays * 10 >= kills * 8, "{arrays} of {kills} arrays were whole without a repair");
}

fn last_number(format: EventFormat, path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    let alone = path.with_extension("alone");
    let header = if format == EventFormat::Csv { form::csv_header() } else { String::new() };
    fs::write(&alone, header + text.lines().last().unwrap() + "\n").unwrap();
    numbers(format, &alone)
}

#[test]
fn file_that_cannot_be_written_is_counted_and_keeps_its_events() {
    let log = start(Config { buffer_bytes: 0, ..config(EventFormat::JsonLines, Path::new("/dev/full")) });
    let mut events = log.sender(SendingPace::Live);
    (0..200_000).for_each(|number| events.report(&violation(number)));
    let errors = log.figures().write_errors;
    wait_for("failures", || errors.load(Ordering::Relaxed) >= 2);
    assert!(events.lost().load(Ordering::Relaxed) > 10_000 && written(&log) == 0);
    assert!(log.finish(Instant::now() + Duration::from_millis(50)) > 0);
}

/// Fills the disk of a file.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[1; 1_000]).is_ok() {}
}

#[test]
#[ignore = "needs root: mounts a file system"]
fn writing_goes_on_without_a_torn_line_once_a_full_disk_has_space() {
    const NAME: &str = "writing_goes_on_without_a_torn_line_once_a_full_disk_has_space";
    let Some(disk) = rerun::directory() else {
        rerun::on_disk(1_024, &rerun::path(module_path!(), NAME));
        return;
    };
    for format in FORMATS {
        let path = path_of(format, &disk);
        let log = start(Config { buffer_bytes: 1_000, ..config(format, &path) });
        let mut events = log.sender(SendingPace::Live);
        events.report(&violation(0));
        wait_for("the first event", || written(&log) == 1);
        let filler = disk.join("filler");
        fill(&filler);
        let errors = log.figures().write_errors;
        let mut sent = 1;
        wait_for("a failure", || {
            events.report(&violation(sent));
            sent += 1;
            errors.load(Ordering::Relaxed) >= 2
        });
        assert_eq!(numbers(format, &path), (0..written(&log)).collect::<Vec<_>>(), "{format:?}: no torn line");
        fs::remove_file(&filler).unwrap();
        wait_for("all written", || written(&log) == sent);
        finish(log);
        assert_eq!(events.lost().load(Ordering::Relaxed), 0);
        assert_eq!(numbers(format, &path), (0..sent).collect::<Vec<_>>(), "{format:?}");
        fs::remove_file(&path).unwrap();
    }
}
