//! The last event of each PBX that a page has.

use std::collections::BTreeMap;
use std::fmt;

use crate::console::pbx::EventId;

/// The last event that a page has, by PBX. As text it is the `id` of an update, which the
/// browser sends back as `Last-Event-ID`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Position(BTreeMap<String, EventId>);

impl Position {
    /// Reads a position. What is not one is left out: then all events of its PBX are newer.
    pub(super) fn parse(text: &str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes());
        let read = pairs.filter_map(|(pbx, id)| Some((pbx.into_owned(), id.parse().ok()?)));
        Self(read.collect())
    }

    pub(super) fn of(&self, pbx: &str) -> Option<EventId> {
        self.0.get(pbx).copied()
    }

    pub(super) fn set(&mut self, pbx: &str, id: EventId) {
        self.0.insert(pbx.to_owned(), id);
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for (pbx, id) in &self.0 {
            pairs.append_pair(pbx, &id.to_string());
        }
        f.write_str(&pairs.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_survives_its_text() {
        let id: EventId = "1800000000000000-7".parse().expect("an id");
        let mut position = Position::default();
        position.set("main & <b>=1", id);
        position.set("branch", id);
        let read = Position::parse(&position.to_string());
        assert_eq!(read, position);
        assert_eq!(read.of("main & <b>=1"), Some(id));
        assert_eq!(Position::parse("main=7&x&="), Position::default());
    }
}
