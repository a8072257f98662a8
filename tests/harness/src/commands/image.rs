//! `harness image` and `harness clean`.

use anyhow::Result;
use harness::{remove_dead, Engine, Image};

/// Whether to rebuild the image.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Builds it even if it is there, for newer packages.
    #[arg(long)]
    rebuild: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let image = Image::from_env(&Engine::find()?);
    if arguments.rebuild && image.exists() {
        image.remove()?;
    }
    image.ensure()?;
    println!("{}", image.tag());
    Ok(())
}

pub(crate) fn clean() -> Result<()> {
    for name in remove_dead(&Engine::find()?) {
        println!("{name}");
    }
    Ok(())
}
