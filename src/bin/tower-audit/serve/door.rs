//! Who may come in: the token, the session it is exchanged for, and the host that is asked.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::http::{HeaderMap, header};
use tokio::sync::Semaphore;
use tower_audit::{HashKey, Purpose};

use super::{Token, public::PublicUrl, refusals::Refusals};

/// How long the answer to a wrong token takes, and how many of them wait at once; the next ones are
/// refused without being looked at.
const DELAY: Duration = Duration::from_secs(1);
const MAX_WRONG: usize = 8;

/// Knows the token and its session, as hashes with a key of this run.
#[derive(Debug)]
pub(super) struct Door {
    /// Nobody else knows it, so that how long a comparison of hashes takes tells nothing.
    key: HashKey,
    token: String,
    session: String,
    session_hash: String,
    cookie: String,
    listen: SocketAddr,
    /// What people open, when a proxy is in front.
    public: Option<PublicUrl>,
    wrong: Semaphore,
    refusals: Refusals,
}

/// What became of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Right,
    Wrong,
    /// Too many wrong ones at once.
    TooMany,
}

impl Door {
    pub(super) fn new(token: &Token, listen: SocketAddr) -> Self {
        let key = HashKey::generated();
        let hash = |text: &str| key.hash(Purpose::Session, text.as_bytes()).to_string();
        // With a key of its own: whoever has the cookie of one run has neither the token nor a
        // cookie of the next.
        let session = HashKey::generated().hash(Purpose::Session, token.as_str().as_bytes());
        let session = session.rsplit(':').next().unwrap_or_default().to_owned();
        Self {
            token: hash(token.as_str()),
            session_hash: hash(&session),
            session,
            key,
            // Cookies do not know ports: two of these programs must not sign each other out.
            cookie: format!("tower_audit_{}", listen.port()),
            listen,
            public: None,
            wrong: Semaphore::new(MAX_WRONG),
            refusals: Refusals::default(),
        }
    }

    /// Behind a proxy that is opened by this address.
    pub(super) fn public(mut self, public: Option<PublicUrl>) -> Self {
        self.public = public;
        self
    }

    /// Wrong tokens are recorded there.
    pub(super) fn refusals(mut self, refusals: Refusals) -> Self {
        self.refusals = refusals;
        self
    }

    /// Whether a request has the cookie of the session.
    pub(super) fn is_open_to(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(header::COOKIE).iter();
        let cookies = cookies.filter_map(|line| line.to_str().ok());
        cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(name, value)| name == self.cookie && self.hash(value) == self.session_hash)
    }

    /// Looks at a token. A wrong one waits, so that nobody tries many.
    pub(super) async fn show(&self, token: &str, client: Option<IpAddr>) -> Shown {
        if self.hash(token) == self.token {
            return Shown::Right;
        }
        let Ok(_turn) = self.wrong.try_acquire() else {
            return Shown::TooMany;
        };
        // Before the wait, which a client need not stay for.
        self.refusals.note(client);
        tokio::time::sleep(DELAY).await;
        Shown::Wrong
    }

    /// The header that gives a browser its session, until it is closed.
    pub(super) fn set_cookie(&self) -> String {
        let is_secure = self.public.as_ref().is_some_and(PublicUrl::is_https);
        let secure = if is_secure { "; Secure" } else { "" };
        format!(
            "{}={}; Path=/; HttpOnly; SameSite=Strict{secure}",
            self.cookie, self.session
        )
    }

    /// Whether a request on this machine names this machine, or what people open. A page elsewhere whose name was made to
    /// lead here (DNS rebinding) names itself.
    pub(super) fn is_asked(&self, host: Option<&str>) -> bool {
        if !self.listen.ip().is_loopback() {
            return true;
        }
        let port = self.listen.port();
        let own = [self.listen.to_string(), format!("localhost:{port}")];
        // Browsers leave out port 80.
        let short = [self.listen.ip().to_string(), "localhost".to_owned()];
        host.is_some_and(|host| {
            let host = host.to_ascii_lowercase();
            let is_public = self.public.as_ref().is_some_and(|public| public.is(&host));
            is_public || own.contains(&host) || (port == 80 && short.contains(&host))
        })
    }

    fn hash(&self, text: &str) -> String {
        self.key.hash(Purpose::Session, text.as_bytes()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(listen: &str) -> (Door, Token) {
        let token = Token::made().unwrap();
        (Door::new(&token, listen.parse().unwrap()), token)
    }

    #[test]
    fn only_the_cookie_of_this_run_opens_and_it_is_not_the_token() {
        let (door, token) = door("127.0.0.1:7878");
        let set = door.set_cookie();
        let cookie = set.split(';').next().unwrap();
        assert!(!set.contains(token.as_str()), "{set}");
        let other = Door::new(&token, "127.0.0.1:7878".parse().unwrap()).set_cookie();
        let other = other.split(';').next().unwrap();
        for (line, expected) in [
            (cookie, true),
            (&*format!("a=b; {cookie}; c"), true),
            (other, false),
            (&*format!("tower_audit_7878={}", token.as_str()), false),
            (&*cookie.replace("7878", "7879"), false),
            ("tower_audit_7878=", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::COOKIE, line.parse().unwrap())]);
            assert_eq!(door.is_open_to(&headers), expected, "{line}");
        }
    }

    #[test]
    fn a_cookie_goes_by_tls_where_people_come_by_tls() {
        for (public, expected) in [
            (None, false),
            (Some("http://audit.example"), false),
            (Some("https://audit.example"), true),
        ] {
            let public = public.map(|text| PublicUrl::parse(text).unwrap());
            let set = door("127.0.0.1:7878").0.public(public).set_cookie();
            assert_eq!(set.ends_with("; Secure"), expected, "{set}");
        }
    }

    #[test]
    fn a_name_that_only_leads_here_is_not_served() {
        let (local, _) = door("127.0.0.1:7878");
        for (host, expected) in [
            (Some("127.0.0.1:7878"), true),
            (Some("LocalHost:7878"), true),
            (Some("evil.example:7878"), false),
            (Some("127.0.0.1:7879"), false),
            (Some("localhost"), false),
            (Some("127.0.0.1.evil.example:7878"), false),
            (None, false),
        ] {
            assert_eq!(local.is_asked(host), expected, "{host:?}");
        }
        let public = local.public(PublicUrl::parse("https://audit.example").ok());
        for (host, expected) in [
            ("Audit.Example", true),
            ("127.0.0.1:7878", true),
            ("evil.example", false),
        ] {
            assert_eq!(public.is_asked(Some(host)), expected, "{host}");
        }
        let (remote, _) = door("0.0.0.0:7878");
        assert!(remote.is_asked(Some("audit.example")));
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_wait_and_too_many_are_not_looked_at() {
        let (door, token) = door("127.0.0.1:7878");
        assert_eq!(door.show(token.as_str(), None).await, Shown::Right);
        let wrong = door.show("0", None);
        tokio::pin!(wrong);
        let waits = tokio::time::timeout(DELAY / 2, &mut wrong).await;
        assert!(waits.is_err(), "{waits:?}");
        assert_eq!(wrong.await, Shown::Wrong);
        let _taken = door.wrong.acquire_many(8).await.unwrap();
        assert_eq!(door.show("0", None).await, Shown::TooMany);
        assert_eq!(door.show(token.as_str(), None).await, Shown::Right);
    }
}
