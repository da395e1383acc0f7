//! The outcome of each contact, by all packets of its conversation.

use super::scripts::{Conversation, Step};
use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// `is_silent`: a datagram had no answer.
    Failed {
        is_silent: bool,
    },
    Touched,
    /// Used in this cell, which may be before the one in which that is known.
    Used(i64),
}

/// An outcome, with the cell from which on it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) cell: i64,
    pub(super) source: IpAddr,
    pub(super) host: IpAddr,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) probe_port: u16,
    pub(super) outcome: Outcome,
}

/// A contact that waits for its outcome.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waiting {
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) requests: u32,
    pub(super) replies: u32,
    pub(super) reply_bytes: u32,
    pub(super) is_answered: bool,
    pub(super) is_accepted: bool,
    /// The cell at the end of which it is judged.
    pub(super) due: i64,
}

impl Waiting {
    pub(super) fn add(&mut self, time: f64, step: Step) {
        match step {
            Step::Ask => {
                self.requests += 1;
                self.last = time;
            }
            Step::Answer => {
                self.replies += 1;
                self.reply_bytes += 40;
                self.is_answered = true;
            }
            Step::Continue | Step::Send => {
                self.is_accepted = true;
                self.last = time;
            }
            Step::Give(bytes) => self.reply_bytes += bytes,
            Step::Refuse | Step::CloseBySource | Step::CloseByTarget | Step::Reset => {}
        }
    }
}

pub(super) struct Outcomes<'a> {
    pub(super) config: &'a Config,
    pub(super) windows: Windows,
    /// Cells in an eighth of the window.
    pub(super) part: i64,
    pub(super) known: Vec<Known>,
    /// The cells at the end of which contacts waited for their outcome: source, host and cell.
    pub(super) waited: BTreeSet<(IpAddr, IpAddr, i64)>,
}

impl Outcomes<'_> {
    pub(super) fn cell(&self, seconds: f64) -> i64 {
        self.windows.grid.cell(at(seconds)).0
    }

    pub(super) fn all(
        config: &Config,
        conversations: &[Conversation],
    ) -> (Vec<Known>, BTreeSet<(IpAddr, IpAddr, i64)>) {
        let windows = Windows::of(config);
        let part = i64::from(windows.cells[0]) / 8;
        let mut outcomes = Outcomes { config, windows, part, known: Vec::new(), waited: BTreeSet::new() };
        conversations.iter().for_each(|conversation| outcomes.add(conversation));
        outcomes.known.sort_by_key(|known| known.cell);
        (outcomes.known, outcomes.waited)
    }

    pub(super) fn add(&mut self, of: &Conversation) {
        let (first, last) = (of.steps[0].0, of.steps[of.steps.len() - 1].0);
        let mut waiting: Option<Waiting> = None;
        let (mut has_begun, mut is_answered) = (false, false);
        for cell in self.cell(first)..=self.cell(last + 11.0) {
            let mut is_refused = false;
            for &(time, step) in &of.steps {
                if self.cell(time) != cell {
                    continue;
                }
                is_answered |= matches!(step, Step::Answer);
                match step {
                    Step::Refuse if of.protocol == Protocol::UDP => is_refused = true,
                    _ => waiting = self.take(of, cell, (time, step), waiting, (has_begun, is_answered)),
                }
                has_begun = true;
            }
            if is_refused && waiting.is_some_and(|waiting| !waiting.is_answered) {
                self.push(of, cell, Outcome::Failed { is_silent: false });
                waiting = None;
            }
            waiting = waiting.and_then(|waiting| self.judge(of, cell, waiting));
            if waiting.is_some() {
                self.waited.insert((of.source, of.host, cell));
            }
        }
    }

    pub(super) fn push(&mut self, of: &Conversation, cell: i64, outcome: Outcome) {
        let Conversation { source, host, protocol, port, .. } = *of;
        let probe_port = if of.is_probe { of.source_port } else { 0 };
        self.known.push(Known { cell, source, host, protocol, port, probe_port, outcome });
    }

    /// Takes a packet; gives the contact as it waits afterwards.
    pub(super) fn take(
        &mut self,
        of: &Conversation,
        cell: i64,
        (time, step): (f64, Step),
        waiting: Option<Waiting>,
        (has_begun, is_answered): (bool, bool),
    ) -> Option<Waiting> {
        let part = cell.div_euclid(self.part) * self.part;
        let Some(mut contact) = waiting else {
            let begins = step == Step::Ask && !(has_begun && of.protocol == Protocol::UDP);
            if begins {
                let due = self.cell(time + 1.0);
                return Some(Waiting { first: time, last: time, requests: 1, due, ..Waiting::default() });
            }
            match step {
                Step::Ask if is_answered => self.push(of, cell, Outcome::Used(part)),
                Step::Answer if of.protocol == Protocol::UDP => self.push(of, cell, Outcome::Used(part)),
                Step::Send => self.push(of, cell, Outcome::Used(part)),
                Step::Give(bytes) if bytes > self.config.used_bytes => self.push(of, cell, Outcome::Used(part)),
                _ => {}
            }
            return None;
        };
        contact.add(time, step);
        match self.outcome(of, cell, step, &contact) {
            Some(outcome) => {
                self.push(of, cell, outcome);
                None
            }
            None => Some(contact),
        }
    }

    /// The outcome of a contact after a step; none while it is open.
    pub(super) fn outcome(&self, of: &Conversation, cell: i64, step: Step, contact: &Waiting) -> Option<Outcome> {
        match of.protocol {
            Protocol::TCP if contact.is_answered => match step {
                _ if of.is_probe => Some(Outcome::Used(cell)),
                Step::Send => Some(Outcome::Used(cell)),
                _ if contact.reply_bytes > self.config.used_bytes => Some(Outcome::Used(cell)),
                Step::Reset if !contact.is_accepted => Some(Outcome::Failed { is_silent: false }),
                Step::Reset | Step::CloseBySource | Step::CloseByTarget => Some(Outcome::Touched),
                _ => None,
            },
            Protocol::ICMP if contact.is_answered && contact.requests >= 3 => Some(Outcome::Used(cell)),
            _ if step == Step::Refuse => Some(Outcome::Failed { is_silent: false }),
            _ => None,
        }
    }

    /// Judges a contact at the end of a cell; gives it back if it still waits.
    pub(super) fn judge(&mut self, of: &Conversation, cell: i64, mut waiting: Waiting) -> Option<Waiting> {
        if cell < waiting.due {
            return Some(waiting);
        }
        if !waiting.is_answered {
            self.push(of, cell, Outcome::Failed { is_silent: of.protocol == Protocol::UDP });
            let due = self.cell(waiting.last + 1.0);
            return (due > cell).then_some(Waiting { first: waiting.last, due, ..waiting });
        }
        let wait = match of.protocol {
            Protocol::TCP if waiting.is_accepted => 10.0,
            Protocol::ICMP => 3.5,
            _ => 1.0,
        };
        waiting.due = self.cell(waiting.first + wait);
        if of.protocol == Protocol::UDP && waiting.requests.max(waiting.replies) > 2 {
            self.push(of, cell, Outcome::Used(cell));
        } else if waiting.due > cell {
            return Some(waiting);
        } else {
            self.push(of, cell, Outcome::Touched);
        }
        None
    }
}
