//! AMI: actions of ours, and their responses.

use std::ffi::{c_char, c_int, CStr};
use std::fmt::{self, Write};

use pinset::audit::change::Administrator;
use pinset::escape::escape;
use thiserror::Error;

use super::ami_logins;
use super::c_string::{self, Text};
use super::in_flight::CallGuard;
use super::panic::guard;
use crate::ffi;

/// The classes of `write =` in `manager.conf` that an action needs: one of them.
///
/// No action of Asterisk itself needs `security`, so a user with this class alone runs
/// our actions and nothing else. `system` also has `ModuleLoad`, `GetConfig` and
/// `DBDelTree`, and `reporting` has `DBGetTree`.
#[derive(Clone, Copy)]
pub(crate) enum Class {
    /// `system`: for actions that reveal whether a PIN is right.
    System,
    /// `system` or `security`: for actions that change something.
    Security,
    /// `system`, `reporting` or `security`: for actions that list something.
    Reporting,
}

/// An action.
pub(crate) trait Action {
    /// Its name.
    const NAME: &'static CStr;
    /// The classes it needs.
    const CLASS: Class;
    /// Why it fails.
    type Error: fmt::Display;
    /// Does it.
    ///
    /// # Errors
    ///
    /// Fails if the action can't be done; the client gets the text.
    fn run(message: &Message<'_>, session: &mut Session<'_>) -> Result<(), Self::Error>;
}

/// Registers an action, whose synopsis and description Asterisk takes from the
/// XML documentation. Returns false if that fails, which Asterisk logs.
pub(crate) fn register<A: Action>() -> bool {
    let class = match A::CLASS {
        Class::System => ffi::EVENT_FLAG_SYSTEM,
        Class::Security => ffi::EVENT_FLAG_SYSTEM | ffi::EVENT_FLAG_SECURITY,
        Class::Reporting => {
            ffi::EVENT_FLAG_SYSTEM | ffi::EVENT_FLAG_REPORTING | ffi::EVENT_FLAG_SECURITY
        }
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

/// Takes back [`register`]. A session that has found the action before may still run it.
pub(crate) fn unregister<A: Action>() {
    // SAFETY: a static name.
    unsafe { ffi::ast_manager_unregister(A::NAME.as_ptr()) };
}

/// Runs an action. Anything but 0 would end the session.
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
        if let Err(error) = A::run(&message, &mut session) {
            session.fail(&error.to_string());
        }
        0
    })
}

/// A message of an AMI client.
pub(crate) struct Message<'a>(&'a ffi::message);

/// Why a header can't be used.
#[derive(Debug, Error)]
pub(crate) enum HeaderError {
    /// It is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// There is more than one of this name.
    #[error("{0} is there more than once")]
    Repeated(String),
}

impl<'a> Message<'a> {
    /// Returns the value of a header, or `None` if it is missing or empty.
    ///
    /// # Errors
    ///
    /// Fails if there is more than one.
    pub(crate) fn header(&self, name: &str) -> Result<Option<&'a [u8]>, HeaderError> {
        let mut values = self.all(name);
        let value = values.next();
        match values.next() {
            Some(_) => Err(HeaderError::Repeated(name.to_owned())),
            None => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// Returns the value of a required header.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or more than one.
    pub(crate) fn need(&self, name: &str) -> Result<&'a [u8], HeaderError> {
        self.header(name)?
            .ok_or_else(|| HeaderError::Missing(name.to_owned()))
    }

    /// Returns the first value of a header.
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

/// The session of the client that has sent an action, and waits for the response.
pub(crate) struct Session<'a> {
    raw: *mut ffi::mansession,
    message: *const ffi::message,
    id: &'a [u8],
}

impl Session<'_> {
    /// Sends an error response.
    fn fail(&mut self, why: &str) {
        let why = Text::new(escape(why.as_bytes()).as_bytes());
        // SAFETY: Asterisk lends us both until the action returns; the text is
        // copied, whatever its type says.
        unsafe { ffi::astman_send_error(self.raw, self.message, mutable(&why)) };
    }

    /// Sends a response with these fields.
    pub(crate) fn respond(&mut self, fields: &Fields) {
        self.send("Response: Success\r\n", &fields.0);
    }

    /// Begins a list.
    pub(crate) fn begin(&mut self, text: &CStr) {
        let (text, start) = (Text::new(text.to_bytes()), Text::new(b"start"));
        // SAFETY: as above.
        unsafe {
            let (text, start) = (mutable(&text), mutable(&start));
            ffi::astman_send_listack(self.raw, self.message, text, start);
        }
    }

    /// Sends an event of the list.
    pub(crate) fn item(&mut self, event: &str, fields: &Fields) {
        self.send(&format!("Event: {event}\r\n"), &fields.0);
    }

    /// Ends a list of `count` events. The event that ends it has these fields, too.
    pub(crate) fn end(&mut self, event: &CStr, count: usize, fields: &Fields) {
        let count = c_int::try_from(count).unwrap_or(c_int::MAX);
        let fields = Text::new(fields.0.as_bytes());
        // SAFETY: as above; the name is only read, and the text is copied.
        unsafe {
            let event = event.as_ptr();
            ffi::astman_send_list_complete_start(self.raw, self.message, event, count);
            ffi::authrs_manager_append(self.raw, fields.as_c().as_ptr());
            ffi::astman_send_list_complete_end(self.raw);
        }
    }

    /// Returns who runs the action.
    pub(crate) fn administrator(&self) -> Administrator {
        Administrator::Ami(ami_logins::user_of(self.raw))
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

/// The fields of a response or an event, escaped so that no value makes another field.
#[derive(Default)]
pub(crate) struct Fields(String);

impl Fields {
    /// Returns an empty list of fields.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    pub(crate) fn add(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        // Writing into a String does not fail.
        let _ = write!(self.0, "{name}: {}\r\n", escape(value.as_ref()));
        self
    }

    /// Adds a field with a number.
    pub(crate) fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.add(name, value.to_string())
    }
}
