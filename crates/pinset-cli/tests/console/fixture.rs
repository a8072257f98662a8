//! A console for one test, and a browser that keeps its cookie.

use rustix::process::{getegid, geteuid};

use crate::lab::http::{request, Connection, Response};
use crate::lab::server::Server;
use crate::lab::Lab;

pub(crate) const PASSWORD: &str = "correct horse";

/// Creates a folder with a configuration, in which `LAB` stands for the folder, and an
/// administrator `ada`.
pub(crate) fn lab(options: &str) -> Lab {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("pins")).unwrap();
    configure(&lab, options);
    add_user(&lab, "ada", "admin");
    lab
}

pub(crate) fn configure(lab: &Lab, options: &str) {
    let text = format!(
        "{}lists = \"LAB/pins\"\nusers = \"LAB/console.users\"\ndatabase = \"LAB/console.db\"\n\
         config_dir = \"LAB/asterisk\"\n\
         {options}",
        match options.contains("listen =") {
            true => "",
            false => "listen = \"127.0.0.1:0\"\n",
        }
    );
    let folder = lab.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    lab.file("console.toml", text.replace("LAB", folder), 0o640);
}

/// Runs `pinset console user`, with the password on standard input.
pub(crate) fn user(lab: &Lab, arguments: &[&str]) -> crate::lab::Ran {
    let users = lab.path("console.users");
    let group = getegid().as_raw().to_string();
    let more = ["--users", users.to_str().unwrap(), "--group", &group];
    let all = [&["console", "user"], arguments, &more].concat();
    lab.run(&all, &format!("{PASSWORD}\n"))
}

pub(crate) fn add_user(lab: &Lab, name: &str, role: &str) {
    let ran = user(lab, &["add", name, "--role", role]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

pub(crate) fn check(lab: &Lab) -> crate::lab::Ran {
    lab.run(&["console", "--config", "console.toml", "--check"], "")
}

/// Starts the console with the configuration in the folder.
pub(crate) fn start(lab: &Lab) -> Server {
    Server::run(lab, lab.command(&["console", "--config", "console.toml"]))
}

/// A browser at the console, with the headers of one.
pub(crate) struct Browser<'a> {
    server: &'a Server,
    host: String,
    pub cookie: Option<String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        let host = server.address.to_string();
        let cookie = None;
        Self {
            server,
            host,
            cookie,
        }
    }

    /// Logs in with the password of the tests.
    pub(crate) fn logged_in(server: &'a Server, name: &str) -> Self {
        let mut browser = Self::new(server);
        let response = browser.log_in(name, PASSWORD);
        assert_eq!(response.status, 303, "{}", response.text());
        browser
    }

    pub(crate) fn log_in(&mut self, name: &str, password: &str) -> Response {
        let fields = [("name", name), ("password", password)];
        self.post("/login", &fields)
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.send(
            "POST",
            path,
            &[("Sec-Fetch-Site", "same-origin")],
            &form.finish(),
        )
    }

    /// Opens a response without an end.
    pub(crate) fn open(&self, path: &str, more: &[(&str, &str)]) -> Connection {
        let cookie = self.cookie.clone().unwrap_or_default();
        let mut headers = vec![("Cookie", cookie.as_str()), ("Host", &self.host)];
        headers.extend(more);
        let mut connection = Connection::new(self.server.address);
        connection.send(&request("GET", path, &headers, ""));
        connection
    }

    /// Sends a request with the cookie and these headers, and keeps a new cookie.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let cookie = self.cookie.clone().unwrap_or_default();
        let mut headers = vec![("Cookie", cookie.as_str())];
        if !more.iter().any(|(name, _)| *name == "Host") {
            headers.push(("Host", &self.host));
        }
        if method == "POST" && !more.iter().any(|(name, _)| *name == "Content-Type") {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        headers.extend(more);
        let response = self.server.ask(method, path, &headers, body);
        if let Some(cookie) = response.header("set-cookie") {
            let pair = cookie.split(';').next().unwrap().to_owned();
            self.cookie = Some(pair).filter(|pair| !pair.ends_with('='));
        }
        response
    }
}

/// Changes the database while the console runs.
pub(crate) fn database(lab: &Lab, statement: &str) -> usize {
    let database = rusqlite::Connection::open(lab.path("console.db")).unwrap();
    database.execute(statement, []).unwrap()
}

pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}
