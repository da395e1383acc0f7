//! Compiles long filters in parts: lists of addresses, networks and ports, also negated, in brackets and joined with
//! other terms. Takes the text of a filter and a compiler of short filters; gives one program. Must not know the
//! meaning of terms.
//!
//! The time of libpcap's optimizer grows faster than the square of a filter's length: 400 hosts take 3 s, 800 take 24
//! s. Here each part is compiled by itself and the programs are joined, so the time is proportional to the length. A
//! filter with a form that is not surely understood is left to libpcap.

use libc::sock_filter;

use crate::capture::program;

/// Number of terms in a part. libpcap compiles so many in 10 ms.
const TERMS_IN_A_PART: usize = 50;
/// The deepest nesting of brackets, and of `and` in `or`. Deeper filters are left to libpcap.
const DEEPEST: usize = 32;

/// The words of pcap-filter(7) that qualify the value of a term and are never a value themselves.
const QUALIFIERS: [&str; 12] =
    ["ip", "ip6", "tcp", "udp", "sctp", "ether", "src", "dst", "host", "net", "port", "portrange"];

/// The qualifiers that allow a name as their value. Other values are numbers or addresses.
const OF_NAMES: [&str; 3] = ["host", "net", "port"];

/// The words that are a whole term: protocols that need no value.
const TERMS_ALONE: [&str; 14] =
    ["ip", "ip6", "tcp", "udp", "sctp", "arp", "rarp", "icmp", "icmp6", "igmp", "esp", "ah", "pim", "vrrp"];

/// The words that are never taken for a name, because they belong to other forms of terms.
const OTHER_WORDS: [&str; 5] = ["and", "not", "mask", "proto", "gateway"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// A term with its own qualifiers, as `src host 10.0.0.1`.
    Term(String),
    Not(Box<Expression>),
    /// Two or more parts, all of them joined by one operator.
    Joined(Operator, Vec<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
}

impl Operator {
    fn read(token: &str) -> Option<Self> {
        match token {
            "and" | "&&" => Some(Self::And),
            "or" | "||" => Some(Self::Or),
            _ => None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::And => " and ",
            Self::Or => " or ",
        }
    }

    fn join(self, first: &[sock_filter], second: &[sock_filter]) -> Vec<sock_filter> {
        match self {
            Self::And => program::both(first, second),
            Self::Or => program::either(first, second),
        }
    }
}

impl Expression {
    /// The tree of a filter. `None` where a term has a form that is not understood.
    pub(super) fn parse(filter: &str) -> Option<Self> {
        let tokens = tokens(filter);
        let mut parser = Parser { tokens: &tokens, qualifiers: None };
        let expression = parser.chain(0)?;
        parser.tokens.is_empty().then_some(expression)
    }

    /// True if the filter should be compiled in parts.
    pub(super) fn is_long(&self) -> bool {
        self.terms() > TERMS_IN_A_PART
    }

    /// The program of the whole filter. `compile` compiles each part; its first error is given.
    pub(super) fn program<E>(
        &self,
        compile: &impl Fn(&str) -> Result<Vec<sock_filter>, E>,
    ) -> Result<Vec<sock_filter>, E> {
        match self {
            _ if !self.is_long() => compile(&self.text()),
            Self::Term(term) => compile(term),
            Self::Not(negated) => Ok(program::negation(negated.program(compile)?)),
            Self::Joined(operator, parts) => {
                let mut whole: Option<Vec<sock_filter>> = None;
                for part in short_parts(*operator, parts) {
                    let part = part.program(compile)?;
                    whole = Some(whole.map_or_else(|| part.clone(), |before| operator.join(&before, &part)));
                }
                Ok(whole.unwrap_or_default())
            }
        }
    }

    fn terms(&self) -> usize {
        match self {
            Self::Term(_) => 1,
            Self::Not(negated) => negated.terms(),
            Self::Joined(_, parts) => parts.iter().map(Self::terms).sum(),
        }
    }

    /// The text of a filter that means the same.
    fn text(&self) -> String {
        match self {
            Self::Term(term) => term.clone(),
            Self::Not(negated) => format!("not {}", negated.text_of_part()),
            Self::Joined(operator, parts) => {
                parts.iter().map(Self::text_of_part).collect::<Vec<_>>().join(operator.word())
            }
        }
    }

    fn text_of_part(&self) -> String {
        if matches!(self, Self::Joined(..)) { format!("({})", self.text()) } else { self.text() }
    }

    /// `self operator next`. Both operators have the same precedence and associate from the left.
    fn joined(self, operator: Operator, next: Self) -> Self {
        match self {
            Self::Joined(own, mut parts) if own == operator => {
                parts.push(next);
                Self::Joined(own, parts)
            }
            _ => Self::Joined(operator, vec![self, next]),
        }
    }
}

/// Joins neighbouring parts, as many as make a short filter.
fn short_parts(operator: Operator, parts: &[Expression]) -> Vec<Expression> {
    let mut short: Vec<Vec<Expression>> = Vec::new();
    let mut room = 0;
    for part in parts {
        let terms = part.terms();
        match short.last_mut() {
            Some(last) if terms <= room => last.push(part.clone()),
            _ => {
                short.push(vec![part.clone()]);
                room = TERMS_IN_A_PART;
            }
        }
        room = room.saturating_sub(terms);
    }
    let together = |mut parts: Vec<Expression>| match parts.len() {
        1 => parts.pop(),
        _ => Some(Expression::Joined(operator, parts)),
    };
    short.into_iter().filter_map(together).collect()
}

/// The words of a filter; brackets and exclamation marks are words of their own.
fn tokens(filter: &str) -> Vec<&str> {
    let is_alone = |letter: char| matches!(letter, '(' | ')' | '!');
    filter
        .split_whitespace()
        .flat_map(|word| word.split_inclusive(is_alone))
        .flat_map(|piece| {
            let alone = piece.len() - usize::from(piece.ends_with(is_alone));
            [&piece[..alone], &piece[alone..]]
        })
        .filter(|token| !token.is_empty())
        .collect()
}

/// Reads the grammar of pcap-filter(7) as far as lists need it.
struct Parser<'a> {
    tokens: &'a [&'a str],
    /// The qualifiers of the last term; a value without qualifiers has the same. None if only libpcap knows them.
    qualifiers: Option<String>,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (&token, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(token)
    }

    /// Parts that `and` or `or` join, up to the end or a closing bracket.
    fn chain(&mut self, depth: usize) -> Option<Expression> {
        let mut chain = self.part(depth)?;
        let mut operators = (None, 0);
        while let Some(operator) = self.tokens.first().and_then(|token| Operator::read(token)) {
            self.next();
            if operators.0 != Some(operator) {
                operators = (Some(operator), operators.1 + 1);
            }
            if operators.1 > DEEPEST {
                return None;
            }
            chain = chain.joined(operator, self.part(depth)?);
        }
        Some(chain)
    }

    fn part(&mut self, depth: usize) -> Option<Expression> {
        if depth > DEEPEST {
            return None;
        }
        match *self.tokens.first()? {
            "not" | "!" => {
                self.next();
                self.part(depth + 1).map(|part| Expression::Not(Box::new(part)))
            }
            "(" => {
                self.next();
                self.qualifiers = None;
                let chain = self.chain(depth + 1)?;
                self.qualifiers = None;
                (self.next()? == ")").then_some(chain)
            }
            _ => self.term().map(Expression::Term),
        }
    }

    fn term(&mut self) -> Option<String> {
        let is_end = |token: &&str| matches!(*token, "(" | ")" | "!" | "not") || Operator::read(token).is_some();
        let length = self.tokens.iter().position(is_end).unwrap_or(self.tokens.len());
        let (term, rest) = self.tokens.split_at(length);
        self.tokens = rest;
        match term {
            [word] if TERMS_ALONE.contains(word) => {
                self.qualifiers = None;
                Some((*word).to_owned())
            }
            [value] if is_number(value) => Some(format!("{} {value}", self.qualifiers.as_ref()?)),
            [own @ .., value] if !own.is_empty() && own.iter().all(|word| QUALIFIERS.contains(word)) => {
                let may_be_a_name = own.last().is_some_and(|last| OF_NAMES.contains(last));
                let is_understood = is_number(value) || may_be_a_name && is_name(value);
                self.qualifiers = Some(own.join(" "));
                is_understood.then(|| term.join(" "))
            }
            _ => None,
        }
    }
}

/// An address, a network, a port or a range of ports.
fn is_number(word: &str) -> bool {
    let has_digit = word.chars().any(|letter| letter.is_ascii_digit());
    has_digit && word.chars().all(|letter| letter.is_ascii_hexdigit() || "./:-".contains(letter))
}

fn is_name(word: &str) -> bool {
    let is_plain = word.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(letter));
    is_plain && ![&QUALIFIERS[..], &OTHER_WORDS, &TERMS_ALONE].iter().any(|words| words.contains(&word))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// The short filters that a long one is compiled from.
    fn parts(filter: &str) -> Option<Vec<String>> {
        let parts = RefCell::new(Vec::new());
        let keep = |text: &str| {
            parts.borrow_mut().push(text.to_owned());
            Ok::<_, ()>(program::REJECT_ALL.to_vec())
        };
        Expression::parse(filter)?.program(&keep).unwrap();
        Some(parts.into_inner())
    }

    fn text(filter: &str) -> String {
        Expression::parse(filter).map_or_else(|| "left to libpcap".to_owned(), |expression| expression.text())
    }

    #[test]
    fn list_is_cut_into_parts_with_their_own_qualifiers() {
        let filter: String = (0..120).map(|host| format!("src host 10.0.0.{host} or ")).collect();
        let parts = parts(&format!("{filter}10.1.0.1 or dst net 10.2.0.0/16 || 10.3.0.0/16")).unwrap();
        assert_eq!(parts.len(), 3);
        assert!(parts[0].starts_with("src host 10.0.0.0 or src host 10.0.0.1 or "));
        assert!(parts[2].ends_with(" or src host 10.1.0.1 or dst net 10.2.0.0/16 or dst net 10.3.0.0/16"));
    }

    #[test]
    fn list_in_brackets_is_cut_as_the_list_is() {
        let list = (0..120).map(|host| format!("host 10.0.0.{host}")).collect::<Vec<_>>().join(" or ");
        let bare = parts(&list).unwrap();
        assert_eq!(bare.len(), 3);
        assert_eq!(parts(&format!("({list})")), Some(bare.clone()));
        assert_eq!(parts(&format!("not ({list})")), Some(bare.clone()));
        assert_eq!(parts(&format!("!({list})")), Some(bare.clone()));
        let with_port = parts(&format!("tcp port 80 and ({list}) and not arp")).unwrap();
        assert_eq!(with_port, [vec!["tcp port 80".to_owned()], bare, vec!["not arp".to_owned()]].concat());
    }

    #[test]
    fn operators_join_from_the_left_and_not_binds_first() {
        for (filter, same) in [
            ("arp or ip and tcp", "(arp or ip) and tcp"),
            ("arp or (ip and tcp)", "arp or (ip and tcp)"),
            ("not arp or ip", "not arp or ip"),
            ("!(arp || ip)&& tcp", "not (arp or ip) and tcp"),
            ("host 10.0.0.1 and not 10.0.0.2 or 10.0.0.3", "(host 10.0.0.1 and not host 10.0.0.2) or host 10.0.0.3"),
            ("((((arp))))", "arp"),
        ] {
            assert_eq!(text(filter), same, "{filter}");
        }
    }

    #[test]
    fn protocols_in_a_list_stand_by_themselves() {
        let filter: String = (0..60).map(|host| format!("host 10.0.0.{host} or ")).collect();
        for protocol in TERMS_ALONE {
            let parts = parts(&format!("{filter}{protocol} or port domain")).unwrap();
            assert!(parts[1].ends_with(&format!("host 10.0.0.59 or {protocol} or port domain")), "{parts:?}");
        }
    }

    #[test]
    fn other_filters_are_left_whole() {
        let long = |term: &str| vec![term; 100].join(" or ");
        for filter in [
            &long("src or dst host 10.0.0.1"),
            &long("net 10.0.0.0 mask 255.0.0.0"),
            &long("tcp[13] = 2"),
            &long("vlan"),
            &long("host (10.0.0.1 or 10.0.0.2)"),
            &format!("{} or", long("host 10.0.0.1")),
            &format!("({}", long("host 10.0.0.1")),
            &format!("{})", long("host 10.0.0.1")),
            &format!("{} or outbound", long("host 10.0.0.1")),
            &format!("{} or stp", long("host 10.0.0.1")),
            &format!("{} or arp or 10.0.0.2", long("host 10.0.0.1")),
            &format!("({}) or 10.0.0.2", long("host 10.0.0.1")),
            &long("10.0.0.1"),
            &"(".repeat(60_000),
            &"not ".repeat(15_000),
            &vec!["ip or ip and ip"; 4_000].join(" or "),
        ] {
            assert_eq!(parts(filter), None, "{}", &filter[..60.min(filter.len())]);
        }
    }
}
