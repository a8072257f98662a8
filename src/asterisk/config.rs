//! Asterisk's configuration files. Asterisk itself handles includes, templates and the
//! rest of their syntax.

use std::borrow::Cow;
use std::ffi::{c_char, CStr, OsStr};
use std::fmt;
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

use crate::ffi;

/// Result of reading a file.
pub(crate) enum LoadResult {
    /// It has been read.
    Read(Config),
    /// There is none.
    Missing,
    /// It is there but can't be opened, or is no regular file.
    Unreadable,
    /// It can't be parsed. Asterisk has logged where and why.
    Invalid,
}

/// Reads a file of Asterisk's configuration directory, or what Realtime has in place of it.
pub(crate) fn load(file: &'static CStr) -> LoadResult {
    load_from(file, false)
}

/// Reads a file of Asterisk's configuration directory.
pub(crate) fn load_text(file: &'static CStr) -> LoadResult {
    load_from(file, true)
}

fn load_from(file: &'static CStr, is_text: bool) -> LoadResult {
    let mut config = ptr::null_mut();
    // SAFETY: the file's name is NUL-terminated and copied; `config` is ours.
    let status = unsafe { ffi::authrs_config_load(file.as_ptr(), is_text.into(), &raw mut config) };
    match (status, NonNull::new(config)) {
        (ffi::AUTHRS_CONFIG_READ, Some(config)) => LoadResult::Read(Config { config, file }),
        (ffi::AUTHRS_CONFIG_INVALID, _) => LoadResult::Invalid,
        // Asterisk takes what it can't open for missing.
        _ if is_there(file) => LoadResult::Unreadable,
        _ => LoadResult::Missing,
    }
}

fn is_there(file: &CStr) -> bool {
    // SAFETY: a string that Asterisk sets when it starts and then leaves alone.
    let folder = unsafe { CStr::from_ptr(ffi::ast_config_AST_CONFIG_DIR) };
    let name = |text: &CStr| OsStr::from_bytes(text.to_bytes()).to_owned();
    let path = Path::new(&name(folder)).join(name(file));
    path.symlink_metadata().is_ok()
}

/// A file that has been read, with all it includes.
pub(crate) struct Config {
    config: NonNull<ffi::ast_config>,
    file: &'static CStr,
}

impl Config {
    /// Takes over the rows that Realtime has found, each a section without a name of its own.
    ///
    /// # Safety
    ///
    /// `config` is a configuration of Asterisk's that is not used by anything else.
    pub(super) unsafe fn of_rows(config: NonNull<ffi::ast_config>) -> Self {
        Self { config, file: c"" }
    }

    /// Returns the sections as they are written, also several of the same name, without
    /// the templates.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        let mut name: *const c_char = ptr::null();
        iter::from_fn(move || {
            // SAFETY: the configuration is ours, read for us alone: Asterisk
            // caches the time of a file, not its lines, and gives hooks a copy.
            // `name` is NULL or what this call returned before.
            name = unsafe { ffi::ast_category_browse(self.config.as_ptr(), name) };
            // SAFETY: as above. Right after `ast_category_browse`, the
            // section is found by its address; later, it would be the first one of that
            // name.
            let first = (!name.is_null())
                .then(|| unsafe { ffi::ast_variable_browse(self.config.as_ptr(), name) })?;
            // SAFETY: the name is NUL-terminated and stays until `drop`.
            let name = unsafe { CStr::from_ptr(name) };
            Some(Section {
                name: name.to_string_lossy(),
                first,
                config: self,
            })
        })
        .fuse()
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once; sections and lines borrow it.
        unsafe { ffi::ast_config_destroy(self.config.as_ptr()) };
    }
}

/// A section, `[name]`.
pub(crate) struct Section<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    first: *mut ffi::ast_variable,
    config: &'a Config,
}

impl<'a> Section<'a> {
    /// Returns its lines: first those of the templates it inherits from, then its own.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Line<'a>> {
        let (mut next, config) = (self.first.cast_const(), self.config);
        iter::from_fn(move || {
            // SAFETY: NULL, or a line of the configuration, which stays as it
            // is until `drop`.
            let line = unsafe { next.as_ref() }?;
            next = line.next;
            Some(Line::new(line, config.file))
        })
    }

    /// Returns the place of its first own line: Asterisk does not offer that of `[name]`.
    pub(crate) fn place(&self) -> Place<'a> {
        self.lines()
            .find(|line| !line.inherited)
            .map_or(Place::file(self.config.file), |line| line.place)
    }
}

/// A line, `option = value`.
pub(crate) struct Line<'a> {
    /// Its place; for an inherited line, in the template.
    pub place: Place<'a>,
    /// The option's name, without blanks around it.
    pub option: &'a CStr,
    /// Its value, without blanks around it.
    pub value: &'a CStr,
    inherited: bool,
}

impl<'a> Line<'a> {
    fn new(line: &'a ffi::ast_variable, file: &'static CStr) -> Self {
        // SAFETY: Asterisk fills in all three, NUL-terminated, and keeps them
        // as long as the line itself.
        let (option, value, included) = unsafe {
            (
                CStr::from_ptr(line.name),
                CStr::from_ptr(line.value),
                CStr::from_ptr(line.file),
            )
        };
        // The file's own lines name no file; those of included ones do.
        let file = if included.is_empty() { file } else { included };
        Self {
            place: Place {
                line: u32::try_from(line.lineno).ok(),
                ..Place::file(file)
            },
            option,
            value,
            inherited: line.inherited != 0,
        }
    }
}

/// Place in a file: `authenticate.conf:12`.
pub(crate) struct Place<'a> {
    file: Cow<'a, str>,
    line: Option<u32>,
}

impl<'a> Place<'a> {
    /// Returns the file: its path if it is an included one.
    pub(crate) fn path(&self) -> &Path {
        Path::new(self.file.as_ref())
    }

    /// Returns the place of a file as a whole.
    fn file(file: &'a CStr) -> Self {
        Self {
            file: file.to_string_lossy(),
            line: None,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}
