//! AMI: actions of ours, and what they are answered with.

use std::ffi::{c_char, c_int, CStr};
use std::fmt::Write;

use pinset::escape::escape;

use super::c_string::{self, Text};
use super::in_flight::CallGuard;
use super::panic::guard;
use crate::ffi;

/// Who may do it: by the classes of `write =` in `manager.conf`.
#[derive(Clone, Copy)]
pub enum Class {
    /// `system`.
    System,
    /// `system` or `reporting`.
    Reporting,
}

/// An action.
pub trait Action {
    /// Its name.
    const NAME: &'static CStr;
    /// Who may do it.
    const CLASS: Class;
    /// Does it, or says why not.
    fn run(message: &Message<'_>, session: &mut Session<'_>) -> Result<(), String>;
}

/// Registers an action, whose synopsis and description Asterisk takes from the
/// XML documentation; false if Asterisk has said in its log why not.
pub fn register<A: Action>() -> bool {
    let class = match A::CLASS {
        Class::System => ffi::EVENT_FLAG_SYSTEM,
        Class::Reporting => ffi::EVENT_FLAG_SYSTEM | ffi::EVENT_FLAG_REPORTING,
    };
    let class = c_int::try_from(class).unwrap_or_default();
    // SAFETY: the name is static; the function and the module stay until
    // `unregister`.
    unsafe {
        ffi::ast_manager_register2(
            A::NAME.as_ptr(),
            class,
            Some(act::<A>),
            ffi::authrs_self(),
            std::ptr::null(),
            std::ptr::null(),
        ) == 0
    }
}

/// Takes back [`register`]. Who has found it before may still come.
pub fn unregister<A: Action>() {
    // SAFETY: a static name.
    unsafe { ffi::ast_manager_unregister(A::NAME.as_ptr()) };
}

/// Anything but 0 would end the session.
unsafe extern "C" fn act<A: Action>(
    session: *mut ffi::mansession,
    message: *const ffi::message,
) -> c_int {
    let _in_flight = CallGuard::enter();
    guard(0, || {
        // SAFETY: Asterisk lends both until we return.
        let Some(lent) = (unsafe { message.as_ref() }) else {
            return 0;
        };
        let message = Message(lent);
        let mut session = Session {
            raw: session,
            message: lent,
            id: message.get("ActionID").unwrap_or_default(),
        };
        if let Err(why) = A::run(&message, &mut session) {
            session.fail(&why);
        }
        0
    })
}

/// What came from an AMI client.
pub struct Message<'a>(&'a ffi::message);

impl<'a> Message<'a> {
    /// The value of a header; `None` if it is not there or empty.
    ///
    /// # Errors
    ///
    /// It is there more than once.
    pub fn header(&self, name: &str) -> Result<Option<&'a [u8]>, String> {
        let mut values = self.all(name);
        let value = values.next();
        match values.next() {
            Some(_) => Err(format!("{name} is there more than once")),
            None => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// The same, and there has to be one.
    ///
    /// # Errors
    ///
    /// There is none, or more than one.
    pub fn need(&self, name: &str) -> Result<&'a [u8], String> {
        self.header(name)?
            .ok_or_else(|| format!("{name} is missing"))
    }

    /// The first value of a header.
    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let count = usize::try_from(self.0.hdrcount).unwrap_or_default();
        let headers = self.0.headers.get(..count).unwrap_or_default();
        headers.iter().filter_map(move |header| {
            // SAFETY: NUL-terminated strings, which Asterisk keeps until the
            // action returns.
            let header = unsafe { c_string::lent(*header) };
            let (start, rest) = header.split_at_checked(name.len())?;
            let value = rest.strip_prefix(b":")?;
            start
                .eq_ignore_ascii_case(name.as_bytes())
                .then(|| value.trim_ascii())
        })
    }
}

/// Who has sent an action, and waits for the answer.
pub struct Session<'a> {
    raw: *mut ffi::mansession,
    message: *const ffi::message,
    id: &'a [u8],
}

impl Session<'_> {
    /// Refuses.
    fn fail(&mut self, why: &str) {
        let why = Text::new(escape(why.as_bytes()).as_bytes());
        // SAFETY: Asterisk lends us both until the action returns; the text is
        // copied, whatever its type says.
        unsafe { ffi::astman_send_error(self.raw, self.message, mutable(&why)) };
    }

    /// Answers with these fields.
    pub fn answer(&mut self, fields: &Fields) {
        self.send("Response: Success\r\n", &fields.0);
    }

    /// Begins a list.
    pub fn begin(&mut self, said: &CStr) {
        let (said, start) = (Text::new(said.to_bytes()), Text::new(b"start"));
        // SAFETY: as above.
        unsafe {
            let (said, start) = (mutable(&said), mutable(&start));
            ffi::astman_send_listack(self.raw, self.message, said, start);
        }
    }

    /// An event of the list.
    pub fn item(&mut self, event: &str, fields: &Fields) {
        self.send(&format!("Event: {event}\r\n"), &fields.0);
    }

    /// Ends a list of so many events.
    pub fn end(&mut self, event: &CStr, count: usize) {
        let count = c_int::try_from(count).unwrap_or(c_int::MAX);
        // SAFETY: as above; the name is only read.
        unsafe {
            let event = event.as_ptr();
            ffi::astman_send_list_complete_start(self.raw, self.message, event, count);
            ffi::astman_send_list_complete_end(self.raw);
        }
    }

    fn send(&mut self, head: &str, fields: &str) {
        let mut text = head.to_owned();
        if !self.id.is_empty() {
            let mut id = Fields::new();
            id.add("ActionID", self.id);
            text.push_str(&id.0);
        }
        text.push_str(fields);
        text.push_str("\r\n");
        let text = Text::new(text.as_bytes());
        // SAFETY: Asterisk lends us the session until the action returns; the
        // text is copied.
        unsafe { ffi::authrs_manager_append(self.raw, text.as_c().as_ptr()) };
    }
}

fn mutable(text: &Text) -> *mut c_char {
    text.as_c().as_ptr().cast_mut()
}

/// The fields of an answer or an event, escaped: no value makes another field.
#[derive(Default)]
pub struct Fields(String);

impl Fields {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        // Writing into a String does not fail.
        let _ = write!(self.0, "{name}: {}\r\n", escape(value.as_ref()));
        self
    }

    /// Adds a number.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.add(name, value.to_string())
    }
}
