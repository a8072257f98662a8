use super::*;
use proptest::prelude::*;

const ROWS: usize = 4;

fn text(list: &[u8]) -> String {
    String::from_utf8(list.to_vec()).expect("text")
}

fn list(text: &str) -> CsvList {
    CsvList::read(Zeroizing::new(text.as_bytes().to_vec())).expect("a list")
}

#[test]
fn changed_row_keeps_its_other_fields_and_gets_columns() {
    let old = list("\u{feff}\r\nSecret , account\r\n\r\n plain:1 , a \n\nplain:2,bob");
    for (row, values, wanted) in [
        (
            0,
            vec![(Column::Secret, "md5:x"), (Column::Level, "")],
            "\u{feff}\r\nSecret , account\r\n\r\nmd5:x, a\n\nplain:2,bob",
        ),
        (
            1,
            vec![(Column::Level, "7"), (Column::Account, "b\"c")],
            "\u{feff}\r\nSecret , account,level\r\n\r\n plain:1 , a, \n\nplain:2,\"b\"\"c\",7",
        ),
    ] {
        assert_eq!(text(&old.with_changed(&[row], &values)), wanted);
    }
    let both = old.with_changed(&[0, 1], &vec![(Column::Level, "7")]);
    assert_eq!(
        text(&both),
        "\u{feff}\r\nSecret , account,level\r\n\r\n plain:1 , a,7\n\nplain:2,bob,7"
    );
    assert_eq!(old.row_in_line(4), Some(0));
    assert_eq!(old.row_in_line(5), None);
    assert_eq!(old.value(0, Column::Account).as_deref(), Some("a"));
    assert_eq!(old.value(0, Column::Level), None);
    assert_eq!(old.value(2, Column::Account), None);
}

prop_compose! {
    /// A field as people may write it, and its value.
    fn field()(value in "[a-c\",\r\n é]{0,5}", quoted: bool, blanks in " {0,2}") -> String {
        let mut field = Vec::new();
        if quoted || value.contains(['"', ',', '\r', '\n']) {
            return format!("\"{}\"", value.replace('"', "\"\""));
        }
        push_value(&mut field, &value);
        blanks + &text(&field)
    }
}

proptest! {
    #[test]
    fn changed_row_has_the_values_and_other_rows_stay(
        rows in prop::collection::vec(prop::array::uniform2(field()), ROWS),
        ends in prop::collection::vec("\r?\n[ \n]{0,2}", ROWS + 1),
        changed in 0..ROWS,
        name in prop::option::of("[a-c\",\r\n é]{0,5}"),
        level in prop::option::of("[0-9]{0,2}"),
    ) {
        let mut old = format!("account,secret,name{}", ends[0]);
        for ((row, end), at) in rows.iter().zip(&ends[1..]).zip(0..) {
            old += &format!("a{at},{},{}{end}", row[0], row[1]);
        }
        // CSV with an empty secret is read; only its row is invalid.
        let old = list(&old);
        prop_assert_eq!(old.rows().len(), ROWS);
        let mut values = Vec::new();
        values.extend(name.as_deref().map(|name| (Column::Name, name)));
        values.extend(level.as_deref().map(|level| (Column::Level, level)));
        let new = list(&text(&old.with_changed(&[changed], &values)));
        let has_level = level.as_deref().is_some_and(|level| !level.is_empty());
        prop_assert_eq!(new.columns.contains(&Column::Level), has_level);
        for (at, (before, after)) in old.spans().zip(new.spans()).enumerate().skip(1) {
            let at = at - 1;
            let value = |column| new.value(at, column).map(Cow::into_owned);
            if at == changed {
                let name = name.as_deref().map(|name| name.trim().to_owned());
                prop_assert_eq!(value(Column::Name), name.or(old.value(at, Column::Name).map(Cow::into_owned)));
                let level = level.clone().filter(|_| has_level);
                prop_assert_eq!(value(Column::Level), level);
            } else if has_level {
                prop_assert_eq!(value(Column::Level), Some(String::new()));
                let after = text(after);
                let (row, behind) = after.rsplit_once(',').expect("a column");
                prop_assert_eq!(text(before), format!("{row}{behind}"));
            } else {
                prop_assert_eq!(before, after);
            }
            prop_assert_eq!(
                old.value(at, Column::Secret).map(Cow::into_owned),
                value(Column::Secret)
            );
        }
        prop_assert_eq!(new.rows().len(), ROWS);
    }

    /// Our own reading of fields agrees with that of the module.
    #[test]
    fn values_are_those_that_the_module_reads(
        rows in prop::collection::vec(prop::array::uniform3(field()), 0..5),
    ) {
        let mut all = "account,secret,name\n".to_owned();
        for row in &rows {
            all += &(row.join(",") + "\n");
        }
        let list = list(&all);
        let mut at = 0;
        let zone = Zone::of_the_machine();
        let mut reader = csv::Reader::new(all.as_bytes(), true, &zone);
        while let Some(row) = reader.next_row().expect("a list") {
            if let Ok(row) = row {
                let values = [Some(row.account), Some(row.secret), row.name.or(Some(""))];
                let columns = [Column::Account, Column::Secret, Column::Name];
                prop_assert_eq!(columns.map(|column| list.value(at, column)), values.map(|value| value.map(Cow::Borrowed)));
            }
            let one_by_one = Column::ALL.map(|column| list.value(at, column).unwrap_or_default());
            prop_assert_eq!(list.values(at), one_by_one);
            at += 1;
        }
        prop_assert_eq!(at, rows.len());
    }
}
