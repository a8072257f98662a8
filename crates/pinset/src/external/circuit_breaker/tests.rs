use super::*;
use proptest::prelude::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Sends a request with this result at once. Returns what the breaker returns for it.
fn round(breaker: &mut Breaker, result: RequestResult, seconds: u64) -> Option<bool> {
    let permit = breaker.ask(at(seconds))?;
    Some(breaker.report(permit, result, at(seconds)))
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
fn five_consecutive_failures_open_the_breaker() {
    assert_eq!(open().ask(at(9)), None);
    let mut breaker = Breaker::new();
    for _ in 0..3 {
        for result in [
            RequestResult::Failure,
            RequestResult::Failure,
            RequestResult::Failure,
            RequestResult::Failure,
        ] {
            assert_eq!(round(&mut breaker, result, 0), Some(false));
        }
        // A caller who hangs up proves nothing about the service.
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
fn answer_to_the_only_trial_closes_the_breaker() {
    let mut breaker = open();
    let permit = breaker.ask(at(10)).expect("a trial");
    assert_eq!(breaker.ask(at(10)), None);
    assert_eq!(breaker.ask(at(60)), None);
    assert!(breaker.is_open());
    assert!(breaker.report(permit, RequestResult::Answer, at(60)));
    assert!(!breaker.is_open());
    // Counting starts over: earlier failures are dropped.
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
fn trial_without_a_result_is_replaced_by_the_next() {
    let mut breaker = open();
    assert_eq!(round(&mut breaker, RequestResult::Nothing, 10), Some(false));
    assert_eq!(round(&mut breaker, RequestResult::Failure, 10), Some(false));
    assert_eq!(breaker.ask(at(29)), None);
    // A trial without a result times out, and its late result is ignored.
    let lost = breaker.ask(at(30)).expect("a trial");
    assert_eq!(breaker.ask(at(149)), None);
    let next = breaker.ask(at(150)).expect("a trial");
    assert!(!breaker.report(lost, RequestResult::Answer, at(150)));
    assert!(breaker.is_open());
    assert!(breaker.report(next, RequestResult::Answer, at(151)));
}

#[test]
fn results_from_before_a_change_are_ignored() {
    let mut breaker = Breaker::new();
    let early: Vec<_> = (0..10).filter_map(|_| breaker.ask(at(0))).collect();
    for (failures, permit) in early.into_iter().enumerate() {
        assert_eq!(
            breaker.report(permit, RequestResult::Failure, at(1)),
            failures == 4
        );
    }
    assert_eq!(breaker.ask(at(10)), None);
    assert!(breaker.ask(at(11)).is_some());
}

/// A simple reference model of the breaker, by its documentation.
#[derive(Default)]
struct Model {
    failures: u32,
    /// Since when, and for how long, no request is sent.
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

    fn report(&mut self, result: RequestResult, now: u64) {
        match (result, self.down) {
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
    /// Requests in sequence, some without a result.
    #[test]
    fn breaker_agrees_with_its_model(
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
        for (pause, result) in steps {
            now += pause;
            let permit = breaker.ask(at(now));
            prop_assert_eq!(permit.is_some(), model.asks(now));
            if let (Some(permit), Some(result)) = (permit, result) {
                let _ = breaker.report(permit, result, at(now));
                model.report(result, now);
            }
            prop_assert_eq!(breaker.is_open(), model.down.is_some());
        }
    }
}
