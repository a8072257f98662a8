//! However the machine fails and calls overlap, nobody has more tries at a PIN than
//! the limits allow.

use std::panic::{catch_unwind, AssertUnwindSafe};

use proptest::prelude::*;

use super::*;

/// An account for each way in which a right PIN may admit, with its PIN.
const ACCOUNTS: [(&str, &str); 5] = [
    ("1", "1001"),
    ("2", "1002"),
    ("3", "1003"),
    ("4", "1004"),
    ("5", "1005"),
];

const WRONG: &str = "9999";
const LIMIT: u32 = 3;

fn list() -> String {
    let signed = super::charging::hmac("main", "1003");
    let lost = super::charging::hmac("lost", "1005");
    format!(
        "account,secret,caller,max_uses\n\
         1,plain:1001,+905060508161,\n\
         2,\"{}\",+905060508162,\n\
         3,{signed},+905060508163,\n\
         4,plain:1004,+905060508164,1000\n\
         5,{lost},+905060508165,\n",
        argon2id("1002")
    )
}

/// The behavior of the PIN set's source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reads {
    All,
    Nothing,
}

/// The failures of the machine while an entry is checked.
#[derive(Clone, Copy, Debug)]
struct Weather {
    reads: Reads,
    hashes: Hashes,
    keyless: bool,
    disk_full: bool,
    /// The caller hangs up the `stays`-th time the channel is serviced.
    stays: u32,
}

/// An entry, and those of other calls while its hash is computed.
#[derive(Clone, Debug)]
struct Attempt {
    weather: Weather,
    account: usize,
    right: bool,
    meanwhile: Vec<Attempt>,
}

fn weather() -> impl Strategy<Value = Weather> {
    let reads = prop_oneof![4 => Just(Reads::All), 1 => Just(Reads::Nothing)];
    let hashes = prop_oneof![
        4 => Just(Hashes::Computed),
        1 => Just(Hashes::Failed),
        1 => Just(Hashes::Late),
        1 => Just(Hashes::QueueFull),
        1 => Just(Hashes::Panic),
    ];
    let stays = prop_oneof![3 => Just(50_u32), 1 => 1..4_u32];
    let calm = || prop_oneof![3 => Just(false), 1 => Just(true)];
    (reads, hashes, calm(), calm(), stays).prop_map(|(reads, hashes, keyless, disk_full, stays)| {
        Weather {
            reads,
            hashes,
            keyless,
            disk_full,
            stays,
        }
    })
}

fn attempt(rights: bool) -> impl Strategy<Value = Attempt> {
    let right = move || match rights {
        true => prop_oneof![4 => Just(false), 1 => Just(true)].boxed(),
        false => Just(false).boxed(),
    };
    let one = move |meanwhile| Attempt {
        weather: Weather {
            reads: Reads::All,
            hashes: Hashes::Computed,
            keyless: false,
            disk_full: false,
            stays: 50,
        },
        account: 0,
        right: false,
        meanwhile,
    };
    let alone =
        (weather(), 0..ACCOUNTS.len(), right()).prop_map(move |(weather, account, right)| {
            Attempt {
                weather,
                account,
                right,
                ..one(Vec::new())
            }
        });
    alone.prop_recursive(3, 12, 4, move |inner| {
        let parts = (
            weather(),
            0..ACCOUNTS.len(),
            right(),
            prop::collection::vec(inner, 0..4),
        );
        parts.prop_map(|(weather, account, right, meanwhile)| Attempt {
            weather,
            account,
            right,
            meanwhile,
        })
    })
}

/// A PBX, and what has become of the attempts on it.
#[derive(Clone)]
struct Field {
    pbx: Rc<Pbx>,
    options: Rc<Vec<(&'static str, &'static str)>>,
    reads: Rc<Cell<Reads>>,
    /// How often the source was asked.
    asked: Rc<Cell<usize>>,
    /// Wrong entries that would have admitted, had their PIN been right.
    tries: Rc<RefCell<[u32; ACCOUNTS.len()]>>,
}

impl Field {
    fn new(options: &[(&'static str, &'static str)]) -> Self {
        let rows = rows(&list(), FileKind::Csv);
        let (reads, asked) = (Rc::new(Cell::new(Reads::All)), Rc::new(Cell::new(0)));
        let (read, count) = (Rc::clone(&reads), Rc::clone(&asked));
        let pbx = Pbx::of(move |_| {
            count.set(count.get() + 1);
            Some(match read.get() {
                Reads::All => Answer::Rows(Arc::clone(&rows), FileKind::Csv),
                Reads::Nothing => Answer::Refused("it can't be read".to_owned()),
            })
        });
        Self {
            pbx: Rc::new(pbx),
            options: Rc::new(options.to_vec()),
            reads,
            asked,
            tries: Rc::default(),
        }
    }

    fn set(&self, weather: Weather) {
        self.reads.set(weather.reads);
        self.pbx.hashes.set(weather.hashes);
        self.pbx.keyless.set(weather.keyless);
        self.pbx.disk_full.set(weather.disk_full);
    }

    /// Makes an attempt; `None` stands for a panic.
    fn make(&self, attempt: &Attempt, around: Weather) -> Option<String> {
        let (account, right) = ACCOUNTS[attempt.account];
        let pin = if attempt.right { right } else { WRONG };
        let field = self.clone();
        let (meanwhile, weather) = (attempt.meanwhile.clone(), attempt.weather);
        let hook = move |_: &Pbx| {
            for other in &meanwhile {
                field.make(other, weather);
            }
        };
        let outer = self.pbx.hashing.replace(Some(Rc::new(hook)));
        self.set(attempt.weather);
        let compared = self.compared();
        let (account, pin) = (entered(account), entered(pin));
        let entry = Entry {
            account: Some(&account),
            pin: &pin,
        };
        // The verifier of a call; its caller is the same for all.
        let mut verifier = self.pbx.verify(&self.options, Some("+905060508161"));
        let mut host = Host(attempt.weather.stays);
        let verification = AssertUnwindSafe(|| said(verifier.verify(&mut host, entry)));
        let verdict = catch_unwind(verification).ok();
        if self.compared() > compared && !attempt.right && self.would_admit(attempt) {
            self.tries.borrow_mut()[attempt.account] += 1;
        }
        self.pbx.hashing.replace(outer);
        self.set(around);
        verdict
    }

    /// Goes up with each entry that is compared with rows: once they are read, or,
    /// where a caller is identified, once hashes are asked for.
    fn compared(&self) -> usize {
        match self.options.contains(&("identify", "pin")) {
            true => self.asked.get(),
            false => self.pbx.hashed.borrow().len(),
        }
    }

    /// Whether the right PIN would have admitted at this time.
    fn would_admit(&self, attempt: &Attempt) -> bool {
        let mut options = self.options.to_vec();
        options.retain(|(name, _)| !name.starts_with("lockout"));
        let other = Field::new(&options);
        let right = Attempt {
            right: true,
            meanwhile: Vec::new(),
            ..attempt.clone()
        };
        let verdict = other.make(&right, attempt.weather);
        verdict.is_some_and(|verdict| verdict.starts_with("right"))
    }
}

const CALM: Weather = Weather {
    reads: Reads::All,
    hashes: Hashes::Computed,
    keyless: false,
    disk_full: false,
    stays: 50,
};

fn options(identify: &'static str, limited: &str) -> [(&'static str, &'static str); 4] {
    let limit = |name: &str| if name == limited { "3/1h/1h" } else { "no" };
    [
        ("identify", identify),
        ("lockout_caller", limit("caller")),
        ("lockout_pinset", limit("pinset")),
        ("lockout_account", limit("account")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn tries_of_a_caller_never_exceed_the_limit(
        attempts in prop::collection::vec(attempt(true), 1..12),
        identify in prop::sample::select(vec!["pin", "caller", "account"]),
    ) {
        let field = Field::new(&options(identify, "caller"));
        for attempt in &attempts {
            field.make(attempt, CALM);
        }
        let tries: u32 = field.tries.borrow().iter().sum();
        prop_assert!(tries <= LIMIT, "{} tries", tries);
    }

    #[test]
    fn tries_at_a_pin_set_or_account_never_exceed_the_limit(
        attempts in prop::collection::vec(attempt(false), 1..12),
        limited in prop::sample::select(vec!["pinset", "account"]),
    ) {
        let field = Field::new(&options("account", limited));
        for attempt in &attempts {
            field.make(attempt, CALM);
        }
        let tries = field.tries.borrow();
        let most = match limited {
            "pinset" => tries.iter().sum(),
            _ => tries.iter().copied().max().unwrap_or_default(),
        };
        prop_assert!(most <= LIMIT, "{:?} tries", tries);
    }
}
