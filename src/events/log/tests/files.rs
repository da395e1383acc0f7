//! Files that are continued, moved, rotated and emptied while events are written.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;

fn numbered(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
}

fn report(log: &EventLog, numbers: std::ops::Range<u64>) {
    let mut events = log.sender(SendingPace::File);
    numbers.for_each(|number| events.report(&violation(number)));
}

#[test]
fn file_is_continued_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let path = folder.path().join(format!("{format:?}"));
        for start_at in [0, 10, 20] {
            let log = start(config(format, &path));
            report(&log, start_at..start_at + 10);
            finish(log);
        }
        assert_eq!(numbers(format, &path), (0..30).collect::<Vec<_>>(), "{format:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0, "other users cannot read it");
    }
}

#[test]
fn torn_last_line_is_not_glued_to_the_next_event() {
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let path = folder.path().join(format!("{format:?}"));
        let log = start(config(format, &path));
        report(&log, 0..3);
        finish(log);
        let whole = fs::read(&path).unwrap();
        for cut in 1..=40 {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let log = start(config(format, &path));
            report(&log, 7..8);
            finish(log);
            if format == EventFormat::Json {
                assert_eq!(numbers(format, &path).last(), Some(&7));
            } else {
                let text = fs::read_to_string(&path).unwrap();
                let last = text.lines().last().unwrap();
                let alone = folder.path().join("alone");
                let header = if format == EventFormat::Csv { super::form::csv_header() } else { String::new() };
                fs::write(&alone, header + last + "\n").unwrap();
                assert_eq!(numbers(format, &alone), [7], "{format:?} cut by {cut}");
            }
        }
    }
}

#[test]
fn torn_header_of_csv_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    for cut in [1, 5, 100] {
        fs::write(&path, &super::form::csv_header()[..cut]).unwrap();
        let log = start(config(EventFormat::Csv, &path));
        report(&log, 1..3);
        finish(log);
        assert_eq!(numbers(EventFormat::Csv, &path), [1, 2]);
    }
}

/// As logrotate does it: the file is renamed, then the program is told.
#[test]
fn rename_and_reopen_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let path = folder.path().join(format!("{format:?}"));
        let log = start(Config { buffer_bytes: 1_000, ..config(format, &path) });
        let reopener = log.reopener();
        let moved: Vec<PathBuf> = std::thread::scope(|scope| {
            scope.spawn(|| report(&log, 0..20_000));
            let moves = (1..=10).map(|number| {
                wait_for("events", || fs::metadata(&path).is_ok_and(|file| file.len() > 3_000));
                let to = numbered(&path, number);
                fs::rename(&path, &to).unwrap();
                reopener.reopen();
                wait_for("a new file", || path.exists());
                to
            });
            moves.collect()
        });
        finish(log);
        let files = moved.iter().chain([&path]);
        let all: Vec<u64> = files.flat_map(|file| numbers(format, file)).collect();
        assert_eq!(all, (0..20_000).collect::<Vec<_>>(), "{format:?}");
    }
}

#[test]
fn moved_or_removed_file_is_replaced_without_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = start(Config { buffer_bytes: 0, ..config(EventFormat::JsonLines, &path) });
    let mut events = log.sender(SendingPace::Live);
    for number in 1..=2 {
        if number == 1 {
            fs::rename(&path, numbered(&path, 1)).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        wait_for("a new file", || {
            events.report(&violation(number));
            path.exists()
        });
    }
    finish(log);
    assert!(numbers(EventFormat::JsonLines, &path).iter().all(|number| *number == 2));
}

/// As logrotate's copytruncate: the file is copied and then emptied. Events between the two are lost; no others are.
#[test]
fn emptied_file_has_no_hole_and_no_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    for format in [EventFormat::Console, EventFormat::Csv, EventFormat::JsonLines] {
        let path = folder.path().join(format!("{format:?}"));
        let log = start(Config { buffer_bytes: 1_000, ..config(format, &path) });
        let reported = std::thread::scope(|scope| {
            let emptying = scope.spawn(|| empty_ten_times(&path));
            let mut events = log.sender(SendingPace::File);
            let numbers = (0..).take_while(|_| !emptying.is_finished());
            let reported = numbers.inspect(|&number| events.report(&violation(number))).count() as u64;
            emptying.join().unwrap();
            reported
        });
        report(&log, reported..reported + 100);
        finish(log);
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.contains(&0), "{format:?}: a hole");
        let rest = numbers_without_header(format, &path);
        assert!(rest.is_sorted() && rest.last() == Some(&(reported + 99)), "{format:?}");
    }
}

fn empty_ten_times(path: &Path) {
    for _ in 0..10 {
        wait_for("lines", || fs::metadata(path).is_ok_and(|file| file.len() > 3_000));
        fs::copy(path, numbered(path, 1)).unwrap();
        fs::OpenOptions::new().write(true).truncate(true).open(path).unwrap();
    }
}

/// The header is missing if the file was emptied between the check and the write.
fn numbers_without_header(format: EventFormat, path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    if format == EventFormat::Csv && !text.starts_with("event,") {
        fs::write(path, super::form::csv_header() + &text).unwrap();
    }
    numbers(format, path)
}

#[test]
fn emptied_array_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.json");
    let log = start(Config { buffer_bytes: 0, ..config(EventFormat::Json, &path) });
    report(&log, 0..5);
    wait_for("events", || written(&log) == 5);
    fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    report(&log, 5..7);
    finish(log);
    assert_eq!(numbers(EventFormat::Json, &path), [5, 6]);
}

#[test]
fn full_file_is_rotated_and_the_oldest_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let path = folder.path().join(format!("{format:?}"));
        let limits = Config { max_bytes: Some(20_000), rotations: 3, buffer_bytes: 1_000, ..config(format, &path) };
        let log = start(limits);
        report(&log, 0..1_000);
        finish(log);
        let files: Vec<PathBuf> =
            [3, 2, 1].map(|number| numbered(&path, number)).into_iter().chain([path.clone()]).collect();
        let kept: Vec<u64> = files.iter().flat_map(|file| numbers(format, file)).collect();
        assert_eq!(kept, (kept[0]..1_000).collect::<Vec<_>>(), "{format:?}");
        assert!(kept[0] > 0 && !numbered(&path, 4).exists(), "{format:?}: {}", kept[0]);
        for file in &files {
            assert!(fs::metadata(file).unwrap().len() <= 20_000, "{}", file.display());
        }
    }
}

#[test]
fn old_file_is_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let limits =
        Config { max_age: Some(Duration::from_millis(200)), buffer_bytes: 0, ..config(EventFormat::JsonLines, &path) };
    let log = start(limits);
    let mut events = log.sender(SendingPace::Live);
    wait_for("a rotated file", || {
        events.report(&violation(1));
        numbered(&path, 1).exists()
    });
    finish(log);
}

#[test]
fn symbolic_link_is_followed_and_its_target_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let log = start(Config {
        max_bytes: Some(2_000),
        rotations: 50,
        buffer_bytes: 500,
        ..config(EventFormat::JsonLines, &link)
    });
    report(&log, 0..20);
    finish(log);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(numbered(&target, 1).exists() && !numbered(&link, 1).exists());
}

#[test]
fn unusable_files_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("other.csv"), "a,b,c\n1,2,3\n").unwrap();
    fs::write(path("other.json"), "{\"a\":1}\n").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    let _other = start(config(EventFormat::Json, &path("busy.json")));
    for (format, name, reason) in [
        (EventFormat::JsonLines, "", "it is a directory"),
        (EventFormat::Json, "", "it is a directory"),
        (EventFormat::JsonLines, "missing/log", "No such file or directory (os error 2); create the directory "),
        (EventFormat::Csv, "other.csv", "other columns"),
        (EventFormat::Json, "other.json", "not a JSON array"),
        (EventFormat::JsonLines, "busy.json", "events of another format"),
        (EventFormat::JsonLines, "other.csv", "events of another format"),
        (EventFormat::Console, "other.json", "events of another format"),
        (EventFormat::Json, "pipe", "use jsonl"),
        (EventFormat::Json, "busy.json", "another process writes to it"),
    ] {
        let error = EventLog::check(&config(format, &path(name))).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("cannot open the event log"), "{name}: {error}");
    }
    assert_eq!(fs::read_to_string(path("other.csv")).unwrap(), "a,b,c\n1,2,3\n");
}
