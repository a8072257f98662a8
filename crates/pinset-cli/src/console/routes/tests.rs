use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::LOCATION;
use axum::http::Request;
use http_body_util::BodyExt;
use pinset::timestamp::since_epoch;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;
use zeroize::Zeroizing;

use super::*;
use crate::common::csv_list::CsvList;
use crate::console::config::Config;
use crate::console::pages::paste::Paste;
use crate::console::sessions::{SessionId, Token};
use crate::console::users::Role;
use crate::console::users::{User, Users};
use crate::http::client::Peer;
use crate::http::connection::Stopping;
use crate::pin_files::import::{SourceFormat, SourceOptions};

/// All paths, and what each needs. A change of the table is a change of this text.
const EXPECTED: &str = "\
GET / Role(Viewer)
GET /account Role(Viewer)
POST /account/end-sessions Confirmed(Viewer)
GET /callers Role(Viewer)
GET /calls Role(Viewer)
GET /calls-totals.csv Role(Viewer)
GET /calls.csv Role(Viewer)
GET /changes Role(Viewer)
GET /changes.csv Role(Viewer)
GET /confirm Role(Viewer)
POST /confirm Role(Viewer)
GET /live Role(Viewer)
GET /live/events Role(Viewer)
GET /live.js Public
GET /locked Role(Viewer)
POST /locked/unlock Role(Operator)
GET /login Public
POST /login Public
POST /logout Role(Viewer)
GET /new-pin-set Role(Admin)
POST /new-pin-set Role(Admin)
GET /pin-file Role(Viewer)
GET /pin-file/add Role(Operator)
POST /pin-file/add Role(Operator)
GET /pin-file/add-pin Role(Operator)
POST /pin-file/add-pin Role(Operator)
GET /pin-file/change Role(Operator)
POST /pin-file/change Role(Operator)
GET /pin-file/check Role(Operator)
GET /pin-file/convert Role(Admin)
POST /pin-file/convert Confirmed(Admin)
POST /pin-file/download Confirmed(Admin)
GET /pin-file/job Role(Operator)
POST /pin-file/job/stop Role(Operator)
GET /pin-file/make-pins Role(Operator)
POST /pin-file/make-pins Role(Operator)
GET /pin-file/paste Role(Operator)
POST /pin-file/paste Role(Operator)
POST /pin-file/paste/add Role(Operator)
POST /pin-file/paste/discard Role(Operator)
GET /pin-file/paste/preview Role(Operator)
POST /pin-file/paste/replace Confirmed(Admin)
POST /pin-file/pins/csv Confirmed(Operator)
POST /pin-file/pins/letters Confirmed(Operator)
GET /pin-file/remove-pin Role(Operator)
POST /pin-file/remove-pin Role(Operator)
POST /pin-file/rows Role(Operator)
GET /pin-file/rows.csv Role(Viewer)
GET /pin-file/saving Role(Operator)
POST /pin-file/undo Role(Operator)
GET /pin-file/verify Role(Operator)
POST /pin-file/verify Role(Operator)
GET /pin-set Role(Viewer)
POST /pin-set/reset-uses Role(Operator)
POST /reload Role(Admin)
GET /setup Role(Viewer)
GET /style.css Public
";

const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Y2FuJ3QgYmUgcmlnaHQ";

struct Lab {
    folder: TempDir,
    app: Arc<App>,
}

impl Lab {
    fn new() -> Self {
        Self::with("")
    }

    /// Creates an app with more options.
    fn with(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let users = [Viewer, Operator, Admin].map(|role| format!("{role}:{role}:{HASH}\n"));
        fs::write(path("users"), users.concat()).expect("written");
        fs::set_permissions(path("users"), Permissions::from_mode(0o600)).expect("a mode");
        let text = format!(
            "lists = {0:?}\nusers = {1:?}\ndatabase = {2:?}\n{options}",
            folder.path(),
            path("users"),
            path("db")
        );
        fs::write(path("console.toml"), text).expect("written");
        let config = Config::read(&path("console.toml"), None);
        let config = config.expect("a configuration");
        let address = "127.0.0.1:5100".parse().expect("an address");
        let app = App::open(config, address, BTreeMap::new()).expect("an app");
        Self {
            app: Arc::new(app),
            folder,
        }
    }

    fn user(&self, role: Role) -> User {
        let users = Users::read(&self.folder.path().join("users")).expect("users");
        users.find(&role.to_string()).expect("a user").clone()
    }

    /// Sends a request as a user of this role, whose session began some time ago. Returns
    /// status and location.
    async fn ask(
        &self,
        router: Router,
        method: Method,
        path: &str,
        user: Option<(Role, Duration)>,
    ) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("Host", "127.0.0.1:5100");
        if let Some((role, ago)) = user {
            let began = since_epoch() - ago;
            let begun = self.app.sessions.begin(&self.user(role), began);
            let token = begun.expect("a session");
            request = request.header("Cookie", format!("pinset-5100={}", token.as_str()));
        }
        // The service does not stop.
        let request = request.extension(Stopping(watch::channel(false).1));
        let request = request.body(Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("a response");
        let location = response.headers().get(LOCATION);
        let location = location.map_or("", |location| location.to_str().expect("a text"));
        (response.status().as_u16(), location.to_owned())
    }
}

impl Lab {
    /// Writes a list, and disables its row on the page.
    async fn disable_row(&self, token: &Token) {
        let text = b"account,secret\nada,plain:1\n";
        fs::write(self.folder.path().join("customers.csv"), text).expect("written");
        let list = CsvList::read(Zeroizing::new(text.to_vec())).expect("a list");
        let tag = self.app.edits.tags.row(&list, 0);
        let form = format!("name=customers.csv&action=disable&row={tag}");
        let request = Request::post("/pin-file/rows")
            .header("Host", "127.0.0.1:5100")
            .header("Sec-Fetch-Site", "same-origin")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Cookie", format!("pinset-5100={}", token.as_str()));
        let request = request.body(Body::from(form)).expect("a request");
        let answered = router(&self.app).oneshot(request).await;
        assert_eq!(answered.expect("a response").status(), 303);
    }
}

fn block_on<T>(future: impl std::future::Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// Returns the status of a path if it refuses a role.
fn refusal(route: &Route, role: Option<Role>) -> Option<u16> {
    let (Access::Role(needed) | Access::Confirmed(needed)) = route.access else {
        return None;
    };
    match role {
        None if route.method == Method::GET => Some(303),
        None => Some(401),
        Some(role) => (role < needed).then_some(403),
    }
}

#[test]
fn every_path_needs_what_the_table_says() {
    let table: String = ROUTES
        .iter()
        .map(|route| format!("{} {} {:?}\n", route.method, route.path, route.access))
        .collect();
    assert_eq!(table, EXPECTED);
    let lab = Lab::new();
    for route in ROUTES {
        for role in [None, Some(Viewer), Some(Operator), Some(Admin)] {
            let router = router(&lab.app);
            let user = role.map(|role| (role, Duration::ZERO));
            let asked = lab.ask(router, route.method.clone(), route.path, user);
            let (status, location) = block_on(asked);
            let is_refused = [401, 403].contains(&status) || location.starts_with("/login?next=");
            let name = format!("{} {} as {role:?}", route.method, route.path);
            let found = is_refused.then_some(status);
            assert_eq!(found, refusal(&route, role), "{name}");
        }
    }
}

/// A link, an image or a prefetch is a GET.
#[test]
fn get_on_a_path_of_a_form_is_refused() {
    let lab = Lab::new();
    let has_page = |path| {
        let mut routes = ROUTES.into_iter();
        routes.any(|route| route.path == path && route.method == Method::GET)
    };
    let forms = ROUTES
        .into_iter()
        .filter(|route| route.method == Method::POST);
    let mut refused = 0;
    for route in forms.filter(|route| !has_page(route.path)) {
        let admin = Some((Admin, Duration::ZERO));
        let asked = lab.ask(router(&lab.app), Method::GET, route.path, admin);
        assert_eq!(block_on(asked).0, 405, "{}", route.path);
        refused += 1;
    }
    assert!(refused > 10);
}

/// What a session holds is wiped when it ends, and not only hidden from others.
#[test]
fn end_of_sessions_wipes_what_they_hold() {
    let lab = Lab::new();
    for path in ["/logout", "/account/end-sessions", "/login"] {
        let begun = lab.app.sessions.begin(&lab.user(Admin), since_epoch());
        let token = begun.expect("a session");
        let session = SessionId::of(token.as_str());
        let paste = Paste {
            name: "customers.csv".to_owned(),
            text: Zeroizing::new(b"836490".to_vec()),
            options: SourceOptions {
                format: SourceFormat::Plain,
                assume_enabled: false,
                shared_pins: false,
            },
        };
        let held = lab.app.pastes.put(session, "admin", paste, Instant::now());
        let id = held.expect("held");
        let has_undo = || {
            let text = fs::read(lab.folder.path().join("customers.csv")).expect("a list");
            let undo =
                lab.app
                    .edits
                    .undoable(session, "customers.csv", lab.app.edits.tags.file(&text));
            undo.is_some()
        };
        block_on(lab.disable_row(&token));
        assert!(has_undo(), "{path}");
        if path == "/login" {
            // The user was removed: the next request ends the session.
            fs::write(lab.folder.path().join("users"), "").expect("written");
        }
        let request = Request::builder()
            .method(if path == "/login" { "GET" } else { "POST" })
            .uri(path.replace("/login", "/"))
            .header("Host", "127.0.0.1:5100")
            .header("Cookie", format!("pinset-5100={}", token.as_str()));
        let request = request.body(Body::empty()).expect("a request");
        let answered = block_on(router(&lab.app).oneshot(request));
        assert_eq!(answered.expect("a response").status(), 303, "{path}");
        let left = lab.app.pastes.find(session, id, Instant::now());
        assert!(left.is_none(), "{path}");
        assert!(!has_undo(), "{path}");
    }
}

/// No path of the table needs more than the lowest role yet.
#[test]
fn lower_roles_and_old_passwords_are_refused() {
    const MINUTE: Duration = Duration::from_secs(60);
    let lab = Lab::new();
    for (access, user, expected) in [
        (Access::Role(Admin), None, 303),
        (Access::Role(Admin), Some((Viewer, Duration::ZERO)), 403),
        (Access::Role(Admin), Some((Operator, Duration::ZERO)), 403),
        (Access::Role(Admin), Some((Admin, Duration::ZERO)), 200),
        (Access::Role(Operator), Some((Viewer, Duration::ZERO)), 403),
        (Access::Role(Operator), Some((Admin, Duration::ZERO)), 200),
        (Access::Role(Viewer), Some((Viewer, MINUTE * 29)), 200),
        (Access::Role(Viewer), Some((Viewer, MINUTE * 31)), 303),
        (Access::Confirmed(Admin), Some((Admin, MINUTE * 4)), 200),
        (Access::Confirmed(Admin), Some((Admin, MINUTE * 6)), 403),
        (
            Access::Confirmed(Admin),
            Some((Operator, Duration::ZERO)),
            403,
        ),
    ] {
        let layer = from_fn_with_state((Arc::clone(&lab.app), access), authorize);
        let router = Router::new().route("/x", get(|| async {}).route_layer(layer));
        let (status, _) = block_on(lab.ask(router, Method::GET, "/x", user));
        assert_eq!(status, expected, "{access:?} {user:?}");
    }
}

/// The clock of the runtime stands still, so that no time passes but between the heartbeats.
#[test]
fn stream_of_attempts_ends_with_the_session() {
    let lab = Lab::new();
    let user = lab.user(Viewer);
    let token = lab.app.sessions.begin(&user, since_epoch());
    let token = token.expect("a session");
    let (stop, stopping) = watch::channel(false);
    let request = Request::builder()
        .uri("/live/events")
        .header("Host", "127.0.0.1:5100")
        .header("Cookie", format!("pinset-5100={}", token.as_str()))
        .extension(Stopping(stopping))
        .body(Body::empty())
        .expect("a request");
    block_on(async {
        tokio::time::pause();
        let answered = router(&lab.app).oneshot(request).await;
        let mut body = answered.expect("a response").into_body();
        let began = tokio::time::Instant::now();
        assert_eq!(frame(&mut body).await.as_deref(), Some(": \n\n"));
        assert_eq!(began.elapsed().as_secs(), 15);
        let ended = lab.app.sessions.end_all(&user.name);
        assert_eq!(ended.expect("ended"), 1);
        let end = "event: end\ndata: session\n\n";
        assert_eq!(frame(&mut body).await.as_deref(), Some(end));
        assert_eq!(frame(&mut body).await, None);
    });
    drop(stop);
}

/// Returns the next part of a response.
async fn frame(body: &mut Body) -> Option<String> {
    let data = body.frame().await?.expect("a frame").into_data();
    Some(String::from_utf8_lossy(&data.expect("data")).into_owned())
}

/// A password must not come over the network without TLS.
#[test]
fn without_tls_only_proxies_and_this_machine_may_connect() {
    let options = "listen = \"0.0.0.0:5100\"\ntrusted_proxies = [\"192.0.2.1\"]\n";
    let lab = Lab::with(options);
    for (peer, expected) in [
        ("192.0.2.1:1", 200),
        ("127.0.0.1:1", 200),
        ("192.0.2.2:1", 403),
        ("[2001:db8::1]:1", 403),
    ] {
        let request = Request::builder().uri("/login").header("Host", "127.0.0.1");
        let peer = Peer(peer.parse().expect("an address"));
        let request = request.extension(peer).body(Body::empty());
        let answered = router(&lab.app).oneshot(request.expect("a request"));
        let status = block_on(answered).expect("a response").status();
        assert_eq!(status, expected);
    }
}
