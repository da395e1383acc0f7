//! Python's own client over TLS: pages, streams of events, slow reading.

use std::process::Command;

use super::common::exporter::Exporter;
use super::{Site, TLS, hash};

/// The output of a Python script, which has the address, an opener with the password and a TLS context.
fn python(site: &Site, exporter: &Exporter, script: &str) -> String {
    let begin = format!(
        "import base64, http.client, ssl, time, urllib.error, urllib.request\n\
         context = ssl.create_default_context(cafile='ca.crt')\n\
         host, port = '127.0.0.1', {}\n\
         def headers(pair): return {{'Authorization': 'Basic ' + base64.b64encode(pair.encode()).decode()}}\n\
         def connection(): return http.client.HTTPSConnection(host, port, context=context, timeout=60)\n",
        exporter.address().port()
    );
    let mut command = Command::new("python3");
    let output = command.args(["-c", &(begin + script)]).current_dir(site.folder.path()).output();
    let output = output.expect("the tests need python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn serving(site: &Site) -> Exporter {
    let exporter = site.serve(&format!("{TLS}basic_auth_users: {{alice: {}}}\n", hash("a")));
    site.is_ready(&exporter, &["--user", "alice:a"]);
    exporter
}

#[test]
fn python_gets_pages_with_the_right_password_alone() {
    let site = Site::new();
    let exporter = serving(&site);
    let script = "statuses = []\n\
                  kept = connection()\n\
                  for pair in ['alice:a', 'alice:b', 'eve:a', 'alice:a']:\n\
                  \x20   kept.request('GET', '/metrics', headers=headers(pair))\n\
                  \x20   answer = kept.getresponse()\n\
                  \x20   statuses.append((answer.status, b'trafficmonitor_build_info' in answer.read()))\n\
                  print(statuses)\n";
    let expected = "[(200, True), (401, False), (401, False), (200, True)]";
    assert_eq!(python(&site, &exporter, script), expected);
}

#[test]
fn python_refuses_a_certificate_that_it_does_not_trust() {
    let site = Site::new();
    let exporter = serving(&site);
    let script = "try:\n\
                  \x20   urllib.request.urlopen(f'https://{host}:{port}/metrics')\n\
                  except urllib.error.URLError as error:\n\
                  \x20   print(type(error.reason).__name__)\n";
    assert_eq!(python(&site, &exporter, script), "SSLCertVerificationError");
}

#[test]
fn events_arrive_over_tls_and_slow_clients_get_all() {
    let site = Site::new();
    let exporter = serving(&site);
    let script = "stream = connection()\n\
                  stream.request('GET', '/api/v1/events', headers=headers('alice:a'))\n\
                  answer = stream.getresponse()\n\
                  lines = [answer.readline() for _ in range(4)]\n\
                  print(answer.status, lines[0], lines[2].split(b':')[0])\n\
                  slow = connection()\n\
                  slow.request('GET', '/metrics', headers=headers('alice:a'))\n\
                  answer, size = slow.getresponse(), 0\n\
                  while piece := answer.read(2000):\n\
                  \x20   size += len(piece)\n\
                  \x20   time.sleep(0.02)\n\
                  print(size > 2000)\n";
    assert_eq!(python(&site, &exporter, script), "200 b'retry: 2000\\n' b'event'\nTrue");
}
