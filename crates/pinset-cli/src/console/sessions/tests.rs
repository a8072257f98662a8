use super::*;
use crate::console::users::{PasswordHash, Role};

const NOW: Duration = Duration::from_secs(1_800_000_000);
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Y2FuJ3QgYmUgcmlnaHQ";

fn sessions() -> Sessions {
    let database = Connection::open_in_memory().expect("a database");
    database.execute_batch(TABLE).expect("the table");
    Sessions::new(Arc::new(Mutex::new(database)))
}

fn user(name: &str, role: Role) -> User {
    User {
        name: name.to_owned(),
        role,
        password: PasswordHash::parse(HASH).expect("a hash"),
    }
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn stands(sessions: &Sessions, token: &Token, now: Duration) -> bool {
    let id = SessionId::of(token.as_str());
    sessions.find(id, now).expect("found").is_some()
}

#[test]
fn session_ends_30_minutes_after_the_last_request() {
    let (sessions, ada) = (sessions(), user("ada", Role::Admin));
    let token = sessions.begin(&ada, NOW).expect("a session");
    for at in [0, 29, 58, 87] {
        assert!(stands(&sessions, &token, NOW + minutes(at)), "{at}");
    }
    assert!(!stands(&sessions, &token, NOW + minutes(87 + 30)));
    // Also for a clock that goes back.
    assert!(!stands(&sessions, &token, NOW));
}

#[test]
fn session_ends_after_12_hours_whatever_is_requested() {
    let (sessions, ada) = (sessions(), user("ada", Role::Admin));
    let token = sessions.begin(&ada, NOW).expect("a session");
    for at in (0..12 * 60).step_by(20) {
        assert!(stands(&sessions, &token, NOW + minutes(at)), "{at}");
    }
    assert!(!stands(&sessions, &token, NOW + minutes(12 * 60)));
}

#[test]
fn session_is_found_by_its_token_only_and_stores_no_token() {
    let (sessions, ada) = (sessions(), user("ada", Role::Admin));
    let token = sessions.begin(&ada, NOW).expect("a session");
    let other = sessions.begin(&ada, NOW).expect("a session");
    assert_ne!(token.as_str(), other.as_str());
    assert_eq!(token.as_str().len(), 43);
    assert!(sessions
        .find(SessionId::of("x"), NOW)
        .expect("found")
        .is_none());
    let stored: Vec<u8> = sessions
        .database
        .lock()
        .query_row("SELECT digest FROM sessions LIMIT 1", [], |row| row.get(0))
        .expect("a row");
    assert_eq!(stored.len(), 32);
    for token in [&token, &other] {
        assert_ne!(stored, token.as_str().as_bytes());
    }
}

#[test]
fn session_is_of_the_user_as_it_was_at_the_beginning() {
    let (sessions, ada) = (sessions(), user("ada", Role::Admin));
    let token = sessions.begin(&ada, NOW).expect("a session");
    let id = SessionId::of(token.as_str());
    let session = sessions.find(id, NOW).expect("found").expect("a session");
    assert!(session.is_of(&ada));
    assert!(!session.is_of(&user("ada", Role::Viewer)));
    assert!(!session.is_of(&user("bob", Role::Admin)));
}

#[test]
fn confirmation_lasts_five_minutes() {
    let (sessions, ada) = (sessions(), user("ada", Role::Admin));
    let token = sessions.begin(&ada, NOW).expect("a session");
    let id = SessionId::of(token.as_str());
    let is_confirmed = |at| {
        let session = sessions.find(id, NOW + minutes(at)).expect("found");
        session.expect("a session").is_confirmed(NOW + minutes(at))
    };
    assert!(is_confirmed(0) && is_confirmed(5) && !is_confirmed(6));
    sessions.confirm(id, NOW + minutes(7)).expect("confirmed");
    assert!(is_confirmed(12) && !is_confirmed(13));
    // A confirmation from the future is none.
    assert!(!is_confirmed(6));
}

#[test]
fn ended_sessions_are_gone_and_others_stay() {
    let (sessions, ada) = (sessions(), user("ada", Role::Admin));
    let begin = |user: &User| sessions.begin(user, NOW).expect("a session");
    let (first, second, bob) = (begin(&ada), begin(&ada), begin(&user("bob", Role::Viewer)));
    sessions.end(SessionId::of(first.as_str())).expect("ended");
    assert!(!stands(&sessions, &first, NOW) && stands(&sessions, &second, NOW));
    assert_eq!(sessions.end_all("ada").expect("ended"), 1);
    assert!(!stands(&sessions, &second, NOW) && stands(&sessions, &bob, NOW));
}

#[test]
fn look_is_no_use_of_the_session() {
    let (sessions, ada) = (sessions(), user("ada", Role::Admin));
    let token = sessions.begin(&ada, NOW).expect("a session");
    let id = SessionId::of(token.as_str());
    let is_there = |at| {
        let found = sessions.look(id, NOW + minutes(at));
        found.expect("looked").is_some()
    };
    assert!(is_there(29));
    assert!(!is_there(31));
    assert!(!stands(&sessions, &token, NOW + minutes(31)));
}
