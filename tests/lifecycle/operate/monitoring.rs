//! The dashboard and the alert rules of `packaging/grafana` name metrics and labels that the
//! module and `pinset serve` export.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{ensure, Context, Result};
use harness::{workspace, Pbx};
use serde_json::Value;

use super::prometheus::{has_metrics, loaded_at_boot, scrape};
use super::{verify, CONF};
use crate::database::server;
use crate::support::{eventually, on};
use crate::unprivileged::install_pinset;

/// The labels of each metric.
type Metrics = BTreeMap<String, BTreeSet<String>>;

/// Labels that Prometheus adds.
const ADDED_LABELS: [&str; 2] = ["instance", "job"];

/// Each metric of the module and of `pinset serve` is watched.
const METRICS: usize = 14;

/// A PIN set in a database as well.
const DATABASE: &str = "[shared]\nsource = database\n\n[general]\ndatabase_file = /pins/database\n";

/// One service, whose file is there.
const SERVE: &str = "
mkdir -p /srv/pinset
printf 'account,secret,caller\\nada,plain:7351937519,+902125550101\\n' > /srv/pinset/list.csv
cat > /srv/pinset/serve.toml << 'END'
listen = \"127.0.0.1:5000\"
state = \"/srv/pinset/state.db\"
[numbers]
country_code = 90
[service.customers]
list = \"/srv/pinset/list.csv\"
success = [{ connect = \"1091\" }]
failure = [{ connect = \"1092\" }]
END
setsid pinset serve --config /srv/pinset/serve.toml < /dev/null > /srv/pinset/log 2>&1 &
until : 2> /dev/null < /dev/tcp/127.0.0.1/5000; do kill -0 $!; done
";

const SCRAPE_SERVICE: &str = "import urllib.request\n\
    print(urllib.request.urlopen('http://127.0.0.1:5000/metrics').read().decode())";

fn file(name: &str) -> Result<String> {
    let path = workspace().join("packaging/grafana").join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Returns all expressions, and queries of variables.
fn expressions() -> Result<Vec<String>> {
    let rules = file("authenticate.rules.yml")?;
    let rules = rules.lines().filter_map(|line| line.split_once("expr: "));
    let mut found: Vec<String> = rules.map(|(_, text)| text.to_owned()).collect();
    let dashboard: Value = serde_json::from_str(&file("authenticate.dashboard.json")?)?;
    for panel in dashboard["panels"].as_array().context("no panels")? {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let text = target["expr"].as_str().context("no expr")?;
            found.push(text.to_owned());
        }
    }
    for variable in dashboard["templating"]["list"]
        .as_array()
        .into_iter()
        .flatten()
    {
        found.extend(variable["definition"].as_str().map(str::to_owned));
    }
    Ok(found)
}

fn is_name(c: char) -> bool {
    c.is_ascii_lowercase() || c == '_'
}

/// Adds the metrics of a text of Prometheus or PromQL, with the labels in braces.
fn add_metrics(metrics: &mut Metrics, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(is_name) {
        let end = rest[at..]
            .find(|c| !is_name(c))
            .map_or(rest.len(), |end| at + end);
        let (name, after) = (&rest[at..end], &rest[end..]);
        rest = after;
        if !name.starts_with("asterisk_authenticate_") && !name.starts_with("pinset_") {
            continue;
        }
        let labels = metrics.entry(name.to_owned()).or_default();
        let braces = after
            .strip_prefix('{')
            .and_then(|inside| inside.split_once('}'));
        for pair in braces.map_or("", |(inside, _)| inside).split("\",") {
            let name = pair.split(|c| !is_name(c)).next().unwrap_or_default();
            labels.extend((!name.is_empty()).then(|| name.to_owned()));
        }
    }
}

/// Returns the metrics that are scraped, by their samples.
fn exported(pbx: &Pbx) -> Result<Metrics> {
    let service = pbx.exec(&["python3", "-c", SCRAPE_SERVICE])?;
    let mut metrics = Metrics::new();
    for line in scrape(pbx)?.lines().chain(service.lines()) {
        if !line.starts_with('#') {
            add_metrics(&mut metrics, line);
        }
    }
    Ok(metrics)
}

#[test]
fn dashboard_and_alert_rules_name_exported_metrics_and_labels() -> Result<()> {
    let server = server()?;
    let conf = CONF.replacen("[general]\n", DATABASE, 1);
    let builder = loaded_at_boot().database(&server);
    on(builder.file("authenticate.conf", conf), |pbx| {
        has_metrics(pbx)?;
        verify(&*pbx.manager()?, "shared", "1", "5550101")?;
        install_pinset(pbx)?;
        pbx.exec(&["bash", "-ec", SERVE])?;
        verify(&*pbx.manager()?, "customers", "1", "5550101")?;
        // The first scrape is a request, too.
        eventually("a request", || {
            Ok(exported(pbx)?.contains_key("pinset_requests_total"))
        })?;
        let exported = exported(pbx)?;
        let mut named = Metrics::new();
        for expression in expressions()? {
            // Variables of Grafana have names of their own.
            let text = expression.replace("\"$pinset_serve\"", "\"\"");
            add_metrics(&mut named, &text);
        }
        for (metric, labels) in &named {
            let known = exported.get(metric).context(metric.clone())?;
            for label in labels {
                let added = ADDED_LABELS.contains(&label.as_str());
                ensure!(
                    added || known.contains(label),
                    "{metric}: {label}: {known:?}"
                );
            }
        }
        ensure!(named.len() == METRICS, "{:?}", named.keys());
        Ok(())
    });
    Ok(())
}
