//! Long lists of addresses or ports, `host A or host B or …`: cut into parts that compile quickly.
//!
//! libpcap's optimizer takes time that grows faster than the square of a filter's length: 400 hosts take 3 s, 800 take
//! 24 s. The parts of a list are compiled by themselves and joined as programs, which takes a time in proportion.

/// Terms in a part: libpcap compiles so many in 10 ms.
const TERMS_IN_A_PART: usize = 50;

/// Words of pcap-filter(7) that may stand before the value of a term, and never are one.
const QUALIFIERS: [&str; 12] =
    ["ip", "ip6", "tcp", "udp", "sctp", "ether", "src", "dst", "host", "net", "port", "portrange"];

/// The qualifiers behind which a value may be a name; any other value is a number or an address.
const OF_NAMES: [&str; 3] = ["host", "net", "port"];

/// Words that are a term by themselves: protocols that need no value.
const TERMS_ALONE: [&str; 14] =
    ["ip", "ip6", "tcp", "udp", "sctp", "arp", "rarp", "icmp", "icmp6", "igmp", "esp", "ah", "pim", "vrrp"];

/// Words that are never a name here: they belong to other forms of terms, which are left to libpcap as a whole.
const OTHER_WORDS: [&str; 5] = ["and", "not", "mask", "proto", "gateway"];

/// The parts of a filter that is a list, each a filter in itself: a frame passes the list if it passes one of them. None
/// for a filter that is no list, or a short one.
pub(super) fn parts(filter: &str) -> Option<Vec<String>> {
    let terms = terms(filter)?;
    let parts = terms.chunks(TERMS_IN_A_PART).map(|part| part.join(" or "));
    (terms.len() > TERMS_IN_A_PART).then(|| parts.collect())
}

/// The terms of a list, each with its own qualifiers: a value alone has those of the term before it. None where a term has
/// another form.
fn terms(filter: &str) -> Option<Vec<String>> {
    let mut terms = Vec::new();
    let mut qualifiers = String::new();
    let words: Vec<&str> = filter.split_whitespace().collect();
    for term in words.split(|word| matches!(*word, "or" | "||")) {
        match term {
            [word] if TERMS_ALONE.contains(word) => {
                terms.push((*word).to_owned());
                // What a value behind it means is for libpcap to say.
                qualifiers.clear();
            }
            [value] if is_number(value) && !qualifiers.is_empty() => terms.push(format!("{qualifiers} {value}")),
            [own @ .., value] if !own.is_empty() && own.iter().all(|word| QUALIFIERS.contains(word)) => {
                let may_be_a_name = own.last().is_some_and(|last| OF_NAMES.contains(last));
                let is_right = is_number(value) || may_be_a_name && is_name(value);
                if !is_right {
                    return None;
                }
                qualifiers = own.join(" ");
                terms.push(format!("{qualifiers} {value}"));
            }
            _ => return None,
        }
    }
    Some(terms)
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
    use super::*;

    #[test]
    fn list_is_cut_into_parts_with_their_own_qualifiers() {
        let filter: String = (0..120).map(|host| format!("src host 10.0.0.{host} or ")).collect();
        let parts = parts(&format!("{filter}10.1.0.1 or dst net 10.2.0.0/16 || 10.3.0.0/16")).unwrap();
        assert_eq!(parts.len(), 3);
        assert!(parts[0].starts_with("src host 10.0.0.0 or src host 10.0.0.1 or "));
        assert!(parts[2].ends_with(" or src host 10.1.0.1 or dst net 10.2.0.0/16 or dst net 10.3.0.0/16"));
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
            "host 10.0.0.1 or host 10.0.0.2",
            &long("host 10.0.0.1 and port 80"),
            &long("not host 10.0.0.1"),
            &long("(host 10.0.0.1)"),
            &long("src or dst host 10.0.0.1"),
            &long("net 10.0.0.0 mask 255.0.0.0"),
            &long("tcp[13] = 2"),
            &long("vlan"),
            &format!("{} or", long("host 10.0.0.1")),
            &format!("{} or outbound", long("host 10.0.0.1")),
            &format!("{} or stp", long("host 10.0.0.1")),
            &format!("{} or arp or 10.0.0.2", long("host 10.0.0.1")),
            &long("10.0.0.1"),
        ] {
            assert_eq!(parts(filter), None, "{filter}");
        }
    }
}
