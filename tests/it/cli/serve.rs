//! `tower-audit serve`: the viewer, for whoever has the token.

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpStream},
    process::Stdio,
};

use super::*;

/// A viewer that runs, and where.
struct Serving {
    child: Child,
    address: SocketAddr,
    token: Option<String>,
}

impl Serving {
    fn start(store: &str, more: &[&str]) -> Self {
        let mut child = Command::new(BIN)
            .args([
                "serve",
                "--json",
                "--listen",
                "127.0.0.1:0",
                "--store",
                store,
            ])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = json(&next_line(&mut child));
        let address = said["listen"].as_str().unwrap().parse().unwrap();
        let token = said["token"].as_str().map(str::to_owned);
        Self {
            child,
            address,
            token,
        }
    }

    /// The whole answer to a request with these headers.
    fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut answer = String::new();
        let mut stream = self.open(line, headers, body);
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn open(&self, line: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut head = format!("{line} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let head = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    /// The cookie that the token is exchanged for.
    fn sign_in(&self, token: &str) -> String {
        let answer = self.ask("POST /sign-in", &[], &format!("token={token}"));
        assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
        cookie(&answer)
    }

    /// Ends it as a service manager does; what it said on standard error.
    fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let mut err = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {err}");
        err
    }
}

fn cookie(answer: &str) -> String {
    let line = answer
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("set-cookie: "));
    let line = &line.unwrap()["set-cookie: ".len()..];
    assert!(line.contains("; HttpOnly; SameSite=Strict"), "{line}");
    line.split(';').next().unwrap().to_owned()
}

// Trap Q8.
#[test]
fn nothing_is_shown_without_the_token_and_all_with_it() {
    let service = Service::after([done("document.create")]);
    let serving = Serving::start(&service.store(), &[]);
    let token = serving.token.clone().unwrap();
    for path in ["/", "/api/records", "/export?format=csv", "/records/x"] {
        let answer = serving.ask(&format!("GET {path}"), &[], "");
        assert!(answer.starts_with("HTTP/1.1 403 "), "{path}: {answer}");
        assert!(!answer.contains("document.create"), "{path}: {answer}");
    }
    let form = serving.ask("GET /sign-in", &[], "");
    assert!(
        form.contains("<form method=\"post\"") && form.contains("default-src 'none'"),
        "{form}"
    );
    let wrong = serving.ask("POST /sign-in", &[], "token=0000");
    assert!(
        wrong.starts_with("HTTP/1.1 403 ") && !wrong.contains("set-cookie"),
        "{wrong}"
    );

    let linked = serving.ask(&format!("GET /?token={token}"), &[], "");
    assert!(
        linked.starts_with("HTTP/1.1 303 ") && linked.contains("location: /\r\n"),
        "{linked}"
    );
    assert!(
        !linked.contains(&token),
        "the session is not the token: {linked}"
    );
    let cookie = serving.sign_in(&token);
    assert_eq!(cookie, self::cookie(&linked));
    let page = serving.ask("GET /", &[("cookie", &cookie)], "");
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.contains("document.create"),
        "{page}"
    );
    let records = serving.ask("GET /api/records", &[("cookie", &cookie)], "");
    assert!(records.contains("\"document.create\""), "{records}");

    // A page of another site whose name leads here.
    let rebound = serving.ask(
        "GET /",
        &[("cookie", &cookie), ("host", "evil.example")],
        "",
    );
    assert!(
        rebound.starts_with("HTTP/1.1 421 ") && !rebound.contains("document.create"),
        "{rebound}"
    );
    let long = serving.ask("POST /sign-in", &[], &format!("token={}", "x".repeat(3000)));
    assert!(long.starts_with("HTTP/1.1 413 "), "{long}");
    let err = serving.stop();
    assert!(err.contains("is not recorded: --record DIR"), "{err}");
}

// Trap Q8.
#[test]
fn reading_is_recorded_in_the_trail_that_is_named() {
    let service = Service::after([done("document.create")]);
    let dir = service.tmp.path().join("reads").display().to_string();
    let serving = Serving::start(&service.store(), &["--record", &dir, "--reader", "ann"]);
    let cookie = serving.sign_in(&serving.token.clone().unwrap());
    let page = serving.ask("GET /?action=document.*", &[("cookie", &cookie)], "");
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    let err = serving.stop();
    assert!(err.contains("closed in order"), "{err}");
    let reads = [
        "query",
        "--store",
        &service.store(),
        "--action",
        "audit.read",
        "--actor",
        "ann",
    ];
    let reads = ended(0, &reads);
    assert_eq!(reads.lines().count(), 1, "{reads}");
    assert!(reads.contains("document.*"), "{reads}");
}

// Trap Q8.
#[test]
fn behind_a_proxy_the_public_host_is_served_and_a_wrong_token_is_recorded() {
    let service = Service::after([done("document.create")]);
    let dir = service.tmp.path().join("reads").display().to_string();
    let more = ["--record", &dir, "--public-url", "https://audit.example"];
    let serving = Serving::start(&service.store(), &more);
    let host = ("host", "audit.example");
    let sign_in = |token: &str| serving.ask("POST /sign-in", &[host], &format!("token={token}"));
    for _ in 0..2 {
        let wrong = sign_in("0000");
        assert!(wrong.starts_with("HTTP/1.1 403 "), "{wrong}");
    }
    let right = sign_in(&serving.token.clone().unwrap());
    assert!(
        right.starts_with("HTTP/1.1 303 ") && right.contains("; Secure\r\n"),
        "{right}"
    );
    let cookie = cookie(&right);
    let page = serving.ask("GET /", &[("cookie", &cookie), host], "");
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.contains("document.create"),
        "{page}"
    );
    let rebound = serving.ask(
        "GET /",
        &[("cookie", &cookie), ("host", "evil.example")],
        "",
    );
    assert!(rebound.starts_with("HTTP/1.1 421 "), "{rebound}");
    serving.stop();
    let store = service.store();
    let denied = [
        "query",
        "--store",
        &store,
        "--json",
        "--action",
        "user.login",
    ];
    let denied = ended(0, &denied);
    assert_eq!(denied.lines().count(), 1, "{denied}");
    assert!(
        denied.contains("wrong token") && denied.contains("127.0.0.1"),
        "{denied}"
    );
    assert!(!denied.contains("0000\""), "{denied}");
}

#[test]
fn a_live_view_does_not_hold_the_program_and_a_token_from_a_file_is_not_repeated() {
    let service = Service::after([done("document.create")]);
    let file = service.tmp.path().join("token");
    let token = "t".repeat(40);
    fs::write(&file, format!("{token}\n")).unwrap();
    let serving = Serving::start(&service.store(), &["--token-file", file.to_str().unwrap()]);
    assert_eq!(serving.token, None);
    let cookie = serving.sign_in(&token);
    let mut live = serving.open("GET /live", &[("cookie", &cookie)], "");
    let head = line_of(&mut live);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    serving.stop();
}

#[test]
fn what_would_be_unsafe_is_refused_with_the_way_out() {
    let service = Service::after([done("document.create")]);
    let store = service.store();
    let file = service.tmp.path().join("token");
    fs::write(&file, "short").unwrap();
    let file = file.to_str().unwrap();
    for (more, expected) in [
        (&["--listen", "0.0.0.0:0"][..], "--allow-remote"),
        (&["--listen", "[::]:0"], "--allow-remote"),
        (
            &["--public-url", "https://audit.example/logs"],
            "write a scheme and a host",
        ),
        (&["--token-file", file], "openssl rand -hex 32"),
        (
            &["--token-file", "/no/such/file"],
            "cannot read the token file",
        ),
    ] {
        let err = refused(&[&["serve", "--store", &store][..], more].concat());
        assert!(err.contains(expected), "{more:?}: {err}");
    }
}
