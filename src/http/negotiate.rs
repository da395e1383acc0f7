//! The formats that a client accepts: format by `Accept`, gzip by `Accept-Encoding` (RFC 9110, section 12). Takes the
//! headers of a request; gives a format and a coding. Must not know pages.
//!
//! No client is turned away: one that accepts no available format gets the text format 0.0.4, not compressed.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::export::Format;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

/// One range of a header: a name, its version if there is one, and its weight in thousandths.
struct Range<'a> {
    name: &'a str,
    version: Option<&'a str>,
    weight: u16,
}

/// The format that the client wants most; the text format if it wants both equally.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let weight = |format| {
        let fits = ranges(headers, &ACCEPT).filter_map(|range| Some((specificity(&range, format)?, range.weight)));
        fits.max().map_or(0, |(_, weight)| weight)
    };
    if weight(Format::OpenMetrics) > weight(Format::Text) { Format::OpenMetrics } else { Format::Text }
}

/// True if the client names HTML and wants it at least as much as plain text, as browsers do.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let weight = |name: &str| {
        let named = ranges(headers, &ACCEPT).filter(|range| range.name.eq_ignore_ascii_case(name));
        named.map(|range| range.weight).max().unwrap_or(0)
    };
    let html = weight("text/html");
    html > 0 && html >= weight("text/plain")
}

/// Precision with which `range` names `format`; none if it does not. The most precise range decides.
fn specificity(range: &Range<'_>, format: Format) -> Option<u8> {
    let (kind, _) = format.media_type().split_once('/')?;
    let is_named = range.name.eq_ignore_ascii_case(format.media_type());
    match (range.name, range.version) {
        (_, Some(version)) if is_named => (version == format.version()).then_some(3),
        _ if is_named => Some(2),
        ("*/*", _) => Some(0),
        (name, _) => name.strip_suffix("/*").filter(|name| name.eq_ignore_ascii_case(kind)).map(|_| 1),
    }
}

/// The coding that the client wants most. Gzip if it wants both equally, or refuses to get the body uncompressed.
pub(super) fn coding(headers: &HeaderMap) -> Coding {
    let weight = |names: &[&str]| {
        let named = |range: &Range<'_>| names.iter().any(|name| range.name.eq_ignore_ascii_case(name));
        ranges(headers, &ACCEPT_ENCODING).filter(named).map(|range| range.weight).max()
    };
    let any = weight(&["*"]);
    let (gzip, identity) = (weight(&["gzip", "x-gzip"]).or(any), weight(&["identity"]).or(any));
    match (gzip, identity) {
        (None, Some(0)) => Coding::Gzip,
        (Some(gzip), _) if gzip > 0 && gzip >= identity.unwrap_or(0) => Coding::Gzip,
        _ => Coding::Identity,
    }
}

/// The ranges of a header that can be read.
fn ranges<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Range<'a>> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(range)
}

/// Parameters other than version and weight are ignored: charset and escaping are the same for all formats.
fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let mut range = Range { name: parts.next()?, version: None, weight: 1_000 };
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match (name.trim_end(), value.trim_start().trim_matches('"')) {
            (name, value) if name.eq_ignore_ascii_case("q") => range.weight = weight(value)?,
            (name, value) if name.eq_ignore_ascii_case("version") => range.version = Some(value),
            _ => {}
        }
    }
    Some(range)
}

/// `0`, `0.25`, `1.000` in thousandths; more digits are cut.
fn weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = matches!(whole, "0" | "1") && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = fraction.bytes().chain(*b"000").take(3).fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let weight = thousandths + if whole == "1" { 1_000 } else { 0 };
    (is_number && weight <= 1_000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    /// As Prometheus 2.42 and 3 send it.
    const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
        q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
        text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

    #[test]
    fn format_is_the_one_that_the_client_prefers() {
        use Format::{OpenMetrics, Text};
        for (accepts, format) in [
            (&[][..], Text),
            (&[""], Text),
            (&["*/*"], Text),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"], Text),
            (&[PROMETHEUS_2], OpenMetrics),
            (&[PROMETHEUS_3], OpenMetrics),
            (&["application/openmetrics-text"], OpenMetrics),
            (&["Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.1"], OpenMetrics),
            (&["application/openmetrics-text;version=0.0.1"], Text),
            (&["application/openmetrics-text;version=2.0.0, text/plain;q=0.1"], Text),
            (&["application/openmetrics-text;q=0"], Text),
            (&["application/openmetrics-text;q=0.000, */*"], Text),
            (&["application/openmetrics-text, text/plain"], Text),
            (&["application/openmetrics-text;q=0.5, text/plain;q=0.499"], OpenMetrics),
            (&["text/plain;q=0.9", "application/openmetrics-text"], OpenMetrics),
            (&["text/plain;version=0.0.4;q=0, */*"], OpenMetrics),
            (&["text/plain;version=1.0.0, application/openmetrics-text;q=0.1"], OpenMetrics),
            (&["application/*, text/*;q=0.5"], OpenMetrics),
            (&["text/*, application/*;q=0.5"], Text),
            (&["application/openmetrics-text;q=2"], Text),
            (&["application/openmetrics-text;q=-1, text/plain;q=0.1"], Text),
            (&["application/openmetrics-text;q=x"], Text),
            (&["application/openmetrics-text;q"], OpenMetrics),
            (&["application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"], Text),
            (&[";;,,=;q=,/*;*/"], Text),
        ] {
            assert_eq!(super::format(&headers(ACCEPT, accepts)), format, "{accepts:?}");
        }
    }

    #[test]
    fn browsers_prefer_html_and_tools_do_not() {
        for (accepts, prefers) in [
            (&[][..], false),
            (&["*/*"], false),
            (&["text/*"], false),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"], true),
            (&["TEXT/HTML;q=0.1"], true),
            (&["text/html;q=0"], false),
            (&["text/plain, text/html;q=0.9"], false),
            (&["text/plain;q=0.9, text/html"], true),
            (&[PROMETHEUS_3], false),
        ] {
            assert_eq!(prefers_html(&headers(ACCEPT, accepts)), prefers, "{accepts:?}");
        }
    }

    #[test]
    fn body_is_compressed_for_clients_that_accept_gzip() {
        use Coding::{Gzip, Identity};
        for (accepts, coding) in [
            (&[][..], Identity),
            (&[""], Identity),
            (&["identity"], Identity),
            (&["gzip"], Gzip),
            (&["GZIP;Q=0.001"], Gzip),
            (&["x-gzip"], Gzip),
            (&["gzip;q=0"], Identity),
            (&["gzip;q=0.0, *"], Identity),
            (&["deflate, br, zstd"], Identity),
            (&["deflate, gzip;q=1.0, *;q=0.5"], Gzip),
            (&["br", "gzip"], Gzip),
            (&["gzip, identity"], Gzip),
            (&["gzip;q=0.5, identity"], Identity),
            (&["gzip;q=0.5, identity;q=0.6"], Identity),
            (&["*"], Gzip),
            (&["*;q=0"], Identity),
            (&["*;q=0.5, identity;q=1"], Identity),
            (&["identity;q=0"], Gzip),
            (&["identity;q=0, br"], Gzip),
            (&["identity;q=0, gzip;q=0"], Identity),
            (&["*;q=0, gzip"], Gzip),
            (&["gzip;q=1.5"], Identity),
        ] {
            assert_eq!(super::coding(&headers(ACCEPT_ENCODING, accepts)), coding, "{accepts:?}");
        }
    }
}
