//! Networks made by hand, for tests. Takes links and routes as tests write them; gives a [`Network`]. Must not know the
//! kernel.

use super::{Link, LinkKind, Network, Route};

/// A link that is up, hardware by its kind.
pub(crate) fn link(index: u32, name: &str, addresses: &[&str]) -> Link {
    Link {
        index,
        name: name.to_owned(),
        alternative_names: Vec::new(),
        up: true,
        running: true,
        loopback: name == "lo",
        ethernet: true,
        kind: None,
        parent: None,
        controller: None,
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    }
}

impl Link {
    pub(crate) fn of(mut self, kind: LinkKind) -> Self {
        self.kind = Some(kind);
        self
    }

    pub(crate) fn on(mut self, parent: u32) -> Self {
        self.parent = Some(parent);
        self
    }

    pub(crate) fn under(mut self, controller: u32) -> Self {
        self.controller = Some(controller);
        self
    }

    pub(crate) fn also_called(mut self, name: &str) -> Self {
        self.alternative_names.push(name.to_owned());
        self
    }

    pub(crate) fn tunnel(mut self) -> Self {
        self.ethernet = false;
        self
    }

    pub(crate) fn down(mut self) -> Self {
        (self.up, self.running) = (false, false);
        self
    }
}

pub(crate) fn network(links: Vec<Link>, routes: &[(&str, &[u32])]) -> Network {
    let route = |(destination, interfaces): &(&str, &[u32])| Route {
        destination: destination.parse().unwrap(),
        interfaces: interfaces.to_vec(),
    };
    let mut routes: Vec<Route> = routes.iter().map(route).collect();
    routes.sort_by_key(|route| route.destination);
    Network { links, routes, ..Network::default() }
}

/// lo, eth0 towards the Internet, eth1 and eth2 with private networks; all routed.
pub(crate) fn router() -> Network {
    let links = vec![
        link(1, "lo", &["127.0.0.1/8", "::1/128"]),
        link(2, "eth0", &["192.0.2.2/24", "2001:db8::2/64"]),
        link(3, "eth1", &["10.1.0.1/24", "fd00:1::1/64"]),
        link(4, "eth2", &["10.2.0.1/24", "fd00:2::1/64"]),
    ];
    let routes: [(&str, &[u32]); 8] = [
        ("0.0.0.0/0", &[2]),
        ("192.0.2.0/24", &[2]),
        ("10.1.0.0/24", &[3]),
        ("10.2.0.0/24", &[4]),
        ("::/0", &[2]),
        ("2001:db8::/64", &[2]),
        ("fd00:1::/64", &[3]),
        ("fd00:2::/64", &[4]),
    ];
    network(links, &routes)
}
