//! The page for logging in: it works without a script, and is read aloud well. `tests/systems` looks at
//! it in a browser.

/// Nothing of a request is in it, so that there is nothing to escape.
pub(crate) const EMPTY: &str = r##"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Demo</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 20rem; margin: 12vh auto; padding: 0 1rem }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input, button { padding: .5rem .75rem; margin: .25rem 0 1rem; border: 1px solid GrayText; border-radius: .375rem }
[role=alert] { border-left: .25rem solid; padding-left: .75rem }
</style>
<main>
<h1>Sign in</h1>
<!-- said -->
<form method="post">
<label for="user">User</label>
<input id="user" name="user" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Sign in</button>
</form>
</main>
</html>
"##;

/// The page again, for whoever gave a wrong name or password.
pub(crate) fn refused() -> String {
    let said = r#"<p role="alert">That is not the user, or not the password.</p>"#;
    EMPTY.replace("<!-- said -->", said)
}
