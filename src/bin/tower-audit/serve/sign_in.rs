//! The page to sign in on, the link that signs in, and the viewer behind them.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use tower_audit::viewer::Viewer;

use super::door::{Door, Shown};

pub(super) const PATH: &str = "/sign-in";

/// The most that a form or a link with a token may have, in bytes.
const MAX_BYTES: usize = 2048;

/// The page's own rules: nothing is loaded but the viewer's style.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

pub(super) fn router(door: Arc<Door>, viewer: Viewer) -> Router {
    Router::new()
        .route(PATH, get(ask).post(submit))
        .with_state(Arc::clone(&door))
        .fallback_service(viewer)
        .layer(middleware::from_fn_with_state(door, enter))
}

/// What is looked at before anything else: the host that is named, and a token in the address.
async fn enter(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    if !door.is_asked(host.or_else(|| request.uri().host())) {
        let text = "This address is not that of the program. Open the one that it printed.";
        return page(StatusCode::MISDIRECTED_REQUEST, text, "");
    }
    match token_of(request.uri()) {
        Some(token) if request.method() == Method::GET => {
            answer(&door, &token, client(&request)).await
        }
        _ => next.run(request).await,
    }
}

/// The token in `/?token=…`.
fn token_of(uri: &Uri) -> Option<String> {
    let query = uri.query().filter(|query| query.len() <= MAX_BYTES)?;
    (uri.path() == "/").then(|| field(query.as_bytes()))?
}

/// The field `token` of a form.
fn field(form: &[u8]) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    let found = fields.find(|(name, _)| name == "token");
    found.map(|(_, token)| token.trim().to_owned())
}

async fn ask() -> Response {
    page(
        StatusCode::OK,
        "The token stands where the program was started.",
        FORM,
    )
}

/// Who asks: with a proxy in front, the proxy.
fn client(request: &Request) -> Option<IpAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map(|ConnectInfo(address)| address.ip())
}

async fn submit(State(door): State<Arc<Door>>, request: Request) -> Response {
    let client = client(&request);
    let body = axum::body::to_bytes(request.into_body(), MAX_BYTES).await;
    let Ok(body) = body else {
        return page(
            StatusCode::PAYLOAD_TOO_LARGE,
            "That is too long for a token.",
            FORM,
        );
    };
    answer(&door, &field(&body).unwrap_or_default(), client).await
}

async fn answer(door: &Door, token: &str, client: Option<IpAddr>) -> Response {
    match door.show(token, client).await {
        Shown::Right => {
            // To an address without the token, so that it stays in no history.
            let mut response = page(StatusCode::SEE_OTHER, "", "");
            let headers = response.headers_mut();
            headers.insert(header::LOCATION, HeaderValue::from_static("/"));
            if let Ok(cookie) = HeaderValue::try_from(door.set_cookie()) {
                headers.insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Shown::Wrong => page(StatusCode::FORBIDDEN, "That is not the token.", FORM),
        Shown::TooMany => page(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many wrong tokens at once. Try again in a moment.",
            FORM,
        ),
    }
}

const FORM: &str = r#"<form method="post" action="/sign-in"><p><label for="token">Token</label>
<input id="token" name="token" type="password" required autocomplete="off" autofocus>
<button type="submit">Sign in</button></p></form>"#;

/// A page of constants.
fn page(status: StatusCode, text: &str, form: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Sign in · Audit trail</title><link rel=\"stylesheet\" href=\"/assets/viewer.css\">\
         </head><body><main><h1>Audit trail</h1><p>{text}</p>{form}</main></body></html>\n"
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
