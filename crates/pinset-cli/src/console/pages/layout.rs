//! The frame of all pages: head, navigation, main part.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use jiff::Timestamp;
use maud::{html, Markup, DOCTYPE};
use pinset::escape::escape_invisible;

use crate::console::access::CurrentUser;

const STYLE: &str = include_str!("style.css");

/// The pages in the navigation.
const NAVIGATION: [(&str, &str); 7] = [
    ("/", "PIN sets"),
    ("/locked", "Locked out"),
    ("/live", "Live"),
    ("/callers", "Callers"),
    ("/calls", "Calls"),
    ("/changes", "Changes"),
    ("/setup", "Setup"),
];

/// Returns a page. Its title is also its heading; `path` is marked in the navigation.
pub(in crate::console) fn page(
    status: StatusCode,
    title: &str,
    user: Option<&CurrentUser>,
    path: &str,
    content: Markup,
) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – pinset" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                @if let Some(user) = user {
                    (header(user, path))
                }
                main id="main" tabindex="-1" {
                    h1 { (title) }
                    (content)
                }
            }
        }
    };
    let mut response = (status, page.into_string()).into_response();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

fn header(user: &CurrentUser, path: &str) -> Markup {
    html! {
        header {
            nav aria-label="Pages" {
                ul {
                    @for (target, name) in NAVIGATION {
                        li {
                            a href=(target) aria-current=[(target == path).then_some("page")] {
                                (name)
                            }
                        }
                    }
                }
            }
            div.user {
                a href="/account" aria-current=[("/account" == path).then_some("page")] {
                    (user.name) " (" (user.role) ")"
                }
                form method="post" action="/logout" {
                    button type="submit" { "Log out" }
                }
            }
        }
    }
}

/// Returns a table, which scrolls by itself where it is too wide.
pub(in crate::console) fn table(caption: &str, content: Markup) -> Markup {
    html! {
        div.table role="group" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                (content)
            }
        }
    }
}

/// Returns a summary of errors, which takes the focus when the page is loaded.
pub(in crate::console) fn summary(text: &str) -> Markup {
    html! {
        div.errors role="alert" tabindex="-1" autofocus { p { (text) } }
    }
}

/// Answers with the style sheet.
pub(in crate::console) async fn style() -> Response {
    let mut response = STYLE.into_response();
    let css = HeaderValue::from_static("text/css; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, css);
    response
}

/// Returns text from files and clients without invisible characters.
pub(in crate::console) fn safe(text: &str) -> String {
    escape_invisible(text.as_bytes())
}

/// Returns a time in the zone of the machine.
pub(in crate::console) fn time(milliseconds: i64) -> String {
    formatted(milliseconds, "%Y-%m-%d %H:%M:%S %:z")
}

/// Returns a time of today in the zone of the machine.
pub(in crate::console) fn clock(milliseconds: i64) -> String {
    formatted(milliseconds, "%H:%M:%S")
}

fn formatted(milliseconds: i64, format: &str) -> String {
    let Ok(time) = Timestamp::from_millisecond(milliseconds) else {
        return String::new();
    };
    let time = time.to_zoned(TimeZone::system());
    time.strftime(format).to_string()
}
