//! Where a deployment says what the code left open.

use std::{ffi::OsString, path::PathBuf};

use super::Variables;
use crate::audit::builder::AuditBuilder;

impl AuditBuilder {
    /// Reads the environment at the start. Default: only the key of hashes is read from there.
    ///
    /// | variable | says |
    /// |---|---|
    /// | `AUDIT_DIR` | the base directory |
    /// | `AUDIT_SINKS` | sinks, as `[name=]address` with spaces between them |
    /// | `AUDIT_SINKS_FILE` | a file that says the same: addresses can hold secrets |
    /// | `AUDIT_INSTANCE` | the name of this instance, such as the pod's |
    /// | `AUDIT_CONFIG` | a [configuration file](Self::config_file) |
    /// | `AUDIT_SESSION_KEY`, `AUDIT_SESSION_KEY_FILE` | the [key of hashes](Self::hash_key) |
    ///
    /// The environment wins over the file, and the file over the code, whatever is called first. A
    /// sink without a name is named as its scheme (`otlp+grpc://…` is `otlp-grpc`); its name is that
    /// of its cursor, so it must stay. A sink takes the place of one that has its name in the file or
    /// the code and is served as that one was; any other is added, from the oldest record that is
    /// kept. A variable that is set but empty is an error; one that only looks like one of these is
    /// warned of.
    ///
    /// The addresses are listed at [`sink::url`](crate::sink::url). `OTEL_SERVICE_NAME` is not read
    /// for the trail: a record is proved under the name that the code or the file gives.
    pub fn environment(mut self) -> Self {
        self.given.variables = Variables::Process;
        self
    }

    /// As [`environment`](Self::environment), from these variables alone: for a test.
    ///
    /// ```
    /// # async fn run(dir: std::path::PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    /// use tower_audit::Audit;
    ///
    /// let directory = dir.join("trail").display().to_string();
    /// let sinks = format!("copy=file://{}/audit.jsonl", dir.display());
    /// let variables = [("AUDIT_DIR", directory), ("AUDIT_SINKS", sinks)];
    /// let audit = Audit::builder("docs").variables(variables).start().await?;
    /// assert_eq!(audit.sinks().list()[0].name, "copy");
    ///
    /// let wrong = Audit::builder("docs").variables([("AUDIT_SINKS", "flie:///audit.jsonl")]);
    /// let error = wrong.start().await.unwrap_err().to_string();
    /// assert!(error.contains("AUDIT_SINKS") && error.contains("did you mean file?"), "{error}");
    /// # Ok(()) }
    /// # let dir = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(dir.path().into())).unwrap();
    /// ```
    pub fn variables<N: Into<String>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        let these = variables.map(|(name, value)| (name.into(), value.into()));
        self.given.variables = Variables::These(these.collect());
        self
    }

    /// Reads a TOML file at the start (feature `toml`). Default: none, or `AUDIT_CONFIG`, which
    /// wins, if the [environment](Self::environment) is read.
    ///
    /// Its keys are the settings of this builder, and win over what the code says; of a policy and of
    /// a sink that are in both, the file's counts. Sizes are bytes or texts such as `"64MiB"`, times
    /// texts such as `"500ms"`, `"30s"`, `"7d"`; paths begin at the working directory.
    ///
    /// ```toml
    /// service = "docs"
    /// instance = "docs-1"
    /// dir = "/var/lib/docs/audit"
    /// on_damage = "new_trail"          # or "refuse"
    /// keep_delivered = { age = "7d", bytes = "1GiB" }
    /// keep_undelivered = "10GiB"
    /// # commit_timeout, buffered_delay, queue_limit, memory_limit, segment_bytes, reserve_bytes,
    /// # adopt_every, tidy_every, verify_every
    ///
    /// [[sink]]
    /// name = "sqlite"                  # default: the scheme
    /// url = "sqlite:///var/lib/docs/audit.db"
    ///
    /// [[sink]]
    /// name = "collector"
    /// url = "otlp+grpc://collector:4317"
    /// from = "now"                     # default: "oldest"
    /// call_timeout = "10s"
    /// dead_letter_bytes = "64MiB"
    ///
    /// [policy]                         # or policy = "/etc/docs/policy.toml"
    /// [[policy.rule]]
    /// name = "health checks"
    /// route = "/health"
    /// skip = true
    /// ```
    ///
    /// An unknown key or a wrong value is an error with file, line and key.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.given.file = Some(path.into());
        self
    }
}
