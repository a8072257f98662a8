//! The caller's digits and their times: a script, its text form, and the player that
//! turns it into DTMF during the call.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Error, Result};

/// How long after a press the next one is held back when nobody reads keys.
const UNREAD_TIME: Duration = Duration::from_millis(500);

/// One thing the caller does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Presses a key: `0`–`9`, `*`, `#`, `A`–`D`.
    Press(char),
    /// Pauses.
    Wait(Duration),
    /// Waits until the sound that plays has come to its end.
    AfterPrompt,
    /// Hangs up.
    HangUp,
}

/// What the caller does in answer to one prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// Does not wait for a prompt: begins when the group before is done, the
    /// first one when the application begins.
    pub now: bool,
    /// What is done; nothing for a caller who lets the prompt pass.
    pub steps: Vec<Step>,
}

/// All a caller does in a call.
///
/// The text form has groups separated by blanks. A group begins when a sound
/// has started since the last group began, so each sound of an `&` list that
/// is played in full asks for a group of its own.
///
/// | text | |
/// |---|---|
/// | `0`–`9` `*` `#` `A`–`D` | the key |
/// | `~` | half a second's pause |
/// | `<wait 1.5>` | a pause of 1.5 seconds |
/// | `<after-prompt>` | waits for the end of the sound |
/// | `<silence>` | a group without digits |
/// | `<now>` | at the head of a group: does not wait for a sound. With a key right behind it in the first group, the call is answered before |
/// | `<hangup>` | the caller hangs up |
///
/// `"9999# 1234#"` enters 9999# at the first prompt and 1234# at the next;
/// `"<now>1234#"` is for calls that play no prompt; `"12<hangup>"` gives up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keys {
    /// The groups in their order.
    pub groups: Vec<Group>,
}

impl Keys {
    /// Whether the first key is pressed as soon as the application begins.
    pub(crate) fn begin_at_once(&self) -> bool {
        let first = self.groups.first();
        first.is_some_and(|group| group.now && matches!(group.steps.first(), Some(Step::Press(_))))
    }
}

impl FromStr for Keys {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut groups = Vec::new();
        let mut group: Option<Group> = None;
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            rest = &rest[first.len_utf8()..];
            if first.is_whitespace() {
                groups.extend(group.take());
                continue;
            }
            let group = group.get_or_insert_with(Group::default);
            if first == '<' {
                let (token, after) = rest
                    .split_once('>')
                    .with_context(|| format!("key script {text:?}: `<` without `>`"))?;
                rest = after;
                token_into(token, group).with_context(|| format!("key script {text:?}"))?;
            } else {
                group.steps.push(match first {
                    '0'..='9' | '*' | '#' | 'A'..='D' => Step::Press(first),
                    '~' => Step::Wait(Duration::from_millis(500)),
                    _ => bail!("key script {text:?}: {first:?} is no key"),
                });
            }
        }
        groups.extend(group);
        Ok(Self { groups })
    }
}

fn token_into(token: &str, group: &mut Group) -> Result<()> {
    match token.split_once(' ').unwrap_or((token, "")) {
        ("hangup", "") => group.steps.push(Step::HangUp),
        ("after-prompt", "") => group.steps.push(Step::AfterPrompt),
        ("silence", "") if group.steps.is_empty() => {}
        ("now", "") if group.steps.is_empty() => group.now = true,
        ("wait", seconds) => {
            let seconds: f64 = seconds.parse()?;
            group
                .steps
                .push(Step::Wait(Duration::try_from_secs_f64(seconds)?));
        }
        _ => bail!("<{token}> is not known, or not in this place"),
    }
    Ok(())
}

/// What the player wants done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Next {
    /// Press this key now.
    Press(char),
    /// Hang up now.
    HangUp,
    /// Ask again at this time, or after the next thing heard.
    At(Instant),
    /// Ask again after the next thing heard.
    Idle,
}

/// Plays a script: it gets the sounds that are heard, and returns the next step.
#[derive(Debug)]
pub(crate) struct Player {
    groups: VecDeque<Group>,
    steps: VecDeque<Step>,
    gap: Duration,
    hidden: bool,
    begun: bool,
    prompted: bool,
    /// The sound that plays and when it will have ended.
    sound_end: Option<Instant>,
    /// The key whose arrival is awaited, and when it was pressed.
    pressed: Option<(char, Instant)>,
    not_before: Option<Instant>,
    entered: String,
}

impl Player {
    /// `gap` is the time between keys. With `hidden`, no arrival of a key is
    /// told of, and none is awaited.
    pub(crate) fn new(keys: Keys, gap: Duration, hidden: bool) -> Self {
        Self {
            groups: keys.groups.into(),
            steps: VecDeque::new(),
            gap,
            hidden,
            begun: false,
            prompted: false,
            sound_end: None,
            pressed: None,
            not_before: None,
            entered: String::new(),
        }
    }

    /// The application has begun.
    pub(crate) fn begun(&mut self) {
        self.begun = true;
    }

    /// A sound has started that will end at `end`.
    pub(crate) fn sound(&mut self, end: Instant) {
        self.prompted = true;
        self.sound_end = Some(end);
    }

    /// Whether somebody has to find out how long a sound plays.
    pub(crate) fn minds_sound_ends(&self) -> bool {
        let steps = self.groups.iter().flat_map(|group| &group.steps);
        steps
            .chain(&self.steps)
            .any(|step| *step == Step::AfterPrompt)
    }

    /// A key has arrived at the channel.
    pub(crate) fn arrived(&mut self, key: char, now: Instant) {
        if self.pressed.is_some_and(|(pressed, _)| pressed == key) {
            self.pressed = None;
            self.not_before = Some(now + self.gap);
        }
    }

    /// What to do now.
    pub(crate) fn next(&mut self, now: Instant) -> Next {
        loop {
            if let Some((_, at)) = self.pressed {
                // A caller does not know whether anybody listens.
                if now < at + UNREAD_TIME {
                    return Next::At(at + UNREAD_TIME);
                }
                self.pressed = None;
            }
            match self.not_before {
                Some(at) if now < at => return Next::At(at),
                _ => self.not_before = None,
            }
            let Some(step) = self.steps.pop_front() else {
                if self.next_group() {
                    continue;
                }
                return Next::Idle;
            };
            match step {
                Step::Press(key) => {
                    if self.hidden {
                        self.not_before = Some(now + self.gap);
                    } else {
                        self.pressed = Some((key, now));
                    }
                    self.entered.push(key);
                    return Next::Press(key);
                }
                Step::Wait(pause) => self.not_before = Some(now + pause),
                Step::AfterPrompt => self.not_before = self.sound_end,
                Step::HangUp => return Next::HangUp,
            }
        }
    }

    fn next_group(&mut self) -> bool {
        let asked = match self.groups.front() {
            Some(group) if group.now => self.begun,
            Some(_) => self.prompted,
            None => false,
        };
        if !asked {
            return false;
        }
        if let Some(group) = self.groups.pop_front() {
            // A first group that begins without a prompt leaves the first
            // prompt, if there is one after all, to itself as well.
            self.prompted = false;
            self.steps = group.steps.into();
        }
        true
    }

    /// The keys pressed so far, without the pauses.
    pub(crate) fn entered(&self) -> &str {
        &self.entered
    }

    /// The keys that were not pressed: groups separated by blanks.
    pub(crate) fn not_entered(&self) -> String {
        let presses = |step: &Step| match step {
            Step::Press(key) => Some(*key),
            _ => None,
        };
        let rest: String = self.steps.iter().filter_map(presses).collect();
        let groups = self.groups.iter();
        let groups = groups.map(|group| group.steps.iter().filter_map(presses).collect());
        let all: Vec<String> = std::iter::once(rest)
            .chain(groups)
            .filter(|keys| !keys.is_empty())
            .collect();
        all.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Keys {
        text.parse().unwrap_or_else(|error| panic!("{error:#}"))
    }

    const GAP: Duration = Duration::from_millis(100);

    #[test]
    fn script_text_is_parsed() {
        assert_eq!(
            keys("<now>1#  <silence> ~*<wait 1.5><after-prompt><hangup>").groups,
            [
                Group {
                    now: true,
                    steps: vec![Step::Press('1'), Step::Press('#')]
                },
                Group::default(),
                Group {
                    now: false,
                    steps: vec![
                        Step::Wait(Duration::from_millis(500)),
                        Step::Press('*'),
                        Step::Wait(Duration::from_millis(1500)),
                        Step::AfterPrompt,
                        Step::HangUp,
                    ]
                }
            ]
        );
        assert!(keys("").groups.is_empty());
    }

    #[test]
    fn invalid_script_is_refused() {
        for text in [
            "12x",
            "<wait",
            "<wait x>",
            "<wait -1>",
            "<jump>",
            "1<now>2",
            "1<silence>",
        ] {
            assert!(text.parse::<Keys>().is_err(), "{text}");
        }
    }

    #[test]
    fn group_waits_for_its_prompt_and_key_for_the_previous_key() {
        let mut player = Player::new(keys("1# 2"), GAP, false);
        let start = Instant::now();
        player.begun();
        assert_eq!(player.next(start), Next::Idle);
        player.sound(start);
        assert_eq!(player.next(start), Next::Press('1'));
        assert_eq!(player.next(start), Next::At(start + UNREAD_TIME));
        player.arrived('1', start);
        assert_eq!(player.next(start), Next::At(start + GAP));
        assert_eq!(player.next(start + GAP), Next::Press('#'));
        player.arrived('#', start + GAP);
        assert_eq!(player.next(start + GAP * 2), Next::Idle);
        assert_eq!(player.not_entered(), "2");
        player.sound(start);
        assert_eq!(player.next(start + GAP * 2), Next::Press('2'));
        assert_eq!(player.entered(), "1#2");
    }

    #[test]
    fn hidden_key_is_not_awaited() {
        let mut player = Player::new(keys("12"), GAP, true);
        let start = Instant::now();
        player.sound(start);
        assert_eq!(player.next(start), Next::Press('1'));
        assert_eq!(player.next(start), Next::At(start + GAP));
        assert_eq!(player.next(start + GAP), Next::Press('2'));
    }

    #[test]
    fn prompt_before_the_last_key_starts_the_next_group() {
        let mut player = Player::new(keys("1# 2"), Duration::ZERO, false);
        let now = Instant::now();
        player.sound(now);
        assert_eq!(player.next(now), Next::Press('1'));
        player.sound(now);
        player.arrived('1', now);
        assert_eq!(player.next(now), Next::Press('#'));
        player.arrived('#', now);
        assert_eq!(player.next(now), Next::Press('2'));
    }

    #[test]
    fn silence_lets_one_prompt_pass_and_now_waits_for_none() {
        let now = Instant::now();
        let mut player = Player::new(keys("<silence> 1"), GAP, false);
        player.sound(now);
        assert_eq!(player.next(now), Next::Idle);
        player.sound(now);
        assert_eq!(player.next(now), Next::Press('1'));

        let mut player = Player::new(keys("<now><wait 1>1<hangup>"), GAP, false);
        assert_eq!(player.next(now), Next::Idle);
        player.begun();
        let second = now + Duration::from_secs(1);
        assert_eq!(player.next(now), Next::At(second));
        assert_eq!(player.next(second), Next::Press('1'));
        assert_eq!(player.next(second + UNREAD_TIME), Next::HangUp);
    }
}
