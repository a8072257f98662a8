//! `Authenticate(password[,options[,maxdigits[,prompt[&prompt2…]]]])`: what
//! the text between the parentheses asks for.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::call::dialog::{Opening, Plan, Status};
use crate::config::{AccountCode, PinSet, Source};
use crate::dialplan::Route;
use crate::pin::{is_key, MAX_DIGITS};
use crate::prompt::{self, Sound};

/// The sound that asks for a PIN if none of the configured sounds can be played.
const FALLBACK_PROMPT: &[u8] = b"agent-pass";

/// The prefix of a password that names a PIN set.
const PIN_SET_PREFIX: &[u8] = b"pinset:";

/// The credential that entries are compared with.
pub enum Credential {
    /// The password stands in the dialplan.
    Literal(Zeroizing<Vec<u8>>),
    /// A file, one PIN a line.
    PlainFile(Vec<u8>),
    /// Option `m`: a file, `account:md5` a line.
    Md5File(Vec<u8>),
    /// Option `d`: a family of Asterisk's database; its keys are the PINs.
    Family {
        /// The family's name, without the leading `/`.
        name: Vec<u8>,
        /// Option `r`: a PIN works once.
        one_time: bool,
    },
    /// The PIN set of this name.
    PinSet(String),
}

/// Why a call is refused whatever the caller enters: the stock application accepts
/// these arguments and lets the wrong caller in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ArgumentError {
    /// docs/compatibility.md, row A: a caller who enters nothing would be admitted.
    #[error("the password is empty")]
    EmptyPassword,
    /// docs/compatibility.md, row D: with this option the password is a path; the path itself
    /// would be taken for the PIN.
    #[error("option '{0}' needs a password that starts with '/'")]
    PasswordNotAPath(char),
    /// `d`, `m` or `r` with a PIN set, whose source is configured.
    #[error("option '{0}' is not for PIN sets")]
    OptionForPinSet(char),
}

/// Something in the arguments the administrator should hear of. The call goes
/// on. None of them holds any of the password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ArgumentWarning {
    /// An option letter that means nothing here.
    UnknownOption(char),
    /// An option's argument lacks its closing parenthesis; the options after
    /// it are not read.
    UnclosedOption(char),
    /// An option that has no effect without, or together with, another.
    IgnoredOption(char, &'static str),
    /// `maxdigits` is not a plain number from 1 to 254 (or 0): what it was,
    /// and the number it was read as.
    OddMaxDigits(String, usize),
    /// A literal password with characters no telephone has.
    Unkeyable,
}

impl fmt::Display for ArgumentWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption(option) => write!(f, "Unrecognized option: '{option}'"),
            Self::UnclosedOption(option) => {
                write!(f, "Missing closing parenthesis for argument '{option}'")
            }
            Self::IgnoredOption(option, why) => write!(f, "option '{option}' is ignored {why}"),
            Self::OddMaxDigits(text, read) => {
                write!(f, "maxdigits '{text}' is read as {read}")
            }
            Self::Unkeyable => write!(
                f,
                "the password has characters that telephones do not have: nobody can enter it"
            ),
        }
    }
}

/// The parsed arguments of one `Authenticate(…)`.
pub struct Request {
    /// The source of PINs, or why no entry is admitted.
    pub credential: Result<Credential, ArgumentError>,
    /// Warnings about the arguments, for the log.
    pub warnings: Vec<ArgumentWarning>,
    options: Options,
    max_digits: Option<usize>,
    prompts: Option<Vec<Sound>>,
}

impl Request {
    /// Reads the text between the parentheses, any bytes. Nothing is an
    /// error here: what can't be served is in [`Request::credential`].
    pub fn parse(data: &[u8]) -> Self {
        let [password, options, max_digits, prompts] = split(data);
        let mut warnings = Vec::new();
        let options = Options::parse(&options, &mut warnings);
        let credential = options.credential(password, &mut warnings);
        let given = |text: &[u8]| !text.is_empty();
        Self {
            credential,
            max_digits: given(&max_digits).then(|| read_max_digits(&max_digits, &mut warnings)),
            prompts: given(&prompts).then(|| prompt::split(&prompts)),
            options,
            warnings,
        }
    }

    /// How the conversation goes where no PIN set says so: as in the stock
    /// application.
    pub fn plan(&self) -> Plan {
        let of_list = matches!(self.credential, Ok(Credential::Md5File(_)));
        let stock = PinSet {
            account_code: match (self.options.account_code, of_list) {
                (false, _) => AccountCode::Keep,
                (true, false) => AccountCode::Pin,
                (true, true) => AccountCode::Account,
            },
            ..PinSet::default()
        };
        let refused = self.credential.is_err().then_some(Status::Error);
        Plan {
            final_prompt_when_gone: true,
            ..self.plan_of(&stock, refused)
        }
    }

    /// How the conversation of a PIN set goes; what the dialplan says wins.
    /// With `refused`, nothing is asked, and the call fails with it.
    pub fn plan_of(&self, set: &PinSet, refused: Option<Status>) -> Plan {
        let options = &self.options;
        let unless_quiet = |sounds: &[Sound]| {
            if options.quiet {
                Vec::new()
            } else {
                sounds.to_vec()
            }
        };
        let unless_carry_on = |route: &Route| {
            if options.carry_on {
                Route::Continue
            } else {
                route.clone()
            }
        };
        Plan {
            opening: if options.no_answer {
                Opening::Progress
            } else {
                Opening::Answer
            },
            account: None,
            prompts: self.prompts.as_ref().unwrap_or(&set.prompt).clone(),
            fallback_prompt: Some(FALLBACK_PROMPT.to_vec()),
            retry: [set.incorrect_prompt.as_slice(), &set.retry_prompt].concat(),
            success: unless_quiet(&set.success_prompt),
            failure: unless_quiet(&set.failure_prompt),
            locked: unless_quiet(&set.locked_prompt),
            attempts: set.attempts,
            max_digits: self.max_digits.unwrap_or(set.max_digits),
            first_key: set.first_digit_timeout,
            next_key: set.digit_timeout,
            clear_key: set.clear_key,
            account_code: match set.account_code {
                AccountCode::Keep if options.account_code => AccountCode::Account,
                code => code,
            },
            jump: options.jump,
            on_success: set.on_success.clone(),
            on_failure: unless_carry_on(match set.source {
                // The service says so: `on_error` is for all else.
                Some(Source::Url(_)) => &Route::Hangup,
                _ => &set.on_failure,
            }),
            on_locked: unless_carry_on(&set.on_locked),
            final_prompt_when_gone: false,
            refused,
        }
    }
}

#[derive(Default)]
struct Options {
    account_code: bool,
    carry_on: bool,
    database: bool,
    jump: bool,
    md5: bool,
    no_answer: bool,
    quiet: bool,
    remove: bool,
}

impl Options {
    /// Letters in any order; `x(…)` skips the argument, none of ours has one
    /// (`ast_app_parse_options`, `main/app.c`).
    fn parse(text: &[u8], warnings: &mut Vec<ArgumentWarning>) -> Self {
        let mut options = Self::default();
        let mut rest = text;
        while let [letter, tail @ ..] = rest {
            let letter = char::from(letter & 0x7f);
            rest = tail;
            if let [b'(', argument @ ..] = rest {
                match after_argument(argument) {
                    Some(tail) => rest = tail,
                    None => {
                        warnings.push(ArgumentWarning::UnclosedOption(letter));
                        break;
                    }
                }
            }
            match letter {
                'a' => options.account_code = true,
                'c' => options.carry_on = true,
                'd' => options.database = true,
                'j' => options.jump = true,
                'm' => options.md5 = true,
                'n' => options.no_answer = true,
                'q' => options.quiet = true,
                'r' => options.remove = true,
                _ => warnings.push(ArgumentWarning::UnknownOption(letter)),
            }
        }
        options
    }

    fn credential(
        &self,
        password: Zeroizing<Vec<u8>>,
        warnings: &mut Vec<ArgumentWarning>,
    ) -> Result<Credential, ArgumentError> {
        if self.remove && !self.database {
            warnings.push(ArgumentWarning::IgnoredOption('r', "without 'd'"));
        }
        if self.md5 && self.database {
            warnings.push(ArgumentWarning::IgnoredOption('m', "together with 'd'"));
        }
        if password.is_empty() {
            return Err(ArgumentError::EmptyPassword);
        }
        if let Some(name) = password.strip_prefix(PIN_SET_PREFIX) {
            let others = [(self.database, 'd'), (self.md5, 'm'), (self.remove, 'r')];
            return match others.iter().find(|(given, _)| *given) {
                Some((_, option)) => Err(ArgumentError::OptionForPinSet(*option)),
                None => Ok(Credential::PinSet(
                    String::from_utf8_lossy(name).trim().to_owned(),
                )),
            };
        }
        if let Some(family) = password.strip_prefix(b"/") {
            return match (self.database, self.md5) {
                // A family of no name: the whole database would be the list.
                (true, _) if family.is_empty() => Err(ArgumentError::EmptyPassword),
                (true, _) => Ok(Credential::Family {
                    name: family.to_vec(),
                    one_time: self.remove,
                }),
                (false, true) => Ok(Credential::Md5File(password.to_vec())),
                (false, false) => Ok(Credential::PlainFile(password.to_vec())),
            };
        }
        for (given, option) in [(self.database, 'd'), (self.md5, 'm')] {
            if given {
                return Err(ArgumentError::PasswordNotAPath(option));
            }
        }
        if !password.iter().all(|key| is_key(*key)) || password.len() > MAX_DIGITS {
            warnings.push(ArgumentWarning::Unkeyable);
        }
        Ok(Credential::Literal(password))
    }
}

/// Returns the text behind an option's argument; `text` starts behind its `(`.
fn after_argument(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 1_u32;
    let quotes = text.first() == Some(&b'"');
    let mut quoted = false;
    let mut i = 0;
    while let Some(character) = text.get(i) {
        match character {
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            b'"' if quotes => quoted = !quoted,
            b'\\' => i += 1,
            _ => {}
        }
        i += 1;
        if depth == 0 {
            return text.get(i..);
        }
    }
    None
}

/// Whether Asterisk may show the arguments: the password names a file, a family of
/// the database or a PIN set, or there is none. Anything else may be a PIN.
pub fn may_be_shown(data: &[u8]) -> bool {
    let [password, ..] = split(data);
    password.is_empty() || password.starts_with(b"/") || password.starts_with(PIN_SET_PREFIX)
}

/// Four arguments, as `AST_STANDARD_APP_ARGS` separates them
/// (`__ast_app_separate_args`, `main/app.c`): `"` quotes and is removed, a
/// backslash is removed and keeps the next character, `()` and `[]` hide
/// commas (their depth runs on over a comma they did hide), and the last
/// argument is the rest of the text as it is.
pub fn split(data: &[u8]) -> [Zeroizing<Vec<u8>>; 4] {
    const LAST: usize = 3;
    // No argument grows: a copy left behind would not be wiped.
    let mut arguments = [(); 4].map(|()| Zeroizing::new(Vec::with_capacity(data.len())));
    let (mut parens, mut brackets, mut quoted) = (0_u32, 0_u32, false);
    let mut at = 0;
    let mut i = 0;
    while at < LAST {
        let Some(character) = data.get(i) else {
            return arguments;
        };
        i += 1;
        let mut keep = Some(*character);
        match character {
            b'(' => parens += 1,
            b')' => parens = parens.saturating_sub(1),
            b'[' => brackets += 1,
            b']' => brackets = brackets.saturating_sub(1),
            b'"' => {
                quoted = !quoted;
                keep = None;
            }
            b'\\' => {
                keep = data.get(i).copied();
                i += 1;
            }
            b',' if parens == 0 && brackets == 0 && !quoted => {
                at += 1;
                keep = None;
            }
            _ => {}
        }
        arguments[at].extend(keep);
    }
    arguments[LAST].extend(data.get(i..).unwrap_or_default());
    arguments
}

/// `maxdigits` as C's `atoi` reads it: leading blanks, a sign, digits, and
/// any text after them is ignored (the FreePBX recipe's `6)` is 6).
/// Below 1 or above [`MAX_DIGITS`] means [`MAX_DIGITS`].
fn read_max_digits(text: &[u8], warnings: &mut Vec<ArgumentWarning>) -> usize {
    let number = atoi(text);
    let read = usize::try_from(number)
        .ok()
        .filter(|digits| (1..=MAX_DIGITS).contains(digits))
        .unwrap_or(MAX_DIGITS);
    let plain = text.iter().all(u8::is_ascii_digit) && (0..=254).contains(&number);
    if !plain {
        let text = text.escape_ascii().to_string();
        warnings.push(ArgumentWarning::OddMaxDigits(text, read));
    }
    read
}

/// glibc's `atoi` on a 64-bit machine: `strtol`, then cut to 32 bits.
fn atoi(text: &[u8]) -> i32 {
    let blank = |c: &u8| c.is_ascii_whitespace() || *c == 0x0b;
    let start = text.iter().position(|c| !blank(c)).unwrap_or(text.len());
    let (negative, digits) = match text.get(start..).unwrap_or_default() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let mut number = 0_i64;
    for digit in digits.iter().take_while(|c| c.is_ascii_digit()) {
        let digit = i64::from(digit - b'0');
        number = number.saturating_mul(10);
        number = if negative {
            number.saturating_sub(digit)
        } else {
            number.saturating_add(digit)
        };
    }
    // strtol stops at the ends of `long`; the conversion to int wraps.
    number as i32
}

#[cfg(test)]
mod tests;
