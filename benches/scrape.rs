//! The cost of a scrape: process CPU and memory of the program while it serves 1,000, 10,000 and 100,000 rows.
//!
//! `cargo bench --bench scrape` lets the program read a generated capture with as many flows as rows are wanted. Then
//! it scrapes the program over loopback, plain and compressed, with the families of the older program (two lines a
//! row) and without. CPU is the kernel's account of the program from the first scrape to the last, sending included.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Rows, and scrapes enough for the kernel's clock of 10 ms.
const CASES: [(u32, u32); 3] = [(1_000, 500), (10_000, 100), (100_000, 20)];
/// Ticks a second of the times in /proc.
const TICKS: f64 = 100.0;

fn main() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for (rows, scrapes) in CASES {
        let capture = folder.join(format!("flows-{rows}.pcap"));
        write_flows(rows, &capture).expect("the capture is written");
        for seed in [true, false] {
            let program = Program::serving(&capture, rows, seed);
            for coding in ["identity", "gzip"] {
                program.measure(rows, seed, coding, scrapes);
            }
        }
    }
}

// ---- The capture ---------------------------------------------------------------------------------------------------------

/// A UDP packet a flow, one in five over IPv6, to three services.
fn write_flows(flows: u32, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 128, 1] {
        file.write_all(&word.to_le_bytes())?;
    }
    for number in 0..flows {
        let frame = frame(number);
        for word in [1_700_000_000 + number / 1_000, number % 1_000 * 1_000, frame.len() as u32, frame.len() as u32] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&frame)?;
    }
    file.flush()
}

fn frame(number: u32) -> Vec<u8> {
    let [a, b, c, d] = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
    let [_, n2, n1, n0] = number.to_be_bytes();
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if number.is_multiple_of(5) {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 40, 17, 64]);
        frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n2, n1, n0]);
        frame.extend([0x20, 1, 0x0d, 0xb8, a, b, c, d, 0, 0, 0, 0, 0, n2, n1, n0]);
    } else {
        frame.extend([0x08, 0, 0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, n2, n1, n0, 198, 18 + (a & 1), b, c]);
    }
    let port = [443_u16, 53, 60_002][number as usize % 3];
    frame.extend([50_000_u16.to_be_bytes(), port.to_be_bytes(), 40_u16.to_be_bytes(), [0, 0]].concat());
    frame.extend([0; 32]);
    frame
}

// ---- The program ---------------------------------------------------------------------------------------------------------

/// The exporter, killed when it is dropped.
struct Program {
    process: Child,
    address: String,
    /// Before the first scrape, in KiB.
    memory: u64,
}

impl Program {
    fn serving(capture: &Path, rows: u32, seed: bool) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trafficmonitor"));
        command.arg("-r").arg(capture).args(["-promHTTP", "127.0.0.1:0"]);
        command.args(["--max-series", &rows.to_string(), "--max-flows", &(rows * 2).to_string()]);
        command.arg(format!("--metrics.seed={seed}")).stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(process.stderr.take().expect("its standard error")).lines();
        let line = lines.map_while(Result::ok).find(|line| line.contains("serving /metrics")).expect("it serves");
        let address = line.rsplit("address=").next().expect("an address").trim_matches('"').to_owned();
        let mut program = Self { process, address, memory: 0 };
        while !program.ask("/-/ready", "identity").starts_with(b"HTTP/1.1 200") {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        program.memory = program.memory("VmRSS:");
        std::fs::write(program.file("clear_refs"), "5").expect("the peak is reset");
        program
    }

    /// The whole answer.
    fn ask(&self, path: &str, coding: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).expect("it accepts");
        let close = "connection: close\r\n";
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\naccept-encoding: {coding}\r\n{close}\r\n")
            .expect("it listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        answer
    }

    fn measure(&self, rows: u32, seed: bool, coding: &str, scrapes: u32) {
        let length = self.ask("/metrics", coding).len();
        let before = self.cpu_ticks();
        (0..scrapes).for_each(|_| drop(self.ask("/metrics", coding)));
        let milliseconds = (self.cpu_ticks() - before) as f64 * 1_000.0 / TICKS / f64::from(scrapes);
        let extra = self.memory("VmHWM:").saturating_sub(self.memory);
        let families = if seed { "with" } else { "without" };
        println!(
            "scrape/{rows}/{coding}, {families} the older families: {milliseconds:.2} ms CPU, {:.2} MB sent, {:.1} MiB above \
             what it took before the first scrape",
            length as f64 / 1e6,
            extra as f64 / 1024.0,
        );
    }

    fn file(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.process.id()).into()
    }

    /// User and system time of the process.
    fn cpu_ticks(&self) -> u64 {
        let text = std::fs::read_to_string(self.file("stat")).expect("its times");
        let fields: Vec<&str> = text.rsplit(')').next().expect("fields").split_whitespace().collect();
        fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum()
    }

    /// In KiB.
    fn memory(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(self.file("status")).expect("its state");
        let line = text.lines().find(|line| line.starts_with(name)).expect("the line");
        line.split_whitespace().nth(1).and_then(|value| value.parse().ok()).expect("a number")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
