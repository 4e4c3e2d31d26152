//! `tower-audit serve`: the viewer on a store, for whoever has the token.

mod door;
mod public;
mod refusals;
mod sign_in;
mod token;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::http::request::Parts;
use clap::Args as ClapArgs;
use serde::Serialize;
use tokio::{net::TcpListener, sync::Notify};
use tower_audit::{
    Actor, Audit, SinkOptions,
    sink::url,
    store::Store,
    viewer::{Access, Viewer, ViewerBuilder},
};

use self::{door::Door, public::PublicUrl, refusals::Refusals, token::Token};
use crate::{
    exit::{End, Failure},
    interrupt::Interrupt,
    output::Output,
    verify::open,
};

pub(crate) const HELP: &str = "\
Examples:
  tower-audit serve --store sqlite://audit.db
  tower-audit serve --store sqlite://audit.db --record /var/lib/audit-viewer --reader ann
  tower-audit serve --store 'postgres://reader@db/docs?password_file=/run/pw' --token-file /run/t

The viewer on a store, for whoever has the token. Without --token-file one is made and printed once,
as an address to open; it ends with the program. The browser gets a cookie for it, which is not the
token. Reading is recorded in the trail of --record, which delivers to the same store, and once a
minute at most that wrong tokens were shown; otherwise it is not recorded.
Only this machine is served, unless --allow-remote is given. There is no TLS: put a proxy in front,
which passes Host on, and say with --public-url what people open: requests for that host are
answered, and with https the cookie is Secure.
Ctrl-C ends it.";

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// The store to show, such as sqlite://audit.db
    #[arg(long, value_name = "URL")]
    pub(crate) store: String,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878")]
    pub(crate) listen: SocketAddr,
    /// Serve other machines too, without TLS
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// What people open when a proxy is in front, such as https://audit.example
    #[arg(long, value_name = "URL", value_parser = PublicUrl::parse)]
    pub(crate) public_url: Option<PublicUrl>,
    /// The file with the token, of 32 characters or more
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The directory of a trail for what is read
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Who has the token, as the records of reading say it
    #[arg(long, value_name = "NAME", default_value = "token")]
    pub(crate) reader: String,
    /// Print the address as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How long requests may go on when the end was asked for.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: &ServeArgs, output: &mut Output) -> Result<End, Failure> {
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        return Err(Failure::said(format!(
            "{} is reached from other machines, and there is no TLS: listen on 127.0.0.1, or say --allow-remote",
            args.listen
        )));
    }
    let token = match &args.token_file {
        Some(file) => Token::read(file, output)?,
        None => Token::made()?,
    };
    let store = open(&args.store).await?;
    let listener = TcpListener::bind(args.listen).await;
    let cannot = |error| Failure::new(format!("cannot listen on {}", args.listen), error);
    let listener = listener.map_err(cannot)?;
    let listen = listener.local_addr().map_err(cannot)?;
    let audit = match &args.record {
        Some(dir) => Some(trail(args, dir).await?),
        None => None,
    };
    let door = Door::new(&token, listen)
        .public(args.public_url.clone())
        .refusals(Refusals::into(audit.clone()));
    let door = Arc::new(door);
    let viewer = viewer(args, audit.as_ref(), store, &door)?;
    welcome(args, listen, &token, output)?;
    let served = serve(listener, door, viewer).await;
    if let Some(audit) = audit {
        let report = audit.shutdown(PATIENCE).await;
        output.note(&report.to_string());
    }
    served.map(|()| End::Good)
}

/// The trail in which reading is recorded.
async fn trail(args: &ServeArgs, dir: &std::path::Path) -> Result<Audit, Failure> {
    let sink = url::parse(&args.store).map_err(Failure::of)?;
    let audit = Audit::builder("tower-audit-serve").dir(dir);
    let audit = audit.sink_with("store", sink, SinkOptions::new());
    audit.start().await.map_err(Failure::of)
}

fn viewer(
    args: &ServeArgs,
    audit: Option<&Audit>,
    store: Store,
    door: &Arc<Door>,
) -> Result<Viewer, Failure> {
    let (door, reader) = (Arc::clone(door), args.reader.clone());
    let authorise = move |parts: Arc<Parts>| {
        let access = if door.is_open_to(&parts.headers) {
            Access::All(Actor::user(reader.as_str()).auth_method("token"))
        } else {
            Access::Denied
        };
        std::future::ready(access)
    };
    let builder: ViewerBuilder = match audit {
        Some(audit) => audit.viewer(store, authorise),
        None => Viewer::builder(store, authorise),
    };
    builder.sign_in(sign_in::PATH).build().map_err(Failure::of)
}

#[derive(Serialize)]
struct Welcome<'a> {
    address: String,
    listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// Says where to look. A token that somebody else made is not repeated.
fn welcome(
    args: &ServeArgs,
    listen: SocketAddr,
    token: &Token,
    output: &mut Output,
) -> Result<(), Failure> {
    let made = args.token_file.is_none().then(|| token.as_str());
    let open = args.public_url.as_ref().map(PublicUrl::address);
    let open = open.unwrap_or_else(|| format!("http://{listen}"));
    let address = match made {
        Some(token) => format!("{open}/?token={token}"),
        None => format!("{open}/"),
    };
    if args.json {
        let token = made;
        output.json(&Welcome {
            address,
            listen,
            token,
        })?;
    } else {
        output.line(&address)?;
    }
    output.flush()?;
    if !is_local(listen.ip()) {
        output.note("other machines are served, without TLS: the token and all records can be read on the way");
    }
    if args.record.is_none() {
        output.note("what is read is not recorded: --record DIR records it");
    }
    Ok(())
}

fn is_local(address: IpAddr) -> bool {
    address.is_loopback()
}

/// Serves until it is told to end; then live views end, and what runs has a few seconds.
async fn serve(listener: TcpListener, door: Arc<Door>, viewer: Viewer) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    let ending = Arc::new(Notify::new());
    let router = sign_in::router(door, viewer.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let told = Arc::clone(&ending);
    let served =
        axum::serve(listener, service).with_graceful_shutdown(async move { told.notified().await });
    let end = async {
        let _ = interrupt.told().await;
        viewer.close();
        ending.notify_one();
        // A client that holds its connection open does not hold the program.
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        served = served.into_future() => served.map_err(|error| Failure::new("cannot serve", error)),
        () = end => Ok(()),
    }
}
