use std::fs;
use std::io::Write;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::super::{
    all, select, Anchor, RowFilter, RowSelection, RowView, RowsPage, SortColumn, UseCounts, FORMS,
};
use super::*;
use crate::common::csv_list::CsvList;
use crate::pin_files::tags::TagKey;

/// More rows than are in two parts.
const ROWS: usize = 2 * CHUNK_ROWS + 100;

/// Returns rows of all kinds, neither in the order of a column nor without equal ones.
fn text(rows: usize) -> String {
    let mut text =
        "\u{feff}account,secret,caller,name,level,valid_from,valid_until,enabled\r\n".to_owned();
    for at in 0..rows {
        let mixed = at * 7919 % 1009;
        let account = ["a", "B", "é", "\"x,y\" "][at % 4];
        let account = account.trim_end();
        let secret = match at % 5 {
            0 => format!("plain:{}", 500_000 + at),
            1 => format!("md5:{at:032x}"),
            2 => format!("hmac-sha256:k:{at:064x}"),
            3 => "sha1:1".to_owned(),
            _ => format!("plain:{at}"),
        };
        let caller = ["", "+90506", "0506 ", "(0506) "][at % 4];
        let caller = match caller {
            "" => String::new(),
            start => format!("{start}{:07}", mixed * 3),
        };
        let name = ["Ada", "ada", "\"two\nlines\"", "İ 12 34", ""][at % 5];
        let from = ["", "2020-01-01", "2099-01-01"][at % 3];
        let until = ["", "", "2020-02-01", "2099-12-31"][at * 3 % 4];
        let enabled = ["", "no", "yes"][at / 3 % 3];
        let level = ["", "7", "12", "300"][at / 7 % 4];
        let name = match name.strip_suffix('"') {
            Some(start) => format!("{start} {mixed}\""),
            None => format!("{name} {mixed}"),
        };
        let account = match account {
            "\"x,y\"" => format!("\"x,y{mixed}\""),
            start => format!("{start}{mixed}"),
        };
        text += &format!("{account},{secret},{caller},{name},{level},{from},{until},{enabled}\n");
    }
    text.pop();
    text
}

struct Indexed {
    folder: TempDir,
    list: CsvList,
    rows: Vec<RowView>,
}

impl Indexed {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("list"), text).expect("written");
        let list = CsvList::read(Zeroizing::new(text.as_bytes().to_vec())).expect("a list");
        let rows = all(&list, &Numbering::default()).expect("rows");
        let indexed = Self { folder, list, rows };
        let version = indexed.version();
        let path = indexed.folder.path().join("index");
        RowIndex::build(&path, &indexed.list, &version, &Numbering::default()).expect("an index");
        indexed
    }

    fn file(&self) -> File {
        File::open(self.folder.path().join("list")).expect("a file")
    }

    fn version(&self) -> FileVersion {
        let metadata = self.file().metadata().expect("metadata");
        FileVersion::of(&metadata, &Numbering::default())
    }

    fn open(&self) -> Option<RowIndex> {
        let path = self.folder.path().join("index");
        RowIndex::open(&path, self.file(), &self.version(), &Numbering::default())
    }
}

/// Returns what a page has of its rows.
fn shown(page: &RowsPage) -> Vec<String> {
    let row = |row: &RowView| {
        format!(
            "{} {} {} {} {} {} {} {} {:?}",
            row.line,
            row.account,
            row.name,
            row.caller,
            row.level,
            row.valid_from,
            row.valid_until,
            row.form,
            row.state
        )
    };
    page.rows.iter().map(row).collect()
}

fn selection(filter: (&str, &str, &str), column: SortColumn, is_descending: bool) -> RowSelection {
    RowSelection {
        filter: RowFilter::new(filter.0, filter.1, filter.2),
        column,
        is_descending,
        uses: UseCounts::new(),
        after: None,
        before: None,
    }
}

/// Compares a page of the index with the same one of all rows. Returns the anchors of its
/// first and its last row.
fn compared(
    indexed: &Indexed,
    index: &RowIndex,
    key_of_tags: &TagKey,
    selection: &RowSelection,
) -> (RowsPage, Option<(Anchor, Anchor)>) {
    let wanted = select(indexed.rows.clone(), selection);
    let (page, list) = index.page(selection).expect("a page");
    let about = format!("{:?} {}", selection.column, selection.is_descending);
    assert_eq!(shown(&page), shown(&wanted), "{about}");
    let counts = |page: &RowsPage| (page.found, page.has_previous, page.has_next);
    assert_eq!(counts(&page), counts(&wanted), "{about}");
    for (row, wanted) in page.rows.iter().zip(&wanted.rows) {
        let tags = (
            key_of_tags.row(&list, row.row),
            key_of_tags.row(&indexed.list, wanted.row),
        );
        assert_eq!(tags.0, tags.1, "line {}", row.line);
    }
    let ends = page.ends.clone();
    assert_eq!(ends, wanted.ends, "{about}");
    (page, ends)
}

#[test]
fn index_selects_the_rows_that_reading_the_file_does() {
    let indexed = Indexed::new(&text(ROWS));
    let (index, tags) = (
        indexed.open().expect("an index"),
        TagKey::new().expect("a key"),
    );
    assert_eq!(index.rows(), ROWS);
    for (filter, column, is_descending) in [
        (("", "", ""), SortColumn::Account, false),
        (("", "", ""), SortColumn::Number, true),
        (("", "", ""), SortColumn::Line, true),
        (("ADA", "", ""), SortColumn::Name, false),
        (("ADA", "", ""), SortColumn::Name, true),
        (("lines 7", "", ""), SortColumn::Line, false),
        (("0506-0001", "", ""), SortColumn::Until, false),
        (("i̇", "", "plain"), SortColumn::Level, true),
        (("12 34", "", ""), SortColumn::Account, false),
        (("", "expired", ""), SortColumn::Until, true),
        (("", "not-yet", "md5"), SortColumn::Account, false),
        (("", "disabled", ""), SortColumn::Name, false),
        (("b", "valid", "hmac-sha256"), SortColumn::Line, false),
        (("", "invalid", ""), SortColumn::Number, false),
        (("", "", ""), SortColumn::State, false),
        (("b", "", ""), SortColumn::State, true),
        (("", "", ""), SortColumn::Secret, false),
        (("", "valid", ""), SortColumn::Secret, true),
        (("nobody", "", ""), SortColumn::Account, false),
        (("", "none", ""), SortColumn::Account, false),
    ] {
        let mut next = selection(filter, column, is_descending);
        // Three parts forward, and back again.
        for _ in 0..3 {
            let (page, ends) = compared(&indexed, &index, &tags, &next);
            let Some((_, last)) = ends.filter(|_| page.has_next) else {
                break;
            };
            next.after = Some(last);
        }
        let mut anchor = next.after.take();
        while let Some(before) = anchor {
            next.before = Some(before);
            let (page, ends) = compared(&indexed, &index, &tags, &next);
            anchor = ends.filter(|_| page.has_previous).map(|(first, _)| first);
        }
        next.before = None;
        // A row that is gone, and one after all others.
        for after in [("m".to_owned(), 5), ("~~~".to_owned(), u64::MAX)] {
            next.after = Some(after);
            compared(&indexed, &index, &tags, &next);
        }
    }
}

#[test]
fn rows_of_a_caller_and_of_a_line_are_found() {
    let mut list = text(ROWS);
    list += "\nLast One,plain:1,(0506) 050 81-69,,,,,\n";
    let indexed = Indexed::new(&list);
    let index = indexed.open().expect("an index");
    for wanted in [
        "Last One",
        "05060508169",
        "0506 050 8169",
        "(0506) 050 81-69",
    ] {
        let found = index.of_caller(wanted).expect("rows").1;
        let accounts: Vec<_> = found.iter().map(|row| row.account.as_str()).collect();
        assert_eq!(accounts, ["Last One"], "{wanted}");
    }
    for wanted in ["Last", "Last One (", "506050816"] {
        let found = index.of_caller(wanted).expect("rows").1;
        assert!(
            found.iter().all(|row| row.account != "Last One"),
            "{wanted}"
        );
    }
    let rows = &indexed.rows;
    for row in rows.iter().step_by(997).chain(rows.last()) {
        let list = index.row_in_line(row.line).expect("read").expect("a row");
        let found = all(&list, &Numbering::default()).expect("rows");
        assert_eq!((found.len(), &found[0].account), (1, &row.account));
    }
    // Between the lines of a row, and after the last one.
    let second_line = rows
        .iter()
        .find(|row| row.name.contains('\n'))
        .expect("a row");
    for line in [0, 1, second_line.line + 1, u64::MAX] {
        assert!(index.row_in_line(line).expect("read").is_none(), "{line}");
    }
}

#[test]
fn first_rows_of_an_account_with_too_many_are_found() {
    let list = format!("account,secret\n{}", "ada,plain:1234\n".repeat(1003));
    let indexed = Indexed::new(&list);
    let index = indexed.open().expect("an index");
    let (_, rows, left_out) = index.of_caller("ada").expect("rows");
    assert_eq!((rows.len(), left_out), (1000, 3));
    assert_eq!(rows.last().map(|row| row.line), Some(1001));
}

#[test]
fn counts_are_those_of_the_file() {
    let indexed = Indexed::new(&text(ROWS));
    let index = indexed.open().expect("an index");
    let rows = &indexed.rows;
    let accounts: std::collections::HashSet<_> = rows.iter().map(|row| &row.account).collect();
    assert_eq!(index.accounts(), accounts.len());
    for form in FORMS.into_iter().chain(["", "sha1"]) {
        let count = rows.iter().filter(|row| row.form == form).count();
        assert_eq!(index.rows_of_form(form).expect("a count"), count, "{form}");
    }
}

#[test]
fn index_of_another_version_is_not_used() {
    let indexed = Indexed::new(&text(10));
    let path = indexed.folder.path().join("list");
    let index = indexed.open().expect("an index");
    let all = selection(("", "", ""), SortColumn::Line, false);
    assert!(index.page(&all).is_ok());
    // An editor writes in place, with the same size.
    let mut file = File::options().write(true).open(&path).expect("a file");
    let old = fs::read(&path).expect("read");
    file.write_all(&old).expect("written");
    drop(file);
    assert!(matches!(index.page(&all), Err(IndexError::Changed)));
    assert!(indexed.open().is_none());
}

#[test]
fn index_that_is_no_database_is_none() {
    let indexed = Indexed::new(&text(10));
    let path = indexed.folder.path().join("index");
    let whole = fs::read(&path).expect("read");
    for broken in [&b"x"[..], &[], &whole[..whole.len() / 2]] {
        fs::write(&path, broken).expect("written");
        let all = selection(("", "", ""), SortColumn::Account, false);
        let page = indexed.open().map(|index| index.page(&all).is_ok());
        assert_ne!(page, Some(true));
    }
}

#[test]
fn index_has_neither_secrets_nor_digests_of_them() {
    let text =
        "account,secret,caller\nada,plain:836490217,\nbob,md5:ac55dc4b65d339d141385c7284720e66,\n\
                eve,836490217,\n";
    let indexed = Indexed::new(text);
    let bytes = fs::read(indexed.folder.path().join("index")).expect("read");
    let md5 = pinset::hex::bytes::<16>(b"ac55dc4b65d339d141385c7284720e66").expect("a digest");
    assert!(memchr::memmem::find(&bytes, b"ada").is_some());
    let sha256 = <sha2::Sha256 as sha2::Digest>::digest("836490217");
    let sha256_of_secret = <sha2::Sha256 as sha2::Digest>::digest("plain:836490217");
    for secret in [
        &b"836490217"[..],
        b"ac55dc4b",
        b"AC55DC4B",
        &md5,
        &sha256,
        &sha256_of_secret,
    ] {
        assert!(memchr::memmem::find(&bytes, secret).is_none());
    }
}
