//! Lines of two addresses, a service and figures in columns, within the width of the table.
//!
//! Takes lines; gives text. Must not know what the figures mean.
//!
//! If addresses are too long for their columns, the name of the service is left out. A pair of long IPv6 addresses does
//! not fit beside the figures at all. Such a line becomes two lines: the first address alone, and the second with the
//! rest. So the figures of all lines have the same columns.

use std::io::{self, Write};

use super::WIDTH;

/// Between two columns.
const GAP: usize = 2;

/// Width of a pair of IPv4 addresses, which names of services do not take away.
const IPV4_PAIR: usize = 2 * 15 + GAP;

pub(super) struct Heads {
    pub ends: [&'static str; 2],
    pub service: &'static str,
    pub figures: &'static [&'static str],
}

pub(super) struct TableLine {
    pub ends: [String; 2],
    /// Without its name: `443/tcp`.
    pub service: String,
    /// With its name, where it has one: `443/tcp https`.
    pub named_service: Option<String>,
    pub figures: Vec<String>,
}

impl TableLine {
    /// The service with its name if that fits into `width`.
    fn service(&self, width: usize) -> &str {
        self.named_service.as_deref().filter(|named| named.len() <= width).unwrap_or(&self.service)
    }
}

struct Widths {
    ends: [usize; 2],
    service: usize,
    figures: Vec<usize>,
}

impl Widths {
    /// Columns as wide as their texts if all fit. Otherwise the column of services becomes narrower, until a pair of
    /// IPv4 addresses fits. Longer pairs take two lines.
    fn of(heads: &Heads, lines: &[TableLine]) -> Self {
        let longest = |head: &str, texts: &mut dyn Iterator<Item = &str>| {
            texts.map(str::len).chain([head.len()]).max().unwrap_or(0)
        };
        let figure =
            |(at, head): (usize, &&str)| longest(head, &mut lines.iter().map(|line| line.figures[at].as_str()));
        let figures: Vec<usize> = heads.figures.iter().enumerate().map(figure).collect();
        let bare = longest(heads.service, &mut lines.iter().map(|line| line.service.as_str()));
        let named = longest(heads.service, &mut lines.iter().map(|line| line.service(WIDTH)));
        let left = WIDTH.saturating_sub(figures.iter().map(|width| GAP + width).sum());
        let of_ends = |most: usize| {
            let fits = |line: &&TableLine| line.ends.iter().all(|end| end.len() <= most);
            [0, 1].map(|at| longest(heads.ends[at], &mut lines.iter().filter(fits).map(|line| line.ends[at].as_str())))
        };
        let natural = of_ends(WIDTH);
        let pair = natural[0] + GAP + natural[1];
        let for_service = left.saturating_sub(GAP + pair.min(IPV4_PAIR)).clamp(bare, named.max(bare));
        let for_ends = left.saturating_sub(GAP + for_service);
        let ends = if pair <= for_ends {
            natural
        } else {
            // The whole width: the second address of a line that takes two needs it.
            let [client, _] = of_ends(for_ends.saturating_sub(GAP) / 2);
            [client, for_ends.saturating_sub(GAP + client)]
        };
        Self { ends, service: for_service, figures }
    }

    /// The width of both addresses with the gap between them.
    fn pair(&self) -> usize {
        self.ends[0] + GAP + self.ends[1]
    }
}

pub(super) fn write<W: Write>(heads: &Heads, lines: &[TableLine], out: &mut W) -> io::Result<()> {
    let widths = Widths::of(heads, lines);
    let head = TableLine {
        ends: heads.ends.map(str::to_owned),
        service: heads.service.to_owned(),
        named_service: None,
        figures: heads.figures.iter().map(|&figure| figure.to_owned()).collect(),
    };
    std::iter::once(&head).chain(lines).try_for_each(|line| write_line(&widths, line, out))
}

fn write_line<W: Write>(widths: &Widths, line: &TableLine, out: &mut W) -> io::Result<()> {
    let [client, server] = &line.ends;
    let [for_client, for_server] = widths.ends;
    let fits = |ends: &str| ends.len() + GAP + line.service.len() <= widths.pair() + GAP + widths.service;
    let aligned = format!("{client:<for_client$}{:GAP$}{server:<for_server$}", "");
    let close = format!("{client}{:GAP$}{server}", "");
    let below = format!("{server:<width$}", width = widths.pair());
    if aligned.len() == widths.pair() {
        return write_rest(widths, &aligned, line, out);
    }
    if fits(&close) {
        return write_rest(widths, &close, line, out);
    }
    writeln!(out, "{client} ->")?;
    if fits(&below) {
        return write_rest(widths, &below, line, out);
    }
    writeln!(out, "{server}")?;
    write_rest(widths, &" ".repeat(widths.pair()), line, out)
}

/// Writes the service and the figures behind the addresses.
fn write_rest<W: Write>(widths: &Widths, ends: &str, line: &TableLine, out: &mut W) -> io::Result<()> {
    let room = widths.pair() + GAP + widths.service;
    let for_service = room.saturating_sub(ends.len() + GAP);
    let service = line.service(for_service);
    let figures = line.figures.iter().zip(&widths.figures);
    let figures: String = figures.map(|(figure, &width)| format!("{:GAP$}{figure:>width$}", "")).collect();
    writeln!(out, "{ends}{:GAP$}{service:<for_service$}{figures}", "")
}
