//! The program: everything it does is in the library.
use std::sync::Arc;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let path = std::path::Path::new(&a[2]);
    let ledger = trafficmonitor::account::ledger::Ledger::new(&Default::default(), 7);
    let c = Arc::new(trafficmonitor::locality::Classifier::new(&Default::default(), []));
    let mut r = trafficmonitor::pipeline::replay::Replay::new(ledger, c, 7);
    r.read(path, None, |_, _| ()).unwrap();
    let s = r.into_ledger().snapshot();
    eprintln!("{} flows {:?}", s.flows.len(), s.totals);
}
