use super::*;

fn moment(text: &str) -> Option<Moment> {
    let moment = Moment::from_which(text, &Zone::utc());
    assert!(moment.is_some(), "{text}");
    moment
}

fn slot(time: &str, billed: u64) -> SlotTotals {
    SlotTotals {
        start: moment(time).expect("a time").seconds(),
        calls: 1,
        answered: u64::from(billed > 0),
        billed,
    }
}

fn chart(from: &str, to: &str, slots: &[SlotTotals]) -> Chart {
    let filter = CallFilter {
        from: moment(from),
        to: moment(to),
        ..CallFilter::default()
    };
    Chart::new(&filter, slots, &Zone::utc())
}

#[test]
fn bars_are_hours_days_or_months() {
    let slots = [
        slot("2026-11-01 00:00", 60),
        slot("2026-11-01 23:45", 30),
        slot("2026-11-02 00:00", 15),
    ];
    for (from, to, unit, label, bars, billed) in [
        (
            "2026-11-01",
            "2026-11-02",
            Unit::Hour,
            "2026-11-01 00:00",
            24,
            vec![60, 30],
        ),
        (
            "2026-11-01",
            "2026-11-02 01:00",
            Unit::Hour,
            "2026-11-01 00:00",
            25,
            vec![60, 30, 15],
        ),
        (
            "2026-11-01",
            "2026-11-02 02:00",
            Unit::Day,
            "2026-11-01",
            2,
            vec![90, 15],
        ),
        (
            "2026-11-01",
            "2026-11-03",
            Unit::Day,
            "2026-11-01",
            2,
            vec![90, 15],
        ),
        (
            "2026-11-01",
            "2026-12-01",
            Unit::Day,
            "2026-11-01",
            30,
            vec![90, 15],
        ),
        (
            "2026-10-01",
            "2027-01-02",
            Unit::Day,
            "2026-10-01",
            93,
            vec![90, 15],
        ),
        (
            "2026-10-01",
            "2027-01-03",
            Unit::Month,
            "2026-11",
            1,
            vec![105],
        ),
        (
            "2026-01-01",
            "2027-01-01",
            Unit::Month,
            "2026-11",
            1,
            vec![105],
        ),
    ] {
        let end = moment(to).expect("a time").seconds();
        let slots: Vec<_> = slots.into_iter().filter(|slot| slot.start < end).collect();
        let chart = chart(from, to, &slots);
        assert_eq!((chart.unit, chart.bars.len()), (unit, bars), "{from} {to}");
        assert_eq!(chart.bars[0].label, label, "{from} {to}");
        let calls: u64 = chart.bars.iter().map(|bar| bar.calls).sum();
        let answered: u64 = chart.bars.iter().map(|bar| bar.answered).sum();
        assert_eq!((calls, answered), (slots.len() as u64, slots.len() as u64));
        let found: Vec<u64> = chart.bars.iter().map(|bar| bar.billed).collect();
        let found: Vec<u64> = found.into_iter().filter(|billed| *billed > 0).collect();
        assert_eq!(found, billed);
    }
    let open = Chart::new(&CallFilter::default(), &slots, &Zone::utc());
    assert_eq!((open.unit, open.bars.len()), (Unit::Hour, 25));
    let empty = Chart::new(&CallFilter::default(), &[], &Zone::utc());
    assert_eq!(empty.bars.len(), 0);
}

#[test]
fn chart_and_table_have_the_same_numbers() {
    let slots = [slot("2026-11-01 10:00", 3660), slot("2026-11-02 10:00", 1)];
    let text = chart("2026-11-01", "2026-11-04", &slots)
        .markup()
        .into_string();
    let bars: Vec<&str> = text.split("<rect").skip(1).collect();
    assert_eq!(bars.len(), 3);
    for (bar, x, height, title) in [
        (bars[0], 1, 120, "2026-11-01: 1 calls, 1 h 1 min"),
        (bars[1], 321, 1, "2026-11-02: 1 calls, 1 s"),
        (bars[2], 641, 0, "2026-11-03: 0 calls, 0 s"),
    ] {
        // Each stands on the axis, in its third of the width.
        let y = 120 - height;
        let place = format!("x=\"{x}\" y=\"{y}\" width=\"318\" height=\"{height}\"");
        assert!(bar.contains(&place), "{bar}");
        assert!(bar.contains(&format!("<title>{title}</title>")), "{bar}");
    }
    for label in [
        "<text class=\"label\" x=\"0\" y=\"136\">2026-11-01</text>",
        "<text class=\"label end\" x=\"960\" y=\"136\">2026-11-03</text>",
        "<line class=\"axis\" x1=\"0\" y1=\"120\" x2=\"960\" y2=\"120\">",
    ] {
        assert!(text.contains(label), "{text}");
    }
    let row = "<th scope=\"row\">2026-11-01</th><td class=\"number\">1</td>\
               <td class=\"number\">1</td><td class=\"number\">1 h 1 min</td>";
    assert!(text.contains(row), "{text}");
    // The content security policy allows no style attributes.
    assert!(!text.contains("style="));
}
