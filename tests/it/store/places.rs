//! The same store on every database there is here.

use tempfile::TempDir;
use tower_audit::{
    sink::{self, Batch, Sink},
    store::Store,
};

use crate::support::{mariadb::Scratch, postgres};

/// An empty database of one kind, dropped with this.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    pub(crate) sink: Box<dyn Sink>,
    keep: Keep,
}

#[expect(dead_code, reason = "most are only kept until they are dropped")]
enum Keep {
    Dir(TempDir),
    Schema(postgres::Place),
    Database(Scratch),
}

impl Place {
    fn new(name: &'static str, address: String, keep: Keep) -> Self {
        Self {
            name,
            sink: sink::url::parse(&address).unwrap(),
            address,
            keep,
        }
    }

    pub(crate) fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = format!("sqlite://{}", dir.path().join("audit.db").display());
        Self::new("SQLite", address, Keep::Dir(dir))
    }

    /// SQLite always, and the servers that are there.
    pub(crate) fn all() -> Vec<Self> {
        let mut places = vec![Self::sqlite()];
        if let Some(place) = postgres::place() {
            let address = place.address();
            places.push(Self::new("PostgreSQL", address, Keep::Schema(place)));
        }
        if let Some(scratch) = Scratch::new() {
            let address = scratch.url("");
            places.push(Self::new("MariaDB", address, Keep::Database(scratch)));
        }
        places
    }

    /// Where it is, if it is on PostgreSQL.
    pub(crate) fn schema(&self) -> Option<&postgres::Place> {
        match &self.keep {
            Keep::Schema(place) => Some(place),
            Keep::Dir(_) | Keep::Database(_) => None,
        }
    }

    pub(crate) async fn put(&mut self, batch: &Batch) {
        self.sink.deliver(batch).await.unwrap();
    }

    pub(crate) async fn store(&self) -> Store {
        let store = Store::open(&self.address).await.unwrap();
        // A machine that is busy with other tests is not what fails here.
        store.timeout(std::time::Duration::from_secs(600))
    }
}
