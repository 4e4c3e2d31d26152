//! The audit trail: where it is kept, what is recorded, and which actions there are.

use tower_audit::{
    Audit, AuditBuilder, AuditLayer, Policy,
    capture::{ClientAddress, Session},
    policy::Rule,
    record::{Assurance, Catalogue, CatalogueError, Declaration},
    sink::SqliteSink,
};

use crate::{args::Args, clock, failure::Failure, login};

pub(crate) async fn start(args: &Args) -> Result<Audit, Failure> {
    let builder = configured(args)?.clock(clock::Begun::at(args.clock));
    Ok(builder.start().await?)
}

pub(crate) fn configured(args: &Args) -> Result<AuditBuilder, Failure> {
    let policy = match &args.policy {
        Some(file) => Policy::from_toml_file(file)?,
        None => Policy::new().rule(Rule::new("health checks").route("/health").skip()),
    };
    // Its directory and its sinks can be said by the environment as well, which wins.
    Ok(Audit::from_env("demo")
        .version(env!("CARGO_PKG_VERSION"))
        .dir(args.dir.join("journal"))
        .sink("sqlite", SqliteSink::new(args.dir.join("audit.db")))
        .catalogue(catalogue()?)
        .policy(policy))
}

/// The layer around all routes.
pub(crate) fn layer(audit: &Audit, args: &Args) -> AuditLayer {
    let proxies = args.trusted_proxy.iter().cloned().collect();
    audit
        .layer()
        .client_address(ClientAddress::behind(proxies))
        .session(Session::cookie(login::COOKIE))
}

/// What this service does, in words for an auditor. A request on one of these routes has its name,
/// also when it is refused before the handler runs.
fn catalogue() -> Result<Catalogue, CatalogueError> {
    Catalogue::new([
        Declaration::new("user.login")
            .description("Somebody tried to log in, with a password.")
            .route("POST", "/login")
            .route("POST", "/sign-in"),
        Declaration::new("user.logout")
            .description("A user ended the session.")
            .route("POST", "/logout"),
        Declaration::new("session.expire").description("A session ended by itself."),
        Declaration::new("document.create")
            .description("A document was made.")
            .route("POST", "/documents"),
        Declaration::new("document.update")
            .description("A document got another name.")
            .route("PUT", "/documents/{id}"),
        Declaration::new("document.delete")
            .description("A document was removed for good.")
            .route("DELETE", "/documents/{id}"),
        Declaration::new("report.build").description("A report was made of all documents."),
        // On disk before the handler runs: a new role is never given unseen.
        Declaration::new("user.change_role")
            .description("An administrator gave a user another role.")
            .route("POST", "/admin/users/{name}/role")
            .assurance(Assurance::Strict),
    ])
}
