use super::*;
use proptest::prelude::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Asks, and tells at once what comes of it.
fn round(breaker: &mut Breaker, came: RequestResult, seconds: u64) -> Option<bool> {
    let leave = breaker.ask(at(seconds))?;
    Some(breaker.tell(leave, came, at(seconds)))
}

fn open() -> Breaker {
    let mut breaker = Breaker::new();
    for failure in 1..=5 {
        let changed = round(&mut breaker, RequestResult::Failure, 0);
        assert_eq!(changed, Some(failure == 5));
        assert_eq!(breaker.is_open(), failure == 5);
    }
    breaker
}

#[test]
fn five_failures_in_a_row_open_it() {
    assert_eq!(open().ask(at(9)), None);
    let mut breaker = Breaker::new();
    for _ in 0..3 {
        for came in [
            RequestResult::Failure,
            RequestResult::Failure,
            RequestResult::Failure,
            RequestResult::Failure,
        ] {
            assert_eq!(round(&mut breaker, came, 0), Some(false));
        }
        // Who hangs up says nothing of the service.
        assert_eq!(round(&mut breaker, RequestResult::Nothing, 0), Some(false));
        assert_eq!(round(&mut breaker, RequestResult::Answer, 0), Some(false));
    }
    for _ in 0..4 {
        round(&mut breaker, RequestResult::Failure, 0);
    }
    round(&mut breaker, RequestResult::Nothing, 0);
    assert_eq!(round(&mut breaker, RequestResult::Failure, 0), Some(true));
}

#[test]
fn one_at_a_time_tries_and_an_answer_closes_it() {
    let mut breaker = open();
    let leave = breaker.ask(at(10)).expect("a trial");
    assert_eq!(breaker.ask(at(10)), None);
    assert_eq!(breaker.ask(at(60)), None);
    assert!(breaker.is_open());
    assert!(breaker.tell(leave, RequestResult::Answer, at(60)));
    assert!(!breaker.is_open());
    // From the start again: no failure is left of before.
    for failure in 1..=5 {
        let changed = round(&mut breaker, RequestResult::Failure, 61);
        assert_eq!(changed, Some(failure == 5));
    }
    assert_eq!(breaker.ask(at(70)), None);
    assert!(breaker.ask(at(71)).is_some());
}

#[test]
fn each_failed_trial_doubles_the_wait_up_to_a_minute() {
    let mut breaker = open();
    let mut now = 0;
    for wait in [10, 20, 40, 60, 60, 60] {
        assert_eq!(breaker.ask(at(now + wait - 1)), None, "{now}");
        now += wait;
        assert_eq!(
            round(&mut breaker, RequestResult::Failure, now),
            Some(false)
        );
    }
}

#[test]
fn a_trial_whose_caller_is_gone_leaves_the_place_to_the_next() {
    let mut breaker = open();
    assert_eq!(round(&mut breaker, RequestResult::Nothing, 10), Some(false));
    assert_eq!(round(&mut breaker, RequestResult::Failure, 10), Some(false));
    assert_eq!(breaker.ask(at(29)), None);
    // One that is never told of is forgotten, and what it tells then.
    let lost = breaker.ask(at(30)).expect("a trial");
    assert_eq!(breaker.ask(at(149)), None);
    let next = breaker.ask(at(150)).expect("a trial");
    assert!(!breaker.tell(lost, RequestResult::Answer, at(150)));
    assert!(breaker.is_open());
    assert!(breaker.tell(next, RequestResult::Answer, at(151)));
}

#[test]
fn what_was_asked_before_says_nothing_of_now() {
    let mut breaker = Breaker::new();
    let early: Vec<_> = (0..10).filter_map(|_| breaker.ask(at(0))).collect();
    for (told, leave) in early.into_iter().enumerate() {
        assert_eq!(
            breaker.tell(leave, RequestResult::Failure, at(1)),
            told == 4
        );
    }
    assert_eq!(breaker.ask(at(10)), None);
    assert!(breaker.ask(at(11)).is_some());
}

/// The breaker as its documentation has it, told in the plainest way.
#[derive(Default)]
struct Model {
    failures: u32,
    /// Since when, and for how long, nobody asks.
    down: Option<(u64, u64)>,
    trial: Option<u64>,
}

impl Model {
    fn asks(&mut self, now: u64) -> bool {
        let Some((since, wait)) = self.down else {
            return true;
        };
        let free = self.trial.is_none_or(|began| now >= began + 120);
        let asks = free && now >= since + wait;
        if asks {
            self.trial = Some(now);
        }
        asks
    }

    fn told(&mut self, came: RequestResult, now: u64) {
        match (came, self.down) {
            (RequestResult::Nothing, None) => {}
            (RequestResult::Nothing, Some((_, wait))) => {
                self.down = Some((now - wait.min(now), wait));
            }
            (RequestResult::Answer, _) => *self = Self::default(),
            (RequestResult::Failure, Some((_, wait))) => {
                self.down = Some((now, (2 * wait).min(60)));
            }
            (RequestResult::Failure, None) => {
                self.failures += 1;
                if self.failures == 5 {
                    self.down = Some((now, 10));
                }
            }
        }
        self.trial = None;
    }
}

proptest! {
    /// Asked one after the other, some never told of.
    #[test]
    fn it_does_as_its_model(
        steps in proptest::collection::vec((
            prop_oneof![Just(0), 1..30_u64, 100..200_u64],
            proptest::option::weighted(
                0.95,
                prop_oneof![4 => Just(RequestResult::Failure), 1 => Just(RequestResult::Answer), 1 => Just(RequestResult::Nothing)],
            ),
        ), 0..60),
    ) {
        let (mut breaker, mut model) = (Breaker::new(), Model::default());
        // Not before the first wait could end.
        let mut now = 100;
        for (pause, came) in steps {
            now += pause;
            let leave = breaker.ask(at(now));
            prop_assert_eq!(leave.is_some(), model.asks(now));
            if let (Some(leave), Some(came)) = (leave, came) {
                let _ = breaker.tell(leave, came, at(now));
                model.told(came, now);
            }
            prop_assert_eq!(breaker.is_open(), model.down.is_some());
        }
    }
}
