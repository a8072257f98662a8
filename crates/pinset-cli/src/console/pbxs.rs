//! The PBXs of the configuration, and what is found about their connections.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::{Timestamp, Zoned};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::config::{Config, Pbx};
use super::pbx::{ModuleVersion, PbxClient, PbxOptions, PbxState, Timing};
use crate::common::certificate;
use crate::common::error::CommandError;
use crate::common::finding::Finding;
use crate::installation::module;

const CONNECTION: &str = "connection";
const CERTIFICATE: &str = "certificate";
const PIN_SETS: &str = "pin_sets";

/// The clients of all PBXs, by name.
pub(super) type PbxClients = BTreeMap<String, PbxClient>;

/// What stops the clients.
pub(super) struct PbxTasks {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts connecting to all PBXs.
pub(super) fn start(config: &Config) -> (PbxClients, PbxTasks) {
    let (stop, stopping) = watch::channel(false);
    let mut tasks = Vec::new();
    let clients = config.pbxs.iter().map(|(name, pbx)| {
        let (client, task) = PbxClient::start(options(name, pbx), stopping.clone());
        tasks.push(task);
        (name.clone(), client)
    });
    let clients = clients.collect();
    (clients, PbxTasks { stop, tasks })
}

fn options(name: &str, pbx: &Pbx) -> PbxOptions {
    PbxOptions {
        name: name.to_owned(),
        address: pbx.address.clone(),
        security: pbx.ami_security.clone(),
        user: pbx.user.clone(),
        secret: pbx.secret.clone(),
        timing: Timing::default(),
    }
}

impl PbxTasks {
    /// Closes all connections.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            // A panic was reported.
            let _ = task.await;
        }
    }
}

/// Connects to all PBXs once and returns what [`findings`] does.
///
/// # Errors
///
/// Fails if the system has no resources for it.
pub(super) fn check(config: &Config) -> Result<Vec<Finding>, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::new)?;
    Ok(runtime.block_on(async {
        let (clients, tasks) = start(config);
        let findings = findings(&clients).await;
        tasks.stop().await;
        findings
    }))
}

/// Returns whether the PBXs are connected, and their PIN sets admit callers.
pub(super) async fn findings(clients: &PbxClients) -> Vec<Finding> {
    let all = clients.iter().map(|(name, client)| of(name, client));
    join_all(all).await.concat()
}

async fn of(name: &str, client: &PbxClient) -> Vec<Finding> {
    match client.first_state().await {
        PbxState::Up => pin_sets(name, client).await,
        PbxState::Down(outage) => {
            let message = outage.describe(&Zoned::now());
            vec![Finding::warning(CONNECTION, message, outage.why.remedy())]
        }
        PbxState::Connecting | PbxState::Stopped => Vec::new(),
    }
}

async fn pin_sets(name: &str, client: &PbxClient) -> Vec<Finding> {
    let (sets, module) = match client.pin_sets_and_module().await {
        Ok(answer) => answer,
        Err(error) => {
            let message = format!("{name}: {error}");
            return vec![Finding::warning(CONNECTION, message, error.remedy())];
        }
    };
    let count = match sets.len() {
        1 => "1 PIN set".to_owned(),
        count => format!("{count} PIN sets"),
    };
    let connected = Finding::ok(CONNECTION, format_args!("{name}: connected, {count}"));
    let unusable = sets.iter().filter(|set| !set.usable).map(|set| {
        let (set, state) = (&set.name, &set.state);
        let message = format!("{name}: {set} admits nobody: {state}");
        Finding::warning(
            PIN_SETS,
            message,
            "asterisk -rx 'authenticate show pinsets'",
        )
    });
    let mut findings = vec![connected, module_version(name, module.as_ref())];
    findings.extend(
        client
            .certificate_expiry()
            .map(|end| certificate(name, end)),
    );
    findings.extend(unusable);
    findings
}

fn module_version(pbx: &str, found: Option<&ModuleVersion>) -> Finding {
    let found = found.map_or_else(
        || "app_authenticate_rs before 0.2.0".to_owned(),
        |found| {
            let ModuleVersion { version, built_for } = found;
            format!("app_authenticate_rs {version}, built for Asterisk {built_for}")
        },
    );
    module::version(&format!("{pbx}: {found}"))
}

fn certificate(pbx: &str, expiry: Timestamp) -> Finding {
    let renew = "renew it on the PBX, and with fingerprint enter the new one in console.toml";
    certificate::finding(CERTIFICATE, pbx, expiry, Timestamp::now(), renew)
}
