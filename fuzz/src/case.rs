//! An input of the fuzzer as a list, and how it is read.

use std::io::{self, Read};
use std::sync::OnceLock;

use md5::{Digest, Md5};
use pinset::list::Format;

use crate::model::Said;

/// The byte order mark.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// What the code under test reads at once: where one of its blocks may end.
const BLOCK: usize = 256 << 10;

/// PINs for the lists: no digit, one, as many as fit into a word and one more, and
/// the most a PIN may have.
const PINS: [&[u8]; 8] = [
    b"",
    b"1",
    b"1234",
    b"0000",
    b"*12AD",
    &[b'7'; 16],
    &[b'7'; 17],
    &[b'8'; 254],
];

/// A list, and how it is read. An input has a head of four bytes, and the list
/// behind it:
///
/// - The PIN that the pass looks for: below 128 one of [`PINS`], from 128 one
///   that the list gives (in an md5 list: one of `PINS` again).
/// - Bit 0: settled. Bit 1: sorted step by step.
/// - How much is read at once: see [`Cut`].
/// - What stands in front of the list, and how far its last block reaches into
///   the list: see [`lead`].
///
/// In the list, bytes from 0x80 to 0xb2 stand for more than themselves, so that
/// there are hits: see [`expand`].
pub struct Case {
    pub format: Format,
    pub settled: bool,
    pub step_by_step: bool,
    pub list: Vec<u8>,
    /// Where in it the lead ends.
    lead: usize,
    pin: u8,
    sizes: [usize; 2],
}

impl Case {
    /// Returns `None` if the input is too short.
    pub fn of(format: Format, input: &[u8]) -> Option<Self> {
        let (&[pin, flags, cuts, led], rest) = input.split_first_chunk()?;
        let own = expand(format, rest);
        let (mark, own) = match own.strip_prefix(MARK) {
            Some(own) => (MARK, own),
            None => (&[][..], own.as_slice()),
        };
        let lead = lead(format, led, own.len());
        Some(Self {
            format,
            settled: flags & 1 != 0,
            step_by_step: flags & 2 != 0,
            list: [mark, lead, own].concat(),
            lead: mark.len() + lead.len(),
            pin,
            sizes: [usize::from(cuts & 15), usize::from(cuts >> 4).pow(2)],
        })
    }

    /// The list, cut into pieces.
    pub fn reader(&self) -> impl Read + '_ {
        let (lead, own) = self.list.split_at(self.lead);
        // The lead at once: it would take long byte by byte.
        let (lead, own) = if lead.len() < BLOCK / 2 {
            (&[][..], self.list.as_slice())
        } else {
            (lead, own)
        };
        lead.chain(Cut {
            rest: own,
            sizes: self.sizes,
        })
    }

    /// The PIN that the pass looks for.
    pub fn pin(&self, said: &Said) -> Vec<u8> {
        let choice = usize::from(self.pin);
        let given = match self.format {
            Format::Plain if choice >= 128 => said.pins().rev().nth(choice - 128),
            _ => None,
        };
        given.unwrap_or(PINS[choice % PINS.len()]).to_vec()
    }

    /// The PINs that the index is asked for.
    pub fn pins(&self, said: &Said) -> Vec<Vec<u8>> {
        let mut pins = PINS.map(<[u8]>::to_vec).to_vec();
        if self.format == Format::Plain {
            for pin in said.pins().rev().take(100) {
                pins.push(pin.to_vec());
                pins.extend(pin.split_last().map(|(_, shorter)| shorter.to_vec()));
                // A digit beyond the longest PIN is not accepted.
                if pin.len() < 254 {
                    pins.push([pin, b"0"].concat());
                }
            }
        }
        pins
    }
}

/// Reads at most `sizes` bytes at a time, in turn. With one 0, every other read is
/// interrupted; with two, all is read at once.
struct Cut<'a> {
    rest: &'a [u8],
    sizes: [usize; 2],
}

impl Read for Cut<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.sizes.swap(0, 1);
        let size = match self.sizes {
            [0, 0] => usize::MAX,
            [0, _] => return Err(io::ErrorKind::Interrupted.into()),
            [size, _] => size,
        };
        let (now, later) = self
            .rest
            .split_at(size.min(buffer.len()).min(self.rest.len()));
        buffer[..now.len()].copy_from_slice(now);
        self.rest = later;
        Ok(now.len())
    }
}

/// What stands for more than itself: in a plain list 0x80 to 0xaf for the PINs,
/// in an md5 list for their MD5s, right and wrong. 0xb0 to 0xb2 say the byte
/// before them again, until it is there 16, 254, 1024 times.
fn expand(format: Format, input: &[u8]) -> Vec<u8> {
    let mut list = Vec::new();
    for byte in input {
        match byte {
            0x80..=0xaf => {
                let token = usize::from(byte - 0x80);
                let pin = PINS[token % PINS.len()];
                match format {
                    Format::Plain => list.extend_from_slice(pin),
                    Format::Md5 => list.extend(hex(pin, token / PINS.len())),
                }
            }
            0xb0..=0xb2 => {
                let times = [16, 254, 1024][usize::from(byte - 0xb0)];
                let last = list.last().copied().unwrap_or(b' ');
                list.extend(std::iter::repeat_n(last, times - 1));
            }
            byte => list.push(*byte),
        }
    }
    list
}

/// The MD5 of a PIN in hexadecimal: with small letters, with capitals, with
/// both, with another last digit, a digit short, a digit too long.
fn hex(pin: &[u8], variant: usize) -> Vec<u8> {
    let mut hex = format!("{:032x}", u128::from_be_bytes(Md5::digest(pin).into())).into_bytes();
    match variant {
        1 => hex.make_ascii_uppercase(),
        2 => hex[..16].make_ascii_uppercase(),
        3 => hex[31] = if hex[31] == b'0' { b'1' } else { b'0' },
        4 => hex.truncate(31),
        5 => hex.push(b'0'),
        _ => {}
    }
    hex
}

/// What stands in front of the list, so that a block ends inside it: for 13
/// lines, for 14 and 15 a single one, for anything else nothing. `choice >> 4`
/// says how far into the list.
fn lead(format: Format, choice: u8, list: usize) -> &'static [u8] {
    static LINES: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    static LONG: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    let lines = |format| LINES[format as usize].get_or_init(|| lines(format));
    let long = |format| LONG[format as usize].get_or_init(|| long(format));
    let (lead, blocks) = match choice & 15 {
        13 => (lines(format), BLOCK),
        14 => (long(format), BLOCK),
        // 1025 bytes are kept of the first block.
        15 => (long(format), 2 * BLOCK - 1025),
        _ => return &[],
    };
    let inside = (list * usize::from(choice >> 4)).div_ceil(15);
    &lead[..blocks.saturating_sub(inside)]
}

/// A block of lines, long ones: many would take long.
fn lines(format: Format) -> Vec<u8> {
    let line = |number: usize| match format {
        Format::Plain => format!("{number:1000}\n"),
        Format::Md5 => format!("{number:900}:{number:032x}\n"),
    };
    (0..=BLOCK / 900).map(line).collect::<String>().into_bytes()
}

/// A line that would give a PIN if it were cut.
fn long(format: Format) -> Vec<u8> {
    let mut line = match format {
        Format::Plain => b"1234".to_vec(),
        Format::Md5 => [b"c:", hex(b"1234", 0).as_slice()].concat(),
    };
    line.resize(2 * BLOCK, b' ');
    line
}
