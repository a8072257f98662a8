//! The application `Authenticate()`: what to compare with, and the
//! conversation.

use pinset::audit::name_of;
use pinset::list::Format;
use pinset::source::{Literal, Nobody};
use pinset::{run, Credential, Entry, Grant, Next, PinSource, Plan, Request, Status, Verdict};

use crate::asterisk::database;
use crate::asterisk::host::Call;
use crate::asterisk::log::{log, log_once};
use crate::lists::FileSource;
use crate::pin_sets::PinSetSource;
use crate::{configuration, uses};

/// Runs one `Authenticate(data)` on a call.
pub fn authenticate(call: &mut Call<'_>, data: &[u8]) -> Next {
    if data.is_empty() {
        log!(Warning, "Authenticate requires an argument(password)");
        return Next::HangUp;
    }
    #[cfg(feature = "deliberate-panic")]
    assert!(data != b"panic!", "deliberate");

    let request = Request::parse(data);
    for notice in &request.notices {
        log_once!(Warning, "{notice}");
    }
    let mut plan = request.plan();
    if let Ok(credential) = &request.credential {
        let name = name_of(credential, &call.origin().context);
        call.trail().set_pin_set(&name);
    }
    let mut source: Box<dyn PinSource<Call<'_>>> = match &request.credential {
        Ok(Credential::Literal(password)) => Box::new(Literal(password.clone())),
        Ok(Credential::PlainFile(path)) => Box::new(FileSource::new(path, Format::Plain)),
        Ok(Credential::Md5File(path)) => Box::new(FileSource::new(path, Format::Md5)),
        Ok(Credential::Family { name, one_time }) => Box::new(Family {
            name: name.clone(),
            one_time: *one_time,
        }),
        Ok(Credential::PinSet(name)) => {
            let caller = call.caller_number();
            let in_force = configuration::current();
            match PinSetSource::new(name, in_force, caller.as_deref(), call.trail()) {
                Ok(source) => {
                    plan = plan_of(&request, &source, call);
                    Box::new(source)
                }
                Err(why) => {
                    log!(Error, "{} is refused: {why}", call.name());
                    plan.refused = Some(Status::Error);
                    Box::new(Nobody)
                }
            }
        }
        Err(refusal) => {
            log!(Error, "{} is refused: {refusal}", call.name());
            Box::new(Nobody)
        }
    };
    run(plan, call, source.as_mut())
}

/// How the conversation of a PIN set goes with this caller.
fn plan_of(request: &Request, source: &PinSetSource, call: &Call<'_>) -> Plan {
    let refused = source.refuses().then_some(Status::Failure);
    if refused.is_some() {
        log!(
            Notice,
            "{} is refused: its PIN set goes by the number that calls, and there is no usable one",
            call.name()
        );
    }
    let account = source.asks_account();
    Plan {
        account: account.then(|| source.set().account_prompt.clone()),
        ..request.plan_of(source.set(), refused)
    }
}

/// A family of Asterisk's database whose keys are the PINs.
struct Family {
    name: Vec<u8>,
    one_time: bool,
}

impl PinSource<Call<'_>> for Family {
    fn judge(&mut self, _: &mut Call<'_>, Entry { pin, .. }: Entry<'_>) -> Option<Verdict> {
        // Hazard C: `Set(DB(pin/)=1)` makes a key of no name.
        if pin.is_empty() {
            return Some(Verdict::Wrong);
        }
        let right = if self.one_time {
            uses::use_up(&self.name, pin.as_bytes())
        } else {
            Ok(database::exists(&self.name, pin.as_bytes()))
        };
        Some(match right {
            Ok(true) => Verdict::Right(Grant::default()),
            Ok(false) => Verdict::Wrong,
            Err(why) => {
                log!(
                    Error,
                    "a one-time PIN of family '{}' can't be used up, so it is refused: {why}",
                    String::from_utf8_lossy(&self.name)
                );
                Verdict::Unavailable
            }
        })
    }
}
