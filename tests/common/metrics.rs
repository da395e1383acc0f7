//! `/metrics`, read back, and the expected values.

use std::collections::BTreeMap;

/// UDP over IPv4 and IPv6 without the payload.
pub const UDP_4: u64 = 28;
pub const UDP_6: u64 = 48;
/// The link headers of Ethernet and of libpcap's second cooked form.
pub const ETHERNET: u64 = 14;
pub const COOKED_2: u64 = 20;

/// The samples of one scrape.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Reads the text format, as far as the program writes it: no label has a quotation mark inside.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { samples: lines.map(Sample::parse).collect() }
    }

    /// The sample with this name and these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        self.number(name, labels).map(|value| value as u64)
    }

    /// The same where it may be a fraction.
    pub fn number(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &Sample| labels.iter().all(|(label, value)| sample.label(label) == *value);
        self.of(name).find(|sample| has(sample)).map(|sample| sample.value)
    }

    /// The sum over all samples with this name.
    pub fn sum(&self, name: &str) -> u64 {
        self.of(name).map(|sample| sample.value as u64).sum()
    }

    /// Bytes by flow: `10.0.0.2->10.0.0.1 udp/53(domain)`.
    pub fn flows(&self) -> BTreeMap<String, u64> {
        let mut flows = BTreeMap::new();
        for sample in self.of("hosts_src_dst") {
            let pair = sample.label("addr").split(", proto").next().unwrap_or_default();
            let twice = flows.insert(format!("{pair} {}", sample.label("port")), sample.value as u64);
            assert!(twice.is_none(), "a flow twice: {sample:?}");
        }
        flows
    }

    /// True if the interface is captured now; none when it never was.
    pub fn is_up(&self, interface: &str) -> Option<bool> {
        self.value("trafficmonitor_capture_up", &[("interface", interface)]).map(|value| value == 1)
    }

    /// The counted packets and bytes.
    pub fn counted(&self) -> Counted {
        let of = |name, interface| self.value(name, &[("interface", interface)]).unwrap_or_default();
        let names = self.of("trafficmonitor_interface_frames_total").map(|sample| sample.label("interface"));
        let totals = |name| {
            (of("trafficmonitor_interface_frames_total", name), of("trafficmonitor_interface_frame_bytes_total", name))
        };
        Counted {
            flows: self.flows(),
            packets: self.sum("trafficmonitor_traffic_packets_total"),
            interfaces: names
                .map(|name| (name.to_owned(), totals(name)))
                .filter(|(_, (frames, _))| *frames > 0)
                .collect(),
            copies: self.sum("trafficmonitor_duplicate_frames_total"),
        }
    }

    /// Packets that the kernel says it handed over: received less dropped, of all captures.
    pub fn delivered(&self) -> u64 {
        let dropped = self.of("trafficmonitor_capture_packets_dropped_total");
        let dropped: f64 = dropped.filter(|sample| sample.label("reason") == "kernel").map(|sample| sample.value).sum();
        self.sum("trafficmonitor_capture_packets_received_total") - dropped as u64
    }

    /// Each sample of a family: these labels of it, empty where it has none of the name, and its value.
    pub fn labelled(&self, name: &str, labels: &[&str]) -> Vec<(Vec<String>, f64)> {
        let read = |sample: &Sample| labels.iter().map(|label| sample.label(label).to_owned()).collect();
        self.of(name).map(|sample| (read(sample), sample.value)).collect()
    }

    fn of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let mut parts = labels.trim_end_matches('}').split('"');
        let mut read = BTreeMap::new();
        while let (Some(label), Some(value)) = (parts.next(), parts.next()) {
            read.insert(label.trim_matches([',', '=']).to_owned(), value.to_owned());
        }
        let value = value.parse().unwrap_or_else(|error| panic!("no number: {line}: {error}"));
        Self { name: name.to_owned(), labels: read, value }
    }

    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// Packets of one size.
#[derive(Debug, Clone, Copy)]
pub struct Packets {
    pub count: u64,
    /// IP bytes of each.
    pub bytes: u64,
}

impl Packets {
    /// UDP over IPv4.
    pub fn udp(count: u64, payload: u64) -> Self {
        Self { count, bytes: UDP_4 + payload }
    }

    /// UDP over IPv6.
    pub fn udp_6(count: u64, payload: u64) -> Self {
        Self { count, bytes: UDP_6 + payload }
    }
}

/// Counted or expected packets and bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counted {
    /// IP bytes by flow.
    pub flows: BTreeMap<String, u64>,
    /// IP packets.
    pub packets: u64,
    /// Frames and their bytes by interface; those without a frame are left out.
    pub interfaces: BTreeMap<String, (u64, u64)>,
    /// Copies that were left out.
    pub copies: u64,
}

impl Counted {
    /// And these packets of a flow, which an interface with Ethernet shows.
    pub fn and(self, flow: &str, interface: &str, packets: Packets) -> Self {
        self.and_behind(ETHERNET, flow, interface, packets)
    }

    /// The same with another link header of so many bytes.
    pub fn and_behind(mut self, link_header: u64, flow: &str, interface: &str, packets: Packets) -> Self {
        *self.flows.entry(flow.to_owned()).or_default() += packets.count * packets.bytes;
        self.packets += packets.count;
        let (frames, bytes) = self.interfaces.entry(interface.to_owned()).or_default();
        *frames += packets.count;
        *bytes += packets.count * (link_header + packets.bytes);
        self
    }

    /// The same after an interface is gone and retired.
    pub fn retired(mut self, interface: &str) -> Self {
        if let Some((frames, bytes)) = self.interfaces.remove(interface) {
            let retired = self.interfaces.entry("retired".to_owned()).or_default();
            (retired.0, retired.1) = (retired.0 + frames, retired.1 + bytes);
        }
        self
    }

    /// And so many copies.
    pub fn and_copies(mut self, copies: u64) -> Self {
        self.copies += copies;
        self
    }

    /// All frames that the kernel handed over.
    pub fn delivered(&self) -> u64 {
        self.interfaces.values().map(|(frames, _)| frames).sum::<u64>() + self.copies
    }
}
