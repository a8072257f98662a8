use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::LOCATION;
use axum::http::Request;
use pinset::timestamp::since_epoch;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::console::config::Config;
use crate::console::users::Role;
use crate::console::users::{User, Users};
use crate::http::client::Peer;

/// All paths, and what each needs. A change of the table is a change of this text.
const EXPECTED: &str = "\
GET / Role(Viewer)
GET /account Role(Viewer)
POST /account/end-sessions Confirmed(Viewer)
GET /changes Role(Viewer)
GET /changes.csv Role(Viewer)
GET /confirm Role(Viewer)
POST /confirm Role(Viewer)
GET /live Role(Viewer)
GET /locked Role(Viewer)
POST /locked/unlock Role(Operator)
GET /login Public
POST /login Public
POST /logout Role(Viewer)
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
        let request = request.body(Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("a response");
        let location = response.headers().get(LOCATION);
        let location = location.map_or("", |location| location.to_str().expect("a text"));
        (response.status().as_u16(), location.to_owned())
    }
}

fn block_on<T>(future: impl std::future::Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// Returns whether a user of this role gets past the check of a path.
fn is_allowed(access: Access, role: Option<Role>) -> bool {
    match access {
        Access::Public => true,
        Access::Role(needed) | Access::Confirmed(needed) => role >= Some(needed),
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
            let name = format!("{} {} as {role:?}: {status}", route.method, route.path);
            assert_eq!(is_refused, !is_allowed(route.access, role), "{name}");
        }
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
