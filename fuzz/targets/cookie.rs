//! The session in `Cookie` and `Set-Cookie` lines. The first line of the input is the cookie's name.

#![no_main]

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let name = lines.next().and_then(|name| std::str::from_utf8(name).ok());
    let mut headers = HeaderMap::new();
    for value in lines.filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(header::COOKIE, value.clone());
        headers.append(header::SET_COOKIE, value);
    }
    tower_audit::fuzzing::cookie(name.unwrap_or("sid"), headers);
});
