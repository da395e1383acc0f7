//! The outcome of one request: accepted, to be tried again, or refused for good.
//!
//! Takes a status with its headers, or an error; gives an outcome. Must not send anything.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{StatusCode, header};

use super::figures::FailureReason;
use crate::packet::Timestamp;

/// The longest delay that a receiver can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// The receiver accepted it.
    Accepted,
    /// To be tried again, not earlier than the delay that the receiver asked for.
    Retry(FailureReason, Option<Duration>),
    /// Not to be tried again, because of this status.
    Refused(FailureReason, u16),
}

/// The outcome of an answer.
pub(super) fn of_answer(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> AttemptOutcome {
    let retry_after = || headers.get(RETRY_AFTER).and_then(|value| retry_after(value, now));
    match status.as_u16() {
        200..=299 => AttemptOutcome::Accepted,
        429 => AttemptOutcome::Retry(FailureReason::RateLimited, retry_after()),
        status @ 400..=499 => AttemptOutcome::Refused(FailureReason::ClientError, status),
        500..=599 => AttemptOutcome::Retry(FailureReason::ServerError, retry_after()),
        status => AttemptOutcome::Refused(FailureReason::Redirect, status),
    }
}

/// The cause of a failure in words, where the status says more than the outcome.
pub(super) fn cause_of_answer(status: StatusCode) -> Option<String> {
    let words = FailureReason::ServerError.words();
    status.is_server_error().then(|| format!("{words} (status {})", status.as_u16()))
}

/// The reason of a request without an answer. All of them may pass: it is tried again.
pub(super) fn reason_of(error: &(dyn StdError + 'static)) -> FailureReason {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() || error.downcast_ref::<io::Error>().is_some_and(is_of_tls) {
            return FailureReason::Tls;
        }
        if error.downcast_ref::<hyper::Error>().is_some_and(|error| error.is_parse() || error.is_parse_status()) {
            return FailureReason::Protocol;
        }
        next = error.source();
    }
    FailureReason::Connection
}

/// The cause of a request without an answer, in words without hosts; none if it is not known.
pub(super) fn cause_of(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>();
        let cause = inner.and_then(cause_of_io).or_else(|| error.downcast_ref().and_then(cause_of_tls));
        // The client has no type for it.
        let is_unknown_name = error.to_string().starts_with("dns error");
        if let Some(cause) = cause.or(is_unknown_name.then_some("the name of the host is not found")) {
            return Some(cause);
        }
        next = error.source();
    }
    None
}

fn cause_of_io(error: &io::Error) -> Option<&'static str> {
    if let Some(inner) = error.get_ref() {
        let nested = inner.downcast_ref::<io::Error>().and_then(cause_of_io);
        return nested.or_else(|| inner.downcast_ref().and_then(cause_of_tls));
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some("connection refused"),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => Some("connection closed by the receiver"),
        io::ErrorKind::HostUnreachable => Some("the host is unreachable"),
        io::ErrorKind::NetworkUnreachable => Some("the network is unreachable"),
        _ => None,
    }
}

fn cause_of_tls(error: &rustls::Error) -> Option<&'static str> {
    use rustls::CertificateError as Fault;
    let rustls::Error::InvalidCertificate(fault) = error else { return None };
    Some(match fault {
        Fault::UnknownIssuer => "its certificate is of an unknown authority; give ca_file if it is your own",
        Fault::Expired | Fault::ExpiredContext { .. } => "its certificate has expired",
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "its certificate is not valid yet",
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => "its certificate is for another name",
        _ => "its certificate is not valid",
    })
}

/// An `io::Error` shows the error inside it by `get_ref`, not as its source.
fn is_of_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>() || inner.downcast_ref::<io::Error>().is_some_and(is_of_tls))
}

/// RFC 9110, 10.2.3: seconds or a date.
fn retry_after(value: &header::HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let delay = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => http_date(text)?.since(now),
    };
    Some(delay.min(LONGEST_RETRY_AFTER))
}

/// A date in the form that RFC 9110, 5.6.7 prefers: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, date) = text.split_once(", ")?;
    let [day, month, year, time, "GMT"] = date.split(' ').collect::<Vec<_>>()[..] else { return None };
    let month = if month.len() == 3 { MONTHS.find(month).filter(|at| at % 3 == 0)? / 3 + 1 } else { return None };
    let rfc_3339 = format!("{year:0>4}-{month:02}-{day:0>2}T{time}Z");
    humantime::parse_rfc3339(&rfc_3339).ok().map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, retry_after: Option<&str>) -> AttemptOutcome {
        let headers = retry_after.map(|value| (RETRY_AFTER, value.parse().unwrap()));
        let now = Timestamp::from_seconds_and_nanoseconds(784_111_777, 0);
        of_answer(StatusCode::from_u16(status).unwrap(), &headers.into_iter().collect(), now)
    }

    #[test]
    fn every_status_has_its_outcome() {
        for status in 200..=599 {
            let expected = match status {
                200..=299 => AttemptOutcome::Accepted,
                300..=399 => AttemptOutcome::Refused(FailureReason::Redirect, status),
                429 => AttemptOutcome::Retry(FailureReason::RateLimited, None),
                status @ 400..=499 => AttemptOutcome::Refused(FailureReason::ClientError, status),
                _ => AttemptOutcome::Retry(FailureReason::ServerError, None),
            };
            assert_eq!(outcome(status, None), expected, "{status}");
        }
    }

    #[test]
    fn status_of_an_error_of_the_receiver_is_named() {
        let cause = |status: u16| cause_of_answer(StatusCode::from_u16(status).unwrap());
        assert_eq!(cause(503).as_deref(), Some("the receiver has an error of its own (status 503)"));
        assert_eq!([200, 302, 404, 429].map(cause), [const { None }; 4], "their outcome says all");
    }

    #[test]
    fn receiver_sets_the_delay_in_seconds_or_by_a_date() {
        let delay = |text| match outcome(503, Some(text)) {
            AttemptOutcome::Retry(FailureReason::ServerError, delay) => delay.map(|delay| delay.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(delay("7"), Some(7));
        assert_eq!(delay(" 0 "), Some(0));
        assert_eq!(delay("86400"), Some(300), "capped");
        assert_eq!(delay("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10));
        assert_eq!(delay("Sun, 06 Nov 1994 08:49:27 GMT"), Some(0), "past");
        assert_eq!(delay("Sun, 06 Nov 2094 08:49:27 GMT"), Some(300), "capped");
        for wrong in ["", "-1", "soon", "Sun, 06 ovD 1994 08:49:47 GMT", "Sun, 06 Nov 1994 08:49:47 CET", ", "] {
            assert_eq!(delay(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn error_of_tls_is_found_inside_other_errors() {
        let tls = || io::Error::other(rustls::Error::HandshakeNotComplete);
        assert_eq!(reason_of(&tls()), FailureReason::Tls);
        assert_eq!(reason_of(&io::Error::other(tls())), FailureReason::Tls);
        assert_eq!(reason_of(&io::Error::from(io::ErrorKind::ConnectionRefused)), FailureReason::Connection);
    }

    #[test]
    fn cause_of_a_failure_is_told_in_words() {
        let io = |kind: io::ErrorKind| io::Error::from(kind);
        let certificate = |fault| rustls::Error::InvalidCertificate(fault);
        let causes: [(Box<dyn StdError>, Option<&str>); 6] = [
            (Box::new(io(io::ErrorKind::ConnectionRefused)), Some("connection refused")),
            (Box::new(io::Error::other(io(io::ErrorKind::ConnectionReset))), Some("connection closed by the receiver")),
            (Box::new(io(io::ErrorKind::Other)), None),
            (Box::new(certificate(rustls::CertificateError::Expired)), Some("its certificate has expired")),
            (
                Box::new(io::Error::other(certificate(rustls::CertificateError::NotValidForName))),
                Some("its certificate is for another name"),
            ),
            (Box::new(rustls::Error::DecryptError), None),
        ];
        for (error, cause) in causes {
            assert_eq!(cause_of(error.as_ref()), cause, "{error}");
        }
    }
}
