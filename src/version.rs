//! Version of the module, and of the Asterisk it was built for.

/// `authrs-built-for:MAJOR:SUM`: the Asterisk whose headers this was built
/// with. `packaging/install.sh` looks for it in the module's file.
const BUILT_FOR: &str = env!("AUTHRS_BUILT_FOR");

/// The module's version and the commit it was built from: `0.2.0 (1a2b3c4d)`.
pub(crate) const VERSION: &str = env!("AUTHRS_VERSION");

/// Returns the major version of the Asterisk whose headers this was built with.
pub(crate) fn built_for() -> Option<&'static str> {
    // The black box keeps the text whole in the module's file.
    std::hint::black_box(BUILT_FOR).split(':').nth(1)
}
