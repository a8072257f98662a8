//! The kinds of calls, and what each must end with.

/// What a call does while it goes on, besides entering digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// The PIN file stays as it is: a PIN of its present or last content is entered.
    Replaced {
        present: bool,
    },
    /// The web service stays as it is, up or down.
    Service,
    /// A one-time PIN, a fresh one or one that has admitted a call.
    OneTime {
        used: bool,
    },
}

/// One kind of call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// The extension of the callee, and the name in the summary.
    pub(super) name: &'static str,
    /// The extension of the caller.
    pub(super) caller: &'static str,
    /// The digits, unless `needs` decides.
    pub(super) keys: &'static str,
    pub(super) needs: Needs,
    pub(super) end: End,
    /// How many of the calls are of this kind.
    pub(super) weight: usize,
}

/// What a call ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) status: &'static str,
    /// Where it went on: at the next priority, or where the service sent it.
    pub(super) passed: &'static str,
    pub(super) account: &'static str,
}

pub(super) const ADMITTED: End = End {
    status: "SUCCESS",
    passed: "1",
    account: "",
};

pub(super) const REFUSED: End = End {
    status: "FAILURE",
    passed: "",
    account: "",
};

/// Admitted by the web service, which names no account to the dialplan.
pub(super) const CONNECTED: End = End {
    passed: "1091",
    ..ADMITTED
};

/// The web service is down.
pub(super) const UNAVAILABLE: End = End {
    status: "ERROR",
    ..REFUSED
};

const fn of(account: &'static str) -> End {
    End {
        account,
        ..ADMITTED
    }
}

const fn kind(name: &'static str, keys: &'static str, end: End, weight: usize) -> Kind {
    Kind {
        name,
        caller: "keys",
        keys,
        needs: Needs::Nothing,
        end,
        weight,
    }
}

const fn needing(kind: Kind, needs: Needs) -> Kind {
    Kind { needs, ..kind }
}

const fn by(kind: Kind, caller: &'static str) -> Kind {
    Kind { caller, ..kind }
}

pub(super) const KINDS: [Kind; 18] = [
    kind("literal", "1234", ADMITTED, 8),
    kind("literal", "00001234", ADMITTED, 4),
    kind("literal", "000011112222", REFUSED, 4),
    kind("file", "4711", ADMITTED, 8),
    needing(
        kind("file", "", ADMITTED, 4),
        Needs::Replaced { present: true },
    ),
    needing(
        kind("file", "", REFUSED, 4),
        Needs::Replaced { present: false },
    ),
    kind("md5", "1234", of("alice"), 6),
    kind("family", "1234", ADMITTED, 6),
    kind("family", "000011112222", REFUSED, 2),
    needing(
        kind("once", "", ADMITTED, 6),
        Needs::OneTime { used: false },
    ),
    needing(kind("once", "", REFUSED, 4), Needs::OneTime { used: true }),
    kind("rows", "1234", of("ada"), 8),
    kind("rows", "000011112222", REFUSED, 4),
    kind(
        "rows",
        "567856785678",
        End {
            status: "EXPIRED",
            ..REFUSED
        },
        2,
    ),
    kind("uses", "1234", of("ada"), 4),
    needing(kind("service", "1234#", CONNECTED, 6), Needs::Service),
    by(
        kind(
            "silent",
            "",
            End {
                status: "TIMEOUT",
                ..REFUSED
            },
            1,
        ),
        "silent",
    ),
    by(
        kind(
            "rows",
            "12",
            End {
                status: "HANGUP",
                ..REFUSED
            },
            3,
        ),
        "gone",
    ),
];

/// The kinds in the order of the calls, each as often as its weight, well mixed.
pub(super) fn order() -> Vec<Kind> {
    let all: Vec<Kind> = KINDS
        .into_iter()
        .flat_map(|kind| std::iter::repeat_n(kind, kind.weight))
        .collect();
    // A step that has no divisor in common with their number reaches each of them.
    let step = (all.len() / 3..).find(|step| gcd(*step, all.len()) == 1);
    let step = step.unwrap_or(1);
    (0..all.len())
        .map(|number| all[number * step % all.len()])
        .collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}
