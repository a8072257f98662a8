//! The pictures of the documents.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{ensure, Result};

use super::pages::PAGES;
use super::Site;

/// Names the folder in which the pictures stay.
const FOLDER: &str = "SCREENSHOTS";

const MAX_BYTES: usize = 150_000;

#[test]
#[ignore = "needs chromium and containers: make screenshots"]
fn screenshots_are_small() -> Result<()> {
    let site = Site::start()?;
    let folder = env::var_os(FOLDER).map(PathBuf::from);
    site.resize(1280, 800)?;
    for page in &PAGES {
        let Some(name) = page.picture else { continue };
        site.open_page(page)?;
        for scheme in ["light", "dark"] {
            site.prefer(scheme)?;
            let picture = site.browser.screenshot()?;
            ensure!(picture.len() < MAX_BYTES, "{name}: {} bytes", picture.len());
            if let Some(folder) = &folder {
                fs::create_dir_all(folder)?;
                fs::write(folder.join(format!("{name}-{scheme}.png")), picture)?;
            }
        }
    }
    Ok(())
}
