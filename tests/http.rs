//! The pages and the server under them, with clients of every kind. No root: the program reads a file and serves it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "http/api/mod.rs"]
mod api;
#[path = "http/chart.rs"]
mod chart;

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use common::client::{self, Answer, connect, get, read_answer, request};
use common::exporter::{DEADLINE, Exporter, program, wait_for};
use common::exposition::{parse, sum};
use common::ip::{Ipv6, udp};
use common::link::{Link, Sample};
use common::mix;
use common::savefile::Savefile;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// The most connections that the server keeps.
const MAXIMUM_CONNECTIONS: usize = 768;

/// The mix as a file, which lives as long as the folder.
fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = mix::write(folder.path(), "mix.pcap");
    (folder, file)
}

/// An exporter that has read the mix and serves it at `listen`.
fn serving(listen: &[&str]) -> Exporter {
    let (_folder, file) = file();
    let options = listen.iter().flat_map(|address| ["-promHTTP", address]);
    let mut command = program(["-r", file.to_str().unwrap()].into_iter().chain(options));
    let exporter = Exporter::spawn(&mut command, listen.len());
    exporter.is_ready();
    exporter
}

fn serving_here() -> Exporter {
    serving(&["127.0.0.1:0"])
}

/// An exporter of a page that is larger than the kernel's buffers of an answer.
fn serving_many_rows() -> Exporter {
    let folder = tempfile::tempdir().unwrap();
    let file = many_flows(60_000).write(folder.path(), "many.pcap");
    let options = ["-promHTTP", "127.0.0.1:0", "--max-series", "60000"];
    let exporter = Exporter::start(["-r", file.to_str().unwrap()].iter().chain(&options));
    exporter.is_ready();
    exporter
}

/// So many flows, all of one second.
fn many_flows(flows: u16) -> Savefile {
    let frame = |file: Savefile, number| file.frame_at(1_700_000_000, u32::from(number), &to_its_own_address(number));
    (0..flows).fold(Savefile::new(1), frame)
}

fn to_its_own_address(number: u16) -> Sample {
    let destination = Ipv6Addr::new(0x2001, 0xdb8, 0xaaaa, 0xbbbb, 0xcccc, 0xdddd, 0xeeee, number);
    Link::ethernet().carrying(&Ipv6::carrying(udp(50_000, 443, b"")).between(mix::HOST_6, destination).build())
}

/// A client whose answer has begun; its ports, the server's first.
fn begun(exporter: &Exporter) -> (TcpStream, u16, u16) {
    let mut stream = connect(exporter.address());
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(stream.peek(&mut [0]).unwrap(), 1, "the answer has begun");
    let client = stream.local_addr().unwrap().port();
    (stream, exporter.address().port(), client)
}

/// The value of a counter of the server, by its reason.
fn counted(page: &str, family: &str, reason: &str) -> u64 {
    sum(&parse(page), &format!("trafficmonitor_http_{family}_total"), Some(("reason", reason)))
}

/// Waits until that counter has come so far.
fn is_counted(exporter: &Exporter, family: &str, reason: &str, at_least: u64) {
    wait_for(&format!("{family} by {reason}"), || {
        let page = client::ask(exporter.address(), "GET", "/metrics", &[]).ok().filter(|page| page.status == 200)?;
        (counted(&page.body, family, reason) >= at_least).then_some(())
    });
}

// ---- Pages ---------------------------------------------------------------------------------------------------------------

#[test]
fn the_metrics_are_text_0_0_4_with_the_final_state_of_the_file() {
    let exporter = serving_here();
    let answer = request(exporter.address(), "GET", "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let frames = sum(&parse(&answer.body), "trafficmonitor_interface_frames_total", None);
    assert_eq!(frames, mix::frames().len() as u64);
}

/// Asks for the metrics with header lines.
fn scrape(exporter: &Exporter, headers: &[&str]) -> Answer {
    client::ask(exporter.address(), "GET", "/metrics", headers).unwrap()
}

/// A page without the values that differ from scrape to scrape.
fn steady(page: &str) -> String {
    page.lines().filter(|line| !line.starts_with("process_")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn client_that_accepts_openmetrics_gets_it() {
    let exporter = serving_here();
    let text = "text/plain; version=0.0.4; charset=utf-8";
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    for (accept, content_type) in [
        ("*/*", text),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", text),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", open),
        ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.3", open),
        ("application/openmetrics-text;q=0,*/*", text),
    ] {
        let answer = scrape(&exporter, &[&format!("accept: {accept}")]);
        assert_eq!((answer.status, answer.header("content-type")), (200, content_type), "{accept}");
        assert_eq!(answer.body.ends_with("# EOF\n"), content_type == open, "{accept}");
        assert_eq!(answer.header("vary"), "accept, accept-encoding");
    }
}

#[test]
fn compressed_the_metrics_are_the_same() {
    let exporter = serving_here();
    for accept in ["accept: text/plain", "accept: application/openmetrics-text"] {
        let plain = scrape(&exporter, &[accept]);
        let compressed = scrape(&exporter, &[accept, "accept-encoding: deflate, gzip"]);
        assert_eq!(compressed.header("content-encoding"), "gzip");
        assert!(compressed.bytes.len() < plain.bytes.len() / 3);
        let mut page = String::new();
        flate2::read::MultiGzDecoder::new(&compressed.bytes[..]).read_to_string(&mut page).unwrap();
        assert_eq!(steady(&page), steady(&plain.body));
        assert!(plain.headers.iter().all(|(name, _)| name != "content-encoding"));
    }
}

#[test]
fn answer_that_was_cut_off_is_not_complete() {
    let exporter = serving_many_rows();
    let (mut stream, ..) = begun(&exporter);
    exporter.signal("TERM");
    exporter.ended();
    let broken = read_answer(&mut stream).map(|answer| answer.body.len());
    assert!(broken.is_err(), "{broken:?}");
}

/// Each holds a thread that renders, as long as it is not cut; the others are answered meanwhile.
#[test]
fn many_that_do_not_read_their_answers_do_not_stop_a_scraper() {
    let exporter = serving_many_rows();
    let stalling: Vec<TcpStream> = (0..100).map(|_| connect(exporter.address())).collect();
    for mut stream in &stalling {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    }
    assert_eq!(get(exporter.address(), "/-/healthy"), "healthy\n");
    let scraped = wait_for("an answer of 503 or 200", || {
        let answer = client::ask(exporter.address(), "GET", "/metrics", &["accept-encoding: gzip"]).ok()?;
        (answer.status == 200 || answer.status == 503).then_some(answer)
    });
    assert!(scraped.status == 200 || scraped.header("retry-after") == "1");
    wait_for("a scrape", || {
        let answer = client::ask(exporter.address(), "GET", "/metrics", &["accept-encoding: gzip"]).ok()?;
        (answer.status == 200).then_some(())
    });
    drop(stalling);
}

#[test]
fn a_query_behind_the_path_changes_nothing() {
    let exporter = serving_here();
    assert_eq!(request(exporter.address(), "GET", "/metrics?name[]=up").status, 200);
}

#[test]
fn the_landing_page_leads_to_all_others_and_names_the_version() {
    let exporter = serving_here();
    let answer = request(exporter.address(), "GET", "/");
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(answer.body.contains(env!("CARGO_PKG_VERSION")), "{}", answer.body);
    let links: Vec<&str> =
        answer.body.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
    let expected =
        ["dashboard", "metrics", "active", "all", "capabilities", "api/v1/snapshot", "runbooks", "-/healthy"];
    assert_eq!(links, [&expected[..], &["-/ready"]].concat());
    links.iter().for_each(|link| assert!(!get(exporter.address(), &format!("/{link}")).is_empty(), "{link}"));
}

#[test]
fn unknown_path_is_404() {
    let exporter = serving_here();
    for path in ["/metric", "/metrics/", "//metrics", "/-/reload/", "/..%2fmetrics", "/index.html"] {
        assert_eq!(request(exporter.address(), "GET", path).status, 404, "{path}");
    }
}

#[test]
fn other_methods_are_405_with_the_allowed_ones() {
    let exporter = serving_here();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let answer = request(exporter.address(), method, "/metrics");
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let exporter = serving_here();
    for path in ["/metrics", "/", "/-/healthy", "/nowhere"] {
        let (head, whole) = (request(exporter.address(), "HEAD", path), request(exporter.address(), "GET", path));
        assert_eq!((head.status, head.body.as_str()), (whole.status, ""), "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"), "{path}");
        assert!(!head.headers.contains(&("content-length".to_owned(), "0".to_owned())), "{path}: {head:?}");
    }
}

#[test]
fn a_connection_takes_one_request_after_the_other() {
    let exporter = serving_here();
    let mut stream = connect(exporter.address());
    let ask = |close: &str| format!("GET /-/healthy HTTP/1.1\r\nhost: x\r\n{close}\r\n");
    write!(stream, "{}{}{}", ask(""), ask(""), ask("connection: close\r\n")).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}

#[test]
fn it_is_healthy_but_not_ready_while_it_reads() {
    let mut command = program(["-r", "-", "-promHTTP", "127.0.0.1:0"]);
    let (input, mut capture) = std::io::pipe().unwrap();
    let exporter = Exporter::spawn(command.stdin(Stdio::from(input)), 1);
    drop(command);
    assert_eq!(get(exporter.address(), "/-/healthy"), "healthy\n");
    assert_eq!(request(exporter.address(), "GET", "/-/ready").status, 503);
    parse(&get(exporter.address(), "/metrics"));
    capture.write_all(&Savefile::new(1).frames(&mix::frames()).build()).unwrap();
    drop(capture);
    exporter.is_ready();
    let page = parse(&get(exporter.address(), "/metrics"));
    assert_eq!(sum(&page, "trafficmonitor_interface_frames_total", None), mix::frames().len() as u64);
}

#[test]
fn standard_input_is_served_while_it_is_still_read() {
    let mut command = program(["-r", "-", "-promHTTP", "127.0.0.1:0", "-promRefresh", "100ms"]);
    let (input, mut capture) = std::io::pipe().unwrap();
    let exporter = Exporter::spawn(command.stdin(Stdio::from(input)), 1);
    drop(command);
    let count = || sum(&parse(&get(exporter.address(), "/metrics")), "trafficmonitor_interface_frames_total", None);
    let wait_for = |frames: usize| wait_for("frames", || (count() == frames as u64).then_some(()));
    let frames = mix::frames();
    let (start, all) = (Savefile::new(1).build().len(), Savefile::new(1).frames(&frames).build());
    let end_of = |frames: usize| Savefile::new(1).frames(&mix::frames()[..frames]).build().len();
    // A capture that has begun and shows no frame yet.
    capture.write_all(&all[..start]).unwrap();
    assert_eq!(request(exporter.address(), "GET", "/-/ready").status, 503);
    let mut written = start;
    for frames in [1, 2, 7] {
        // The next frame is on its way when they are counted.
        capture.write_all(&all[written..end_of(frames) + 20]).unwrap();
        written = end_of(frames) + 20;
        wait_for(frames);
        exporter.is_ready();
    }
    capture.write_all(&all[written..]).unwrap();
    drop(capture);
    wait_for(frames.len());
    exporter.signal("TERM");
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
    assert!(messages.contains(&format!("{} frames read from standard input", frames.len())), "{messages}");
}

#[test]
fn broken_file_is_served_up_to_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.pcap");
    let whole = Savefile::new(1).frames(&mix::frames()).build();
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let mut exporter = Exporter::start(["-r", file.to_str().unwrap(), "-promHTTP", "127.0.0.1:0"]);
    assert!(exporter.line_with("capture file is broken; serving the part that could be read").contains("broken.pcap"));
    exporter.is_ready();
    let page = parse(&get(exporter.address(), "/metrics"));
    assert_eq!(sum(&page, "trafficmonitor_interface_frames_total", None), mix::frames().len() as u64 - 1);
    exporter.signal("TERM");
    assert_eq!(exporter.ended().0.code(), Some(1));
}

// ---- Addresses -----------------------------------------------------------------------------------------------------------

/// True if this machine has IPv6; without IPv6 a port without a host is one of IPv4 only.
fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn is_served(host: impl Into<IpAddr>, port: u16) -> bool {
    TcpStream::connect(SocketAddr::new(host.into(), port)).is_ok()
}

#[test]
fn a_port_without_a_host_takes_clients_of_ipv4_and_ipv6() {
    let exporter = serving(&[":0"]);
    let port = exporter.address().port();
    assert!(is_served(Ipv4Addr::LOCALHOST, port));
    assert_eq!(is_served(Ipv6Addr::LOCALHOST, port), has_ipv6());
}

#[test]
fn an_address_is_listened_on_alone() {
    assert_eq!(serving_here().address().ip(), Ipv4Addr::LOCALHOST);
    if has_ipv6() {
        let exporter = serving(&["[::1]:0"]);
        assert_eq!(exporter.address().ip(), Ipv6Addr::LOCALHOST);
        assert_eq!(get(exporter.address(), "/-/ready"), "ready\n");
    }
}

#[test]
fn several_addresses_serve_the_same() {
    let exporter = serving(&["127.0.0.1:0", "127.0.0.2:0", ":0"]);
    assert_eq!(exporter.addresses.len(), 3);
    for address in &exporter.addresses {
        let near = SocketAddr::new(
            if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() },
            address.port(),
        );
        assert_eq!(get(near, "/-/ready"), "ready\n", "{address}");
    }
}

#[test]
fn port_in_use_is_reported_with_advice() {
    let (_folder, file) = file();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for listen in [taken.local_addr().unwrap().to_string(), format!(":{}", taken.local_addr().unwrap().port())] {
        let output = program(["-r", file.to_str().unwrap(), "-promHTTP", &listen]).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        for words in [&format!("cannot listen on {listen}: "), "in use", "the port is in use", "-promHTTP"] {
            assert!(message.contains(words), "no {words:?} in {message}");
        }
    }
}

#[test]
fn address_of_no_interface_is_reported() {
    let (_folder, file) = file();
    let output = program(["-r", file.to_str().unwrap(), "-promHTTP", "240.0.0.1:0"]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("cannot listen on 240.0.0.1:0: "), "{message}");
}

// ---- Clients that mean no good -------------------------------------------------------------------------------------------

/// Waits until the server closes the connection, whatever it sends before.
fn is_closed(mut stream: TcpStream) {
    let mut sink = Vec::new();
    match stream.read_to_end(&mut sink) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
}

/// All at once, since the server waits for each of them for some seconds.
#[test]
fn clients_that_do_nothing_are_closed() {
    let exporter = serving_here();
    let silent = ["", "G", "GET /metrics HTTP/1.1\r\n", "GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n"];
    let waiting = silent.map(|sent| {
        let mut stream = connect(exporter.address());
        stream.write_all(sent.as_bytes()).unwrap();
        thread::spawn(move || is_closed(stream))
    });
    assert_eq!(get(exporter.address(), "/-/healthy"), "healthy\n");
    for (sent, waiting) in silent.iter().zip(waiting) {
        waiting.join().unwrap_or_else(|_| panic!("after {sent:?} the connection stays open"));
    }
    is_counted(&exporter, "connections_cut", "silent", 3);
    is_counted(&exporter, "connections_cut", "idle", 1);
    assert_eq!(get(exporter.address(), "/-/healthy"), "healthy\n");
}

/// Without a limit such clients would hold every connection, and an answer in memory for each.
#[test]
fn a_client_that_does_not_read_its_answer_is_closed() {
    let exporter = serving_many_rows();
    let (_stalling, server, client) = begun(&exporter);
    assert!(is_established(server, client));
    wait_for("the end of a stalled connection", || (!is_established(server, client)).then_some(()));
    is_counted(&exporter, "connections_cut", "stalled", 1);
    assert_eq!(get(exporter.address(), "/-/healthy"), "healthy\n");
}

#[test]
fn a_client_that_reads_a_byte_at_a_time_is_closed() {
    let exporter = serving_many_rows();
    let (mut slow, server, client) = begun(&exporter);
    wait_for("the end of a slow connection", || {
        // The data in the kernel may be read on after the end; a reset shows as an error.
        drop(slow.read(&mut [0]));
        (!is_established(server, client)).then_some(())
    });
    let page = get(exporter.address(), "/metrics");
    // So little is nothing to the kernel, which may give the connection up first.
    assert_eq!(counted(&page, "connections_cut", "slow") + counted(&page, "connections_cut", "stalled"), 1);
}

/// It takes something all the time, which the kernel has nothing against, and would take minutes for all.
#[test]
fn a_client_that_takes_too_long_for_its_answer_is_closed() {
    let exporter = serving_many_rows();
    let (mut slow, server, client) = begun(&exporter);
    // By the clock: a busy machine must not make it a client that reads nothing for 10 s, which ends for another reason.
    let (start, mut read) = (Instant::now(), 0);
    wait_for("the end of a slow connection", || {
        while read < 40 * start.elapsed().as_millis() {
            match slow.read(&mut [0; 2_000]) {
                Ok(bytes) if bytes > 0 => read += bytes as u128,
                _ => break,
            }
        }
        (!is_established(server, client)).then_some(())
    });
    is_counted(&exporter, "connections_cut", "slow", 1);
}

/// More than the server keeps, and less than the 1,024 files that a process may have open on most systems.
const HELD: usize = 500;

/// As many as one client can open; meanwhile another one scrapes again and again.
#[test]
fn ten_thousand_connections_of_one_client_cost_another_no_scrape() {
    let exporter = serving_here();
    let mut held = Vec::new();
    for number in 0..10_000 {
        let stream = connect_from(GREEDY, exporter.address()).expect("the server accepts");
        if held.len() < HELD {
            held.push(stream);
        }
        if number % 100 == 0 {
            assert_eq!(request(exporter.address(), "GET", "/metrics").status, 200, "after {number} connections");
        }
    }
    let page = get(exporter.address(), "/metrics");
    for reason in ["full", "share", "accept"] {
        assert_eq!(counted(&page, "connections_refused", reason), 0, "{reason}");
    }
}

/// They take all the renderings that they can have. A client without one is served at once, and the others get the
/// reason of their refusal.
#[test]
fn clients_that_hold_renderings_leave_some_for_others() {
    let exporter = serving_many_rows();
    let stalling: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = connect_from(GREEDY, exporter.address()).expect("the server accepts");
            stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            stream
        })
        .collect();
    wait_for("an answer has begun", || stalling.iter().any(is_answered).then_some(()));
    for _ in 0..3 {
        assert_eq!(scrape(&exporter, &["accept-encoding: gzip"]).status, 200);
    }
    is_counted(&exporter, "scrapes_refused", "share", 1);
    assert_eq!(counted(&get(exporter.address(), "/metrics"), "scrapes_refused", "full"), 0);
}

/// The address of a client that means no good.
const GREEDY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// Connects from that address.
fn connect_from(client: Ipv4Addr, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((client, 0)).into())?;
    socket.connect_timeout(&server.into(), DEADLINE)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.set_write_timeout(Some(DEADLINE))?;
    Ok(socket.into())
}

fn is_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let is_answered = matches!(stream.peek(&mut [0]), Ok(1));
    stream.set_nonblocking(false).unwrap();
    is_answered
}

#[test]
fn connections_take_a_bounded_number_of_descriptors() {
    let exporter = serving_here();
    let open_files = || std::fs::read_dir(format!("/proc/{}/fd", exporter.id())).unwrap().count();
    let held: Vec<TcpStream> = (0..MAXIMUM_CONNECTIONS).map(|_| connect(exporter.address())).collect();
    for number in held.len()..10_000 {
        assert_eq!(request(exporter.address(), "GET", "/-/healthy").status, 200, "{number}");
        if number % 1_000 == 0 {
            let open = open_files();
            assert!(open < MAXIMUM_CONNECTIONS + 100, "{open} files are open after {number} connections");
        }
    }
    drop(held);
    wait_for("the end of the others", || (open_files() < 50).then_some(()));
}

/// True if the kernel holds the server's end of a connection over IPv4.
fn is_established(server: u16, client: u16) -> bool {
    const ESTABLISHED: &str = "01";
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = |field: &str| u16::from_str_radix(field.rsplit(':').next().unwrap(), 16).unwrap();
        (port(fields[1]), port(fields[2]), fields[3]) == (server, client, ESTABLISHED)
    })
}

#[test]
fn malformed_request_does_no_harm() {
    let exporter = serving_here();
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    for nonsense in [
        &b"\0\xff\xfe\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ] {
        let mut stream = connect(exporter.address());
        // The server may have had enough before all is sent.
        stream.write_all(nonsense).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        is_closed(stream);
    }
    assert_eq!(get(exporter.address(), "/-/healthy"), "healthy\n");
}

#[test]
fn idle_connections_of_its_own_address_do_not_stop_a_scraper() {
    let exporter = serving_here();
    let idle: Vec<TcpStream> = (0..MAXIMUM_CONNECTIONS).map(|_| connect(exporter.address())).collect();
    for _ in 0..10 {
        assert_eq!(request(exporter.address(), "GET", "/metrics").status, 200);
    }
    drop(idle);
}

// ---- Signals -------------------------------------------------------------------------------------------------------------

#[test]
fn term_and_int_end_it_with_status_0() {
    for name in ["TERM", "INT"] {
        let exporter = serving_here();
        exporter.signal(name);
        let (status, messages) = exporter.ended();
        assert_eq!(status.code(), Some(0), "{name}: {messages}");
        assert!(messages.contains(&format!("{} frames read from ", mix::frames().len())), "{messages}");
    }
}

#[test]
fn clients_do_not_hold_up_its_end() {
    let exporter = serving_here();
    let mut clients: Vec<TcpStream> = (0..20).map(|_| connect(exporter.address())).collect();
    clients.iter_mut().skip(10).for_each(|client| client.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap());
    get(exporter.address(), "/metrics");
    exporter.signal("TERM");
    assert_eq!(exporter.ended().0.code(), Some(0));
}

/// Both signals wait until the program goes on; the idle client keeps it from ending in between.
#[test]
fn a_second_signal_ends_it_at_once() {
    let exporter = serving_here();
    let _idle = connect(exporter.address());
    get(exporter.address(), "/-/healthy");
    for name in ["STOP", "TERM", "INT", "CONT"] {
        exporter.signal(name);
    }
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(1), "{messages}");
}

/// As when a supervisor signals a process and then its group.
#[test]
fn the_same_signal_again_at_once_is_one() {
    let exporter = serving_here();
    get(exporter.address(), "/-/healthy");
    exporter.signal("TERM");
    exporter.signal("TERM");
    let (status, messages) = exporter.ended();
    assert_eq!(status.code(), Some(0), "{messages}");
    assert!(messages.contains("read from"), "{messages}");
}

#[test]
fn it_ends_while_it_waits_for_more_of_its_input() {
    let mut command = program(["-r", "-", "-promHTTP", "127.0.0.1:0"]);
    let (input, mut capture) = std::io::pipe().unwrap();
    let exporter = Exporter::spawn(command.stdin(Stdio::from(input)), 1);
    capture.write_all(&Savefile::new(1).frames(&mix::frames()).build()).unwrap();
    exporter.signal("TERM");
    assert_eq!(exporter.ended().0.code(), Some(0));
}
