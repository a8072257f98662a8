//! The service of Hipcall's guide.

use crate::client::{basic, Response};
pub(crate) use crate::lab::server::{noted, until, Server};
use crate::lab::Lab;

/// The path in Hipcall's guide.
pub(crate) const INGRESS: &str = "/api/external/hipcall-ingress";
pub(crate) const LOGS_AUTH: &str = "admin:look-at-logs";

/// The service of Hipcall's guide, to which tests add options.
pub(crate) const HIPCALL: &str = r#"
list = "LAB/list.csv"
success = [{ play = "https://your-server.example.com/static/audio/success.mp3" }, { connect = "1091" }]
failure = [{ play = "https://your-server.example.com/static/audio/failure.mp3" }, { connect = "1092" }]
gather.ask = "https://your-server.example.com/static/audio/pin_prompt.mp3"
"#;

/// The list of the service.
pub(crate) const LIST: &str = "account,secret,caller\nalice,plain:1234,+905060508169\n";

/// Creates a folder with a list and credential files.
pub(crate) fn lab() -> Lab {
    let lab = Lab::new();
    lab.list("list.csv", LIST);
    lab.file("logs.cred", LOGS_AUTH, 0o600);
    lab
}

/// Writes a configuration, in which `LAB` stands for the folder.
pub(crate) fn configure(lab: &Lab, general: &str, service: &str) {
    let text = format!(
        "listen = \"127.0.0.1:0\"\nstate = \"LAB/state.db\"\n{general}\n\
         [numbers]\ncountry_code = \"90\"\n\
         [log]\nfile = \"LAB/log.db\"\nlogs_auth = \"basic:LAB/logs.cred\"\n\
         [service.hipcall]\n{service}"
    );
    write(lab, &text);
}

/// Writes a configuration unchanged.
pub(crate) fn write(lab: &Lab, text: &str) {
    let folder = lab.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    lab.file("serve.toml", text.replace("LAB", folder), 0o640);
}

impl Server {
    /// Starts the service of Hipcall's guide in this folder.
    pub(crate) fn hipcall(lab: &Lab) -> Self {
        configure(lab, "", HIPCALL);
        Self::start(lab)
    }

    /// Starts the service with the configuration in the folder.
    pub(crate) fn start(lab: &Lab) -> Self {
        Self::run(lab, lab.command(&["serve", "--config", "serve.toml"]))
    }

    pub(crate) fn post(&self, body: &str) -> Response {
        self.ask("POST", INGRESS, &[], body)
    }

    /// Returns the destination of a new call with this PIN.
    pub(crate) fn call(&self, caller: &str, pin: &str) -> String {
        let body = format!(r#"{{"caller":"{caller}","data":{{"pin_code":"{pin}"}}}}"#);
        self.post(&body).destination()
    }

    /// Requests a page of the log with valid credentials.
    pub(crate) fn logs(&self, page: &str) -> Response {
        let (name, value) = basic(LOGS_AUTH);
        self.ask("GET", page, &[(name, &value)], "")
    }

    /// Returns rows of the log, newest first.
    pub(crate) fn rows(&self, query: &str) -> Vec<serde_json::Value> {
        let found = self.logs(&format!("/logs.json{query}"));
        assert_eq!(found.status, 200, "{}", found.text());
        found.json()["rows"].as_array().unwrap().clone()
    }
}
