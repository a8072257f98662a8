//! ID3v2 tags: titles and pictures in front of the frames of an MP3.

/// The fixed part of a tag, and of the footer that may end one.
const HEADER_BYTES: usize = 10;
/// The flag of a tag that has a footer.
const FOOTER: u8 = 0x10;

/// Returns an MP3 without its leading ID3v2 tags. Asterisk's `format_mp3` takes
/// their bytes for frames, finds none, and plays nothing. A tag that is cut off is
/// not one.
pub fn without_tags(mp3: &[u8]) -> &[u8] {
    let mut rest = mp3;
    while let Some(after) = tag_bytes(rest).and_then(|bytes| rest.get(bytes..)) {
        rest = after;
    }
    rest
}

/// Returns how long the tag is that the file begins with, if it begins with one.
fn tag_bytes(file: &[u8]) -> Option<usize> {
    let [b'I', b'D', b'3', major, revision, flags, size @ ..] = file.get(..HEADER_BYTES)? else {
        return None;
    };
    let is_version = *major < 0xff && *revision < 0xff;
    // Seven bits a byte, so that no byte looks like the start of a frame.
    let is_size = size.iter().all(|byte| *byte < 0x80);
    if !is_version || !is_size {
        return None;
    }
    let bytes = size
        .iter()
        .fold(0, |bytes, seven| (bytes << 7) | usize::from(*seven));
    let footer = if flags & FOOTER == 0 { 0 } else { HEADER_BYTES };
    Some(HEADER_BYTES + bytes + footer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A tag of this many bytes in all.
    fn tag(bytes: usize, flags: u8) -> Vec<u8> {
        let footer = if flags & FOOTER == 0 { 0 } else { HEADER_BYTES };
        let size = bytes - HEADER_BYTES - footer;
        let seven = |shift: usize| u8::try_from((size >> shift) & 0x7f).expect("seven bits");
        let mut tag = b"ID3\x03\0".to_vec();
        tag.extend([flags, seven(21), seven(14), seven(7), seven(0)]);
        // As in pictures, what looks like a frame.
        tag.resize(bytes, 0xff);
        tag
    }

    #[test]
    fn leading_tags_of_any_size_are_removed() {
        let frames = b"\xff\xfb\x90\x00frames";
        for tags in [
            vec![],
            vec![tag(10, 0)],
            vec![tag(200, 0)],
            vec![tag(16_655, 0)],
            vec![tag(200, FOOTER)],
            vec![tag(200, 0), tag(300, 0)],
        ] {
            let file = [tags.concat(), frames.to_vec()].concat();
            assert_eq!(without_tags(&file), frames);
        }
        assert_eq!(without_tags(&tag(200, 0)), b"");
    }

    #[test]
    fn anything_but_a_whole_leading_tag_is_kept() {
        let whole = tag(200, 0);
        let mut not_synchsafe = whole.clone();
        not_synchsafe[9] = 0x80;
        let mut not_a_version = whole.clone();
        not_a_version[3] = 0xff;
        for file in [
            b"".as_slice(),
            b"ID3",
            &whole[..9],
            &whole[..199],
            &not_synchsafe,
            &not_a_version,
            b"TAGof the other kind",
        ] {
            assert_eq!(without_tags(file), file);
        }
    }

    proptest! {
        #[test]
        fn result_is_always_the_end_of_the_file(file: Vec<u8>, tagged: bool) {
            let file = if tagged { [b"ID3\x04\0".to_vec(), file].concat() } else { file };
            prop_assert!(file.ends_with(without_tags(&file)));
        }
    }
}
