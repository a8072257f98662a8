//! Memory and descriptors of Asterisk while no call goes on.

use std::fmt;

use anyhow::{ensure, Context, Result};
use harness::Pbx;

/// Most that the smallest memory of the second half may be above that of the first, in KiB:
/// what Asterisk's own pools take. Of 100,000 calls that lose 128 bytes each it would be more.
const MEMORY_GROWTH: u64 = 4096;

/// The same for descriptors: connections to the web service come and go.
const DESCRIPTOR_GROWTH: u64 = 5;

/// Rounds in which Asterisk's pools and caches fill.
const WARM_UP: usize = 4;

/// In the order of the rounds.
#[derive(Default)]
pub(super) struct Usage {
    /// Anonymous memory in KiB: what is allocated, and no pages of files.
    memory: Vec<u64>,
    descriptors: Vec<u64>,
}

impl Usage {
    pub(super) fn take(&mut self, pbx: &Pbx) -> Result<()> {
        // What malloc keeps of memory that is free depends on which threads meet.
        pbx.manager()?.command("malloc trim")?;
        let memory = format!("grep RssAnon /proc/{}/status | tr -dc 0-9", pbx.pid()?);
        self.memory
            .push(pbx.exec(&["bash", "-c", &memory])?.trim().parse()?);
        self.descriptors.push(u64::try_from(pbx.open_fds()?.len())?);
        Ok(())
    }

    /// Checks that after a warm-up the second half of the rounds uses no more than the first.
    pub(super) fn is_flat(&self) -> Result<()> {
        let (first, second) = halves(&self.memory)?;
        println!("memory: {first} KiB at least in the first half, {second} in the second");
        ensure!(second <= first + MEMORY_GROWTH, "memory: {:?}", self.memory);
        let (first, second) = halves(&self.descriptors)?;
        println!("descriptors: {first} at least in the first half, {second} in the second");
        ensure!(
            second <= first + DESCRIPTOR_GROWTH,
            "descriptors: {:?}",
            self.descriptors
        );
        Ok(())
    }
}

/// The smallest value of each half after the warm-up.
fn halves(values: &[u64]) -> Result<(u64, u64)> {
    let values = values.get(WARM_UP..).unwrap_or_default();
    let (first, second) = values.split_at(values.len() / 2);
    let least = |half: &[u64]| half.iter().min().copied().context("no round");
    Ok((least(first)?, least(second)?))
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |values: &[u64]| values.last().copied().unwrap_or_default();
        let (memory, descriptors) = (last(&self.memory), last(&self.descriptors));
        write!(f, "{memory} KiB, {descriptors} descriptors")
    }
}
