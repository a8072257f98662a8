//! An upgrade of Asterisk within a major version: structures that both sides
//! know have grown since the module was built.

use anyhow::{ensure, Result};
use harness::{Call, Pbx};

use crate::module::{load_by_ami, unload_wholly};
use crate::support::{on, Shell};
use crate::variants::ASTERISK_22_0;

const CONF: &str = "
[doors]
source = file:/pins/doors
";

/// The dialplan function, the command line, AMI and a call all work, before and
/// after the module is loaded again.
#[test]
fn module_built_for_22_0_works_in_a_later_22() {
    let built = match ASTERISK_22_0.get() {
        Ok(built) => built,
        Err(error) => panic!("{error:#}"),
    };
    let builder = Pbx::builder()
        .module_file(built.module)
        .file("authenticate.conf", CONF)
        .pin_file("doors", "4711\n");
    on(builder, |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        works(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        works(pbx)?;
        unload_wholly(pbx, &ami, &mut shell)
    });
}

fn works(pbx: &Pbx) -> Result<()> {
    let ami = pbx.manager()?;
    let shown = ami.command("authenticate show pinsets")?;
    ensure!(shown.contains("file:/pins/doors"), "{shown}");
    let headers = [
        ("PinSet", "doors"),
        ("Secret", "4711"),
        ("Caller", "5550101"),
    ];
    let answer = ami.action("AuthenticateVerify", &headers)?;
    ensure!(answer.has("Status", "SUCCESS"), "{answer:?}");
    for args in ["pinset:doors,q", "/pins/doors,q"] {
        let report = pbx.call(&Call::new(args).keys("4711#"))?;
        ensure!(report.status() == "SUCCESS", "{report:#?}");
    }
    let call = Call::new("1,q,1,&")
        .variable("SECRET", "4711")
        .before("Set(VERDICT=${AUTHENTICATE_VERIFY(doors,SECRET)})")
        .report("VERDICT")
        .keys("<now>1");
    let report = pbx.call(&call)?;
    ensure!(report.variable("VERDICT") == "SUCCESS", "{report:#?}");
    let shown = ami.command("core show function AUTHENTICATE_VERIFY")?;
    ensure!(shown.contains("AUTHENTICATE_VERIFY(pinset,"), "{shown}");
    Ok(())
}
