//! What can be set, by flags or by the environment.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tower_audit::{capture::TrustedProxies, clock::Timestamp};

/// A small document service that audits itself into SQLite.
#[derive(Debug, clap::Parser)]
#[command(name = "demo")]
pub(crate) struct Args {
    /// Where it listens; port 0 is any that is free
    #[arg(long, env = "DEMO_LISTEN", default_value = "127.0.0.1:3000")]
    pub(crate) listen: SocketAddr,
    /// The trail is kept below journal/ in this directory, the database is audit.db
    #[arg(long, env = "DEMO_DIR", default_value = "./audit-demo")]
    pub(crate) dir: PathBuf,
    /// A proxy whose X-Forwarded-For is believed; may be given more than once
    #[arg(
        long,
        env = "DEMO_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    #[arg(value_parser = TrustedProxies::parse)]
    pub(crate) trusted_proxy: Vec<TrustedProxies>,
    /// What is recorded, how surely, and what is masked (TOML)
    #[arg(long, env = "DEMO_POLICY", value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// After so long a session ends by itself
    #[arg(
        long,
        env = "DEMO_SESSION_SECONDS",
        value_name = "SECONDS",
        default_value_t = 900
    )]
    session_seconds: u64,
    /// Makes up so many records of the last 30 days, to have something to look at; only in a new directory
    #[arg(long, value_name = "RECORDS", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    pub(crate) seed: u32,
    /// The time at which the trail's clock begins, for pictures: an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    pub(crate) clock: Option<Timestamp>,
}

impl Args {
    pub(crate) const fn session_lasts(&self) -> Duration {
        Duration::from_secs(self.session_seconds)
    }

    /// The address of the database, for whoever reads it.
    pub(crate) fn store(&self) -> String {
        format!("sqlite://{}", self.dir.join("audit.db").display())
    }

    /// Says where it listens, who may log in, and what to try.
    pub(crate) fn welcome(&self, address: SocketAddr) {
        println!(
            r#"listening on http://{address}
users: flapjack (password syrup), admin (password butter)
the audit trail, for admin: http://{address}/audit
try:
  curl -c cookies -H 'content-type: application/json' -d '{{"user":"flapjack","password":"syrup"}}' http://{address}/login
  curl -b cookies -H 'content-type: application/json' -d '{{"name":"Breakfast plans"}}' http://{address}/documents
  cargo run --release --features cli -- query --store {}"#,
            self.store()
        );
    }
}
