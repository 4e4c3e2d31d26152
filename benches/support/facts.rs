//! The facts that are written in every bench: those of one audited request.

use tower_audit::{
    Actor, Record, Target,
    record::{Context, Http},
};

/// What differs from one record to the next.
pub(crate) struct Facts {
    number: u64,
    actor: String,
    document: String,
    request: String,
}

impl Facts {
    /// The facts of the request of this number.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            actor: (number % 1000).to_string(),
            document: format!("4cq1mN{number:010}"),
            request: format!("req-{number:016x}"),
        }
    }

    /// As a record.
    pub(crate) fn record(self) -> Record {
        Record::new("document.create")
            .success()
            .actor(
                Actor::user(self.actor)
                    .name("Flapjack Toasty")
                    .auth_method("password"),
            )
            .target(Target::new("document", self.document).name("Untitled document"))
            .context(
                Context::new()
                    .ip_address("39.139.42.243")
                    .user_agent(AGENT)
                    .session_id("hmac-sha256:k1:9f86d081884c7d659a2feaa0c55ad015")
                    .request_id(self.request)
                    .http(Http::new().method("POST").route("/api/docs").status(201)),
            )
            .change("name", "Untitled document", "Plans")
            .detail("workspace", 97 + self.number % 3)
    }

    /// As an event of `tracing`, for JSON `fmt`.
    pub(crate) fn event(self) {
        tracing::info!(
            target: "audit",
            action = "document.create",
            service.name = SERVICE,
            outcome = "success",
            actor.kind = "user",
            actor.id = self.actor,
            actor.name = "Flapjack Toasty",
            actor.auth_method = "password",
            target.kind = "document",
            target.id = self.document,
            target.name = "Untitled document",
            ip_address = "39.139.42.243",
            user_agent = AGENT,
            session_id = "hmac-sha256:k1:9f86d081884c7d659a2feaa0c55ad015",
            request_id = self.request,
            http.method = "POST",
            http.route = "/api/docs",
            http.status = 201,
            change.field = "name",
            change.previous = "Untitled document",
            change.current = "Plans",
            detail.workspace = 97 + self.number % 3,
        );
    }
}

/// The name of the service in every bench.
pub(crate) const SERVICE: &str = "docs";

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
