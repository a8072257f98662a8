//! Pages of calls in each order.

use super::*;

#[test]
fn pages_lead_from_one_to_the_next_and_back() {
    let mut lab = Lab::new();
    // Several calls begin at the same time.
    let lines = (0..25).map(|at| record(at / 3, "", "", "ANSWERED", &format!(",\"{at}\"")));
    lab.add(HistorySource::Cdr, &lines.collect::<String>());
    let reader = lab.reader();
    let filter = CallFilter::default();
    for (is_descending, all) in [
        (true, (0..25).rev().collect::<Vec<i64>>()),
        (false, (0..25).collect()),
    ] {
        let order = PageOrder {
            column: CallColumn::Start,
            is_descending,
        };
        let firsts =
            |part| -> Vec<StoredRow> { reader.page(&filter, order, part, 10, 25).expect("rows") };
        let numbers =
            |rows: &[StoredRow]| rows.iter().map(|row| row.key.first - 1).collect::<Vec<_>>();
        let first = firsts(CallPart::First);
        assert_eq!(numbers(&first), all[..10]);
        let second = firsts(CallPart::After(first[9].key));
        assert_eq!(numbers(&second), all[10..20]);
        let last = firsts(CallPart::After(second[9].key));
        assert_eq!(numbers(&last), all[20..]);
        assert_eq!(firsts(CallPart::Before(second[0].key)), first);
        assert_eq!(firsts(CallPart::Before(first[0].key)), []);
    }
}

pub(super) const COLUMNS: [CallColumn; 9] = [
    CallColumn::Start,
    CallColumn::Identity,
    CallColumn::PinSet,
    CallColumn::Number,
    CallColumn::Called,
    CallColumn::Answer,
    CallColumn::Duration,
    CallColumn::Billed,
    CallColumn::Disposition,
];

/// Returns what a call is sorted by.
pub(super) fn sort_key(row: &StoredRow, column: CallColumn) -> (String, u64, i64, i64) {
    let (text, number) = match column {
        CallColumn::Start => (String::new(), 0),
        CallColumn::Identity => (row.identity.clone(), 0),
        CallColumn::PinSet => (row.pin_set.clone(), 0),
        CallColumn::Number => (numbers::number(&Numbering::default(), &row.caller), 0),
        CallColumn::Called => (row.called.clone(), 0),
        CallColumn::Answer => (row.answer.clone(), 0),
        CallColumn::Duration => (String::new(), row.duration),
        CallColumn::Billed => (String::new(), row.billed),
        CallColumn::Disposition => (row.disposition.clone(), 0),
    };
    (text, number, row.key.began, row.key.first)
}

/// Returns all calls by turning pages of three, forwards, and checks that the way back leads
/// over the same pages.
pub(super) fn turned(
    reader: &HistoryReader,
    filter: &CallFilter,
    order: PageOrder,
    selected: u64,
) -> Vec<StoredRow> {
    let page = |part| {
        reader
            .page(filter, order, part, 3, selected)
            .expect("a page")
    };
    let mut pages = vec![page(CallPart::First)];
    while let Some(last) = pages.last().and_then(|page| page.last()) {
        pages.push(page(CallPart::After(last.key)));
    }
    for two in pages.windows(2) {
        if let [one, other] = two {
            if let Some(first) = other.first() {
                assert_eq!(&page(CallPart::Before(first.key)), one);
            }
        }
    }
    pages.concat()
}

/// Many calls are read in the order of an index, without sorting all of them for a page.
#[test]
fn no_order_of_many_calls_sorts_them() {
    let lab = Lab::new();
    let mut sorted = Vec::new();
    for column in COLUMNS {
        for is_descending in [false, true] {
            let order = PageOrder {
                column,
                is_descending,
            };
            let plan = lab.reader().plan(&CallFilter::default(), order);
            let plan = plan.expect("a plan");
            sorted.extend(plan.contains("TEMP B-TREE").then_some((order, plan)));
        }
    }
    assert_eq!(sorted, []);
}

/// A page in the middle is found by the index, as the first one is.
#[test]
fn page_in_the_middle_takes_as_few_steps_as_the_first() {
    const CALLS: u32 = 4000;
    let mut lab = Lab::new();
    let records: String = (0..CALLS)
        .map(|minute| {
            record(
                minute,
                "ada",
                "100",
                "ANSWERED",
                &format!(",\"1793520000.{minute}\""),
            )
        })
        .collect();
    lab.add(HistorySource::Cdr, &records);
    let reader = lab.reader();
    for is_descending in [false, true] {
        let order = PageOrder {
            column: CallColumn::Start,
            is_descending,
        };
        let half = CALLS as usize / 2;
        let page = reader.page(
            &CallFilter::default(),
            order,
            CallPart::First,
            half,
            u64::MAX,
        );
        let middle = page.expect("calls").last().expect("a call").key;
        let steps = |part| reader.steps(order, part).expect("steps");
        let first = steps(CallPart::First);
        for part in [CallPart::After(middle), CallPart::Before(middle)] {
            let found = steps(part);
            assert!(
                found < 2 * first,
                "{part:?}: {found} steps, the first page {first}"
            );
        }
    }
}
