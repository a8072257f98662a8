//! The application `Authenticate()`: what to compare with, and the
//! conversation.

use pinset::list::Format;
use pinset::source::{Literal, Nobody};
use pinset::{run, Credential, Next, Pin, PinSource, Request, Verdict};

use crate::asterisk::database;
use crate::asterisk::host::Call;
use crate::asterisk::log::{log, log_once};
use crate::lists::FileSource;
use crate::uses;

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
    let mut source: Box<dyn PinSource<Call<'_>>> = match request.credential {
        Ok(Credential::Literal(password)) => Box::new(Literal(password)),
        Ok(Credential::PlainFile(path)) => Box::new(FileSource::new(&path, Format::Plain)),
        Ok(Credential::Md5File(path)) => Box::new(FileSource::new(&path, Format::Md5)),
        Ok(Credential::Family { name, one_time }) => Box::new(Family { name, one_time }),
        Err(refusal) => {
            log!(Error, "{} is refused: {refusal}", call.name());
            Box::new(Nobody)
        }
    };
    run(request.plan, call, source.as_mut())
}

/// A family of Asterisk's database whose keys are the PINs.
struct Family {
    name: Vec<u8>,
    one_time: bool,
}

impl PinSource<Call<'_>> for Family {
    fn judge(&mut self, _: &mut Call<'_>, pin: &Pin) -> Option<Verdict> {
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
            Ok(true) => Verdict::Right { account: None },
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
