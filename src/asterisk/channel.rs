//! A channel, for as long as Asterisk lends it to the application.

use std::ffi::{c_char, CStr};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use pinset::dialplan::Place;
use zeroize::Zeroizing;

use super::c_string::Text;
use crate::ffi;

/// A borrowed channel. Bound to the thread that runs the application.
pub(crate) struct Channel<'call> {
    raw: NonNull<ffi::ast_channel>,
    lent: PhantomData<&'call mut ffi::ast_channel>,
}

/// Result of waiting for a digit or for the end of a sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WaitResult {
    /// A digit.
    Digit(u8),
    /// The time is up, or the sound has ended.
    Over,
    /// The sound was stopped from outside (AMI `ControlPlayback`), or a hidden digit has
    /// come (`super::dtmf_hook`).
    Controlled,
    /// Hung up or redirected.
    Gone,
}

impl WaitResult {
    /// Converts the result of `ast_waitfordigit` or `ast_waitstream`: the digit, 0, or −1
    /// if the caller has hung up; of the former also a control frame's subclass, 1000 and
    /// up.
    fn from_result(result: i32) -> Self {
        match u8::try_from(result) {
            Ok(0) => Self::Over,
            Ok(digit) => Self::Digit(digit),
            Err(_) if result >= 1000 => Self::Controlled,
            Err(_) => Self::Gone,
        }
    }
}

impl<'call> Channel<'call> {
    /// Borrows the channel of a call.
    ///
    /// # Safety
    ///
    /// `raw` is a channel that stays valid for the lifetime chosen, and this
    /// thread is the one that may read frames from it.
    pub(crate) unsafe fn borrow(raw: NonNull<ffi::ast_channel>) -> Self {
        Self {
            raw,
            lent: PhantomData,
        }
    }

    /// Its name in Asterisk.
    pub(super) fn raw(&self) -> *mut ffi::ast_channel {
        self.raw.as_ptr()
    }

    /// Returns its name, `PJSIP/100-0000001`.
    pub(crate) fn name(&self) -> String {
        let mut buffer = [0_u8; 256];
        // SAFETY: the channel is valid; the buffer is ours and of that size. The
        // name is copied with the channel locked: other threads replace it.
        unsafe { ffi::authrs_name(self.raw(), buffer.as_mut_ptr().cast(), buffer.len()) };
        let name = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Returns whether it is answered.
    pub(crate) fn is_up(&self) -> bool {
        // SAFETY: the channel is valid and not locked by us.
        unsafe { ffi::authrs_is_up(self.raw()) == 1 }
    }

    /// Answers it. Returns false if that fails: the caller has hung up.
    pub(crate) fn answer(&mut self) -> bool {
        // SAFETY: the channel is valid and not locked by us.
        unsafe { ffi::ast_answer(self.raw()) == 0 }
    }

    /// Indicates progress: early media.
    pub(crate) fn progress(&mut self) {
        let progress = i32::try_from(ffi::AST_CONTROL_PROGRESS).unwrap_or_default();
        // SAFETY: the channel is valid and not locked by us. A channel driver
        // without early media refuses; then the caller hears nothing, which
        // decides nothing.
        unsafe { ffi::ast_indicate(self.raw(), progress) };
    }

    /// Returns whether the caller has hung up, or a redirect waits for us to return.
    pub(crate) fn is_gone(&self) -> bool {
        // SAFETY: the channel is valid and not locked by us.
        unsafe { ffi::authrs_is_gone(self.raw()) != 0 } // Anything but "no" ends the call.
    }

    /// Returns the timeouts of the first and of further digits, in milliseconds.
    pub(crate) fn key_timeouts(&self) -> (i32, i32) {
        let (mut first, mut next) = (0, 0);
        // SAFETY: the channel is valid; the pointers are to our own integers.
        unsafe { ffi::authrs_key_timeouts(self.raw(), &raw mut first, &raw mut next) };
        (first, next)
    }

    /// Returns its language, `en_US`.
    pub(crate) fn language(&self) -> Text {
        let mut buffer = [0_u8; 80];
        // SAFETY: the channel is valid; the buffer is ours and of that size.
        unsafe {
            ffi::authrs_language(self.raw(), buffer.as_mut_ptr().cast(), buffer.len());
        }
        Text::new(&buffer)
    }

    /// Starts a sound, and stops one that plays. Returns false if it can't be played.
    pub(crate) fn stream(&mut self, sound: &Text, language: &Text) -> bool {
        let (sound, language) = (sound.as_c().as_ptr(), language.as_c().as_ptr());
        // SAFETY: the channel is valid and not locked by us.
        unsafe { ffi::ast_streamfile(self.raw(), sound, language) == 0 }
    }

    /// Stops the sound that plays, if any.
    pub(crate) fn stop_stream(&mut self) {
        // SAFETY: the channel is valid and not locked by us.
        unsafe { ffi::ast_stopstream(self.raw()) };
    }

    /// Returns whether a sound plays.
    pub(crate) fn is_streaming(&self) -> bool {
        // SAFETY: the channel is valid and not locked by us.
        unsafe { ffi::authrs_is_streaming(self.raw()) == 1 }
    }

    /// Waits for a digit or for the end of the sound; a digit does not stop it. Returns
    /// `Over` with the sound still playing in place of [`WaitResult::Controlled`].
    pub(crate) fn wait_sound(&mut self) -> WaitResult {
        const ANY: &CStr = c"0123456789*#ABCD";
        // SAFETY: the channel is valid and not locked by us.
        WaitResult::from_result(unsafe { ffi::ast_waitstream(self.raw(), ANY.as_ptr()) })
    }

    /// Waits for a digit, for at most `milliseconds`.
    pub(crate) fn wait_digit(&mut self, milliseconds: i32) -> WaitResult {
        // SAFETY: the channel is valid and not locked by us.
        WaitResult::from_result(unsafe { ffi::ast_waitfordigit(self.raw(), milliseconds) })
    }

    /// Sends silence until the guard is dropped, if asterisk.conf asks for it
    /// (`transmit_silence`).
    pub(crate) fn silence(&self) -> Option<Silence<'call>> {
        // SAFETY: reads a flag of Asterisk's options, which are set at start.
        if unsafe { ffi::authrs_transmits_silence() } != 1 {
            return None;
        }
        // SAFETY: the channel is valid and not locked by us.
        let generator = unsafe { ffi::ast_channel_start_silence_generator(self.raw()) };
        NonNull::new(generator).map(|generator| Silence {
            channel: self.raw,
            generator,
            lent: PhantomData,
        })
    }

    /// Sets a dialplan variable.
    pub(crate) fn set_variable(&mut self, name: &CStr, value: &[u8]) {
        let value = Text::new(value);
        // SAFETY: the channel is valid; it is locked inside.
        unsafe {
            ffi::pbx_builtin_setvar_helper(self.raw(), name.as_ptr(), value.as_c().as_ptr());
        }
    }

    /// Sets the account code, which CDR and CEL record.
    pub(crate) fn set_account_code(&mut self, code: &[u8]) {
        let code = Text::new(code);
        // SAFETY: the channel is valid; it is locked inside.
        unsafe { ffi::authrs_set_account_code(self.raw(), code.as_c().as_ptr()) }
    }

    /// Sets the variable `status` to `failed`, empties the variables
    /// `cleared`, and with `hide` puts `<hidden>` in place of the application's
    /// arguments, all at once and without an event. CDR, AMI and the CLI show the
    /// arguments as they were until [`Channel::publish`] or a change of state.
    pub(crate) fn fail_closed(
        &mut self,
        status: &CStr,
        failed: &CStr,
        cleared: &[&CStr],
        hide: bool,
    ) {
        let cleared: Vec<*const c_char> = cleared.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: the channel is valid; it is locked inside. The strings are
        // NUL-terminated and copied; `cleared` has the length given.
        unsafe {
            ffi::authrs_fail_closed(
                self.raw(),
                status.as_ptr(),
                failed.as_ptr(),
                cleared.as_ptr(),
                cleared.len(),
                hide.into(),
            );
        }
    }

    /// Publishes the channel as it is now to CDR, AMI and the CLI.
    pub(crate) fn publish(&mut self) {
        // SAFETY: the channel is valid; it is locked inside.
        unsafe { ffi::authrs_publish(self.raw()) }
    }

    /// Returns the caller number, if there is one.
    pub(crate) fn caller_number(&self) -> Option<Vec<u8>> {
        let mut buffer = [0_u8; 80];
        // SAFETY: the channel is valid; the buffer is ours and of that size.
        let valid = unsafe {
            ffi::authrs_caller_number(self.raw(), buffer.as_mut_ptr().cast(), buffer.len())
        };
        let number = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
        (valid == 1).then(|| number.to_bytes().to_vec())
    }

    /// Returns its place in the dialplan: `context,extension,priority`.
    pub(crate) fn place(&self) -> String {
        let mut buffer = [0_u8; 256];
        // SAFETY: the channel is valid; the buffer is ours and of that size.
        unsafe { ffi::authrs_place(self.raw(), buffer.as_mut_ptr().cast(), buffer.len()) };
        let place = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
        String::from_utf8_lossy(place.to_bytes()).into_owned()
    }

    /// Returns the number that was dialled, or the extension.
    pub(crate) fn dialled(&self) -> Vec<u8> {
        let mut buffer = [0_u8; 80];
        // SAFETY: the channel is valid; the buffer is ours and of that size.
        unsafe { ffi::authrs_dialled(self.raw(), buffer.as_mut_ptr().cast(), buffer.len()) };
        let number = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
        number.to_bytes().to_vec()
    }

    /// Returns the caller and the channel.
    pub(crate) fn origin(&self) -> Origin {
        let mut origin = MaybeUninit::<ffi::authrs_origin>::uninit();
        // SAFETY: the channel is valid; it is locked inside. All of the struct is
        // written.
        let origin = unsafe {
            ffi::authrs_origin(self.raw(), origin.as_mut_ptr());
            origin.assume_init()
        };
        Origin::new(&origin)
    }

    /// Removes a variable from the channel without an event, and returns its value, if
    /// there is one, or [`TooLong`].
    pub(crate) fn take_variable(
        &mut self,
        name: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, TooLong> {
        let name = Text::new(name);
        let mut buffer = Zeroizing::new([0_u8; 256]);
        // SAFETY: the channel is valid; the name is NUL-terminated, the buffer
        // ours and of that size.
        let length = unsafe {
            ffi::authrs_take_variable(
                self.raw(),
                name.as_c().as_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
            )
        };
        match usize::try_from(length) {
            Ok(length) => Ok(buffer
                .get(..length)
                .map(|value| Zeroizing::new(value.to_vec()))),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(TooLong),
        }
    }

    /// Goes to a place in the dialplan. Returns false if there is none, or a redirect is
    /// under way.
    pub(crate) fn go_to(&mut self, place: &Place) -> bool {
        let [context, exten, priority] =
            [&place.context, &place.exten, &place.priority].map(|name| Text::new(name.as_bytes()));
        // SAFETY: the channel is valid and not locked by us; three
        // NUL-terminated strings, which are copied.
        unsafe {
            ffi::authrs_goto(
                self.raw(),
                context.as_c().as_ptr(),
                exten.as_c().as_ptr(),
                priority.as_c().as_ptr(),
            ) == 0
        }
    }

    /// Returns whether this extension of this context has priority 1.
    pub(crate) fn has_place(&self, context: &str, exten: &str) -> bool {
        let [context, exten] = [context, exten].map(|name| Text::new(name.as_bytes()));
        // SAFETY: the channel is valid and not locked by us; two NUL-terminated
        // strings, read before the call returns.
        unsafe {
            ffi::authrs_has_place(self.raw(), context.as_c().as_ptr(), exten.as_c().as_ptr()) == 1
        }
    }

    /// Runs another application with these arguments, in this language.
    pub(crate) fn run(
        &mut self,
        application: &str,
        data: &str,
        language: Option<&str>,
    ) -> RunResult {
        let [application, data] = [application, data].map(|text| Text::new(text.as_bytes()));
        let language = language.map(|language| Text::new(language.as_bytes()));
        let language = language.as_ref().map(Text::as_c);
        // SAFETY: the channel is valid, not locked by us, and this is the thread that
        // runs its applications; the strings are NUL-terminated and stay until
        // the application returns.
        let ran = unsafe {
            ffi::authrs_run(
                self.raw(),
                application.as_c().as_ptr(),
                data.as_c().as_ptr(),
                language.map_or(std::ptr::null(), CStr::as_ptr),
            )
        };
        match ran {
            ffi::AUTHRS_RAN => RunResult::Done,
            ffi::AUTHRS_RAN_NONE => RunResult::Unknown,
            _ => RunResult::Failed,
        }
    }

    /// Lets Asterisk service the channel until the guard is dropped. Digits that come
    /// meanwhile are lost.
    pub(crate) fn autoservice(&mut self) -> Autoservice<'call> {
        // SAFETY: the channel is valid and not locked by us. Should it fail,
        // nobody serves the channel for a while.
        let started = unsafe { ffi::ast_autoservice_start(self.raw()) } == 0;
        Autoservice {
            channel: self.raw,
            started,
            lent: PhantomData,
        }
    }

    /// Goes to priority n + `by` of this extension. Returns false if there is none, or a
    /// redirect is under way.
    pub(crate) fn jump(&mut self, by: i32) -> bool {
        // SAFETY: the channel is valid and not locked by us. Where it is in the
        // dialplan is copied with the channel locked: AMI's Redirect changes that
        // from another thread.
        unsafe { ffi::authrs_jump(self.raw(), by) == 0 }
    }
}

/// Result of running another application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RunResult {
    /// It has run.
    Done,
    /// It has failed, or the caller has hung up.
    Failed,
    /// There is no such application.
    Unknown,
}

/// The caller and the channel of a call.
#[derive(Default)]
pub(crate) struct Origin {
    /// The number; empty if there is none.
    pub caller: Vec<u8>,
    /// The channel's name.
    pub channel: Vec<u8>,
    /// Its unique id.
    pub unique_id: Vec<u8>,
    /// The id it shares with the other channels of the call.
    pub linked_id: Vec<u8>,
    /// Its context in the dialplan.
    pub context: Vec<u8>,
    /// Whether `chan_pjsip` drives it.
    pub is_pjsip: bool,
}

impl Origin {
    fn new(origin: &ffi::authrs_origin) -> Self {
        Self {
            caller: bytes(&origin.caller),
            channel: bytes(&origin.channel),
            unique_id: bytes(&origin.unique_id),
            linked_id: bytes(&origin.linked_id),
            context: bytes(&origin.context),
            is_pjsip: origin.is_pjsip != 0,
        }
    }

    /// Returns the origin of the channel of this name or unique id, if there is one.
    pub(crate) fn of(channel: &[u8]) -> Option<Self> {
        let channel = Text::new(channel);
        let mut origin = MaybeUninit::<ffi::authrs_origin>::uninit();
        // SAFETY: a NUL-terminated string; the channel is referenced and locked
        // inside. All of the struct is written if it is found.
        unsafe {
            let found = ffi::authrs_origin_of(channel.as_c().as_ptr(), origin.as_mut_ptr());
            (found == 0).then(|| Self::new(&origin.assume_init()))
        }
    }
}

/// Returns the text in a buffer of C.
fn bytes(buffer: &[c_char]) -> Vec<u8> {
    let text = buffer.iter().take_while(|char| **char != 0);
    text.map(|char| char.to_ne_bytes()[0]).collect()
}

/// Guard: Asterisk services the channel.
pub(crate) struct Autoservice<'call> {
    channel: NonNull<ffi::ast_channel>,
    started: bool,
    lent: PhantomData<&'call mut ffi::ast_channel>,
}

impl Drop for Autoservice<'_> {
    fn drop(&mut self) {
        if self.started {
            // SAFETY: the guard lives inside the call its channel is lent for,
            // and ends what it has started.
            unsafe { ffi::ast_autoservice_stop(self.channel.as_ptr()) };
        }
    }
}

/// A value is longer than any PIN.
pub(crate) struct TooLong;

/// Guard: silence is being sent.
pub(crate) struct Silence<'call> {
    channel: NonNull<ffi::ast_channel>,
    generator: NonNull<ffi::ast_silence_generator>,
    lent: PhantomData<&'call mut ffi::ast_channel>,
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // SAFETY: the guard lives inside the call its channel is lent for;
        // the generator is that channel's and is stopped once.
        unsafe {
            ffi::ast_channel_stop_silence_generator(self.channel.as_ptr(), self.generator.as_ptr());
        }
    }
}
