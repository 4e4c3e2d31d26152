//! Who there is, and what they use: all of it made up, in addresses that are for examples.

/// A company, its domain, and its people: id, name, address.
pub(super) type Company = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str, &'static str)],
);

#[rustfmt::skip]
pub(super) const COMPANIES: [Company; 3] = [
    ("t-1", "Northwind Bakery", "northwind", &[
        ("u-101", "Amara Okafor", "203.0.113.14"), ("u-102", "Jonas Weber", "203.0.113.15"),
        ("u-103", "Mei-Ling Chen", "2001:db8:14::7"), ("u-104", "Søren Dahl", "203.0.113.77"),
        ("u-105", "Priya Raman", "198.51.100.23"),
    ]),
    ("t-2", "Atelier Lumière", "lumiere", &[
        ("u-201", "Élodie Martin", "198.51.100.101"), ("u-202", "Théo Girard", "198.51.100.102"),
        ("u-203", "Inès Moreau", "2001:db8:90::21"),
    ]),
    ("t-3", "Harbour Legal", "harbour", &[
        ("u-301", "Robert Quinn", "192.0.2.45"), ("u-302", "Zofia Nowak", "192.0.2.46"),
    ]),
];

/// How many of twenty use it, its id, its name, and what it calls itself.
#[rustfmt::skip]
pub(super) const APPLICATIONS: [(u64, (&str, &str, &str)); 3] = [
    (12, ("web", "Web", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")),
    (5, ("mobile", "Mobile", "DemoMobile/3.4.1 (iPhone; iOS 26.1)")),
    (2, ("cli", "Command line", "demo-cli/2.8.0")),
];
