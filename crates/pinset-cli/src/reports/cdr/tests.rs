use super::*;
use proptest::prelude::*;

/// Returns the first line of each record, and its source.
fn read(text: &[u8]) -> Vec<(u64, Option<String>)> {
    let mut found = Vec::new();
    let mut records = Records::new(Parser::new(Zone::utc()), |line, record| {
        let source = record.map(|record| String::from_utf8_lossy(record.source).into_owned());
        found.push((line, source.ok()));
        Ok::<(), ()>(())
    });
    for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
        assert!(records.line(number, line).is_ok());
    }
    assert!(records.end().is_ok() && !records.is_open());
    found
}

fn record(source: &str) -> String {
    let source = source.replace('"', "\"\"");
    format!(
        "\"\",\"{source}\",\"1\",\"x\",\"\",\"a\",\"b\",\"\",\"\",\"2026-11-01 08:00:00\",,\
         \"2026-11-01 08:00:00\",0,0,\"FAILED\",\"\"\n"
    )
}

#[test]
fn record_of_maximum_length_is_read_and_longer_is_not() {
    let room = MAX_RECORD_BYTES - record("").trim_end().len();
    let text = record(&"x".repeat(room)) + &record(&"x".repeat(room + 1));
    let found = read(text.as_bytes());
    assert_eq!(found.len(), 2);
    assert!(found[0].1.is_some() && found[1].1.is_none());
    // Also with line ends in it.
    let text = record(&"x\n".repeat(room / 2)) + &record("y");
    let found = read(text.as_bytes());
    assert!(found[0].1.is_some() && found[1].1.as_deref() == Some("y"));
    assert_eq!(found.len(), 2);
}

proptest! {
    #[test]
    fn any_text_is_parsed_without_losing_lines(
        text in prop::collection::vec(prop::sample::select(b"\",x\n".to_vec()), 0..3000)
    ) {
        let found = read(&text);
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        // None of these is a record.
        prop_assert_eq!(found.len(), lines.count());
        prop_assert!(found.iter().all(|(_, source)| source.is_none()));
        prop_assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    /// Finds every complete record, whatever truncated ones precede it.
    #[test]
    fn complete_records_are_found_after_truncated_ones(
        pieces in prop::collection::vec(
            (prop::option::weighted(0.8, "[a-c,\"\n]{0,8}"), 1_usize..60), 0..30)
    ) {
        let (mut text, mut wanted) = (String::new(), Vec::new());
        for (source, cut) in &pieces {
            match source {
                Some(source) => {
                    text += &record(source);
                    wanted.push(source.clone());
                }
                // In the first value, the second, a date.
                None => text = text + &record("cut")[..*cut] + "\n",
            }
        }
        let found: Vec<String> = read(text.as_bytes()).into_iter().filter_map(|record| record.1).collect();
        prop_assert_eq!(found, wanted);
    }
}
