//! Any bytes as the query of a request to each path of the API: it is read, or refused in one printable line.

#![no_main]

use trafficmonitor::export::api::{ApiRequest, Resource};

libfuzzer_sys::fuzz_target!(|query: &str| {
    for resource in Resource::ALL {
        match ApiRequest::parse(resource, query) {
            Ok(request) => assert_eq!(ApiRequest::parse(resource, query), Ok(request)),
            Err(error) => assert!(!error.to_string().contains(char::is_control)),
        }
    }
});
