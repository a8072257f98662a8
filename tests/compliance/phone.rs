//! A real SIP call: `chan_pjsip`, the keys as RFC 4733 events.

use anyhow::Result;
use harness::{Module, Pbx};

use crate::expect::{failed, passed_second, Expect};

fn expected(expect: Expect) -> Result<Expect> {
    Ok(match Module::under_test()? {
        Module::Ours => expect,
        _ => expect.without_variables(),
    })
}

#[test]
#[ignore = "needs a container engine"]
fn sip_phone_with_right_and_wrong_pin_passes_and_fails() -> Result<()> {
    let builder = Pbx::builder()
        .pjsip()
        .phone_extension("600", "Authenticate(/pins/phone,a)");
    crate::in_pbx(builder, |pbx| {
        pbx.pin_file("phone", "1111\n1234\n")?;
        for (keys, entered, expect) in [
            ("9999# 1234#", "9999#1234#", passed_second().code("1234")),
            ("1# 2# 3#", "1#2#3#", failed()),
        ] {
            let call = pbx.sip_call("600", keys)?;
            assert_eq!(call.report.entered, entered);
            let mismatches = expected(expect)?.mismatches(&call.report);
            assert!(mismatches.is_empty(), "{keys}: {mismatches:#?}");
            assert!(call.phone_satisfied, "{keys}");
        }
        Ok(())
    })
}
