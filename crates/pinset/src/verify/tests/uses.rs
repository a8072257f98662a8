//! Times, and uses of PINs.

use super::*;

#[test]
fn row_admits_max_uses_calls() {
    let pbx = Pbx::csv("account,secret,max_uses\nalice,plain:1,2\nbob,plain:2,\n");
    let mut verifier = pbx.verify(&[], None);
    let verdicts = ["1", "1", "1", "2", "2", "2"].map(|pin| verified(&mut verifier, pin));
    let (alice, bob) = ("right alice 0 -", "right bob 0 -");
    assert_eq!(verdicts, [alice, alice, "expired", bob, bob, bob]);
    let digest = crate::credential::table::digest(b"alice", b"plain:1");
    let uses = pbx.uses.take();
    assert_eq!(
        uses.into_iter().collect::<Vec<_>>(),
        [((b"alice".to_vec(), digest), 2)]
    );
}

#[test]
fn one_time_allows_one_use_of_each_row() {
    let pbx = Pbx::csv("account,secret,max_uses\nalice,plain:1,2\nbob,plain:2,\n");
    let mut verifier = pbx.verify(&[("one_time", "yes")], None);
    let verdicts = ["1", "1", "2", "2"].map(|pin| verified(&mut verifier, pin));
    assert_eq!(
        verdicts,
        ["right alice 0 -", "expired", "right bob 0 -", "expired"]
    );
}

#[test]
fn one_time_allows_one_use_of_a_line() {
    let pbx = Pbx::entries(Entries::Lines(Format::Plain));
    let mut verifier = pbx.verify(&[], None);
    assert_eq!(verified(&mut verifier, "1234"), "right alice - -");
    assert_eq!(pbx.uses.take().len(), 0);
    let mut verifier = pbx.verify(&[("one_time", "yes")], None);
    let verdicts = ["4321", "1234", "1234"].map(|pin| verified(&mut verifier, pin));
    assert_eq!(verdicts, ["wrong", "right alice - -", "expired"]);
    let digest = crate::credential::table::digest(b"alice", b"plain:1234");
    assert!(pbx.uses.take().contains_key(&(b"alice".to_vec(), digest)));
}

#[test]
fn one_time_removes_a_pin_that_is_a_database_key() {
    let pbx = Pbx::entries(Entries::Keys);
    let keys = || BTreeSet::from([b"1234".to_vec(), b"1".to_vec()]);
    pbx.keys.replace(keys());
    let source = ("source", "astdb:PINS/1");
    assert_eq!(
        verified(&mut pbx.verify(&[source], None), "1234"),
        "right alice - -"
    );
    assert_eq!(pbx.keys.borrow().len(), 2);
    let mut verifier = pbx.verify(&[source, ("one_time", "yes")], None);
    // Another call was faster: there is no such PIN any more.
    let verdicts = ["1234", "1234"].map(|pin| verified(&mut verifier, pin));
    assert_eq!(verdicts, ["right alice - -", "wrong"]);
    assert_eq!(pbx.keys.take(), BTreeSet::from([b"1".to_vec()]));
}

#[test]
fn one_time_removes_the_key_of_a_database_value() {
    let values: [(&[u8], &[u8]); 2] = [(b"alice", b"plain:1"), (b"bob", b"plain:2")];
    let pbx = Pbx::of(move |_| {
        let rows = crate::credential::table::of_credentials(values, u64::MAX).ok()?;
        let keys = vec![b"first".to_vec(), b"second".to_vec()];
        Some(Answer::Family(Box::new(Family { rows, keys })))
    });
    pbx.keys
        .replace(BTreeSet::from([b"first".to_vec(), b"second".to_vec()]));
    let source = ("source", "astdb:PINS/1");
    // No levels there.
    assert_eq!(
        verified(&mut pbx.verify(&[source], None), "2"),
        "right bob - -"
    );
    assert_eq!(pbx.keys.borrow().len(), 2);
    let mut verifier = pbx.verify(&[source, ("one_time", "yes")], None);
    let verdicts = ["2", "2"].map(|pin| verified(&mut verifier, pin));
    assert_eq!(verdicts, ["right bob - -", "expired"]);
    assert_eq!(pbx.keys.take(), BTreeSet::from([b"first".to_vec()]));
}

#[test]
fn outside_its_times_no_use_is_taken() {
    let rows = Pbx::csv("account,secret\nalice,plain:1234\n");
    let lines = Pbx::entries(Entries::Lines(Format::Plain));
    let family = Pbx::entries(Entries::Keys);
    family.keys.replace(BTreeSet::from([b"1234".to_vec()]));
    let options = [
        ("source", "astdb:PINS/1"),
        ("one_time", "yes"),
        ("times", "9:00-17:00"),
    ];
    for pbx in [rows, lines, family] {
        pbx.open.set(false);
        let mut verifier = pbx.verify(&options, None);
        let verdicts = ["1234", "4321"].map(|pin| verified(&mut verifier, pin));
        assert_eq!(verdicts, ["expired", "wrong"]);
        pbx.open.set(true);
        let verdicts = ["1234", "1234"].map(|pin| verified(&mut verifier, pin));
        assert!(verdicts[0].starts_with("right alice"), "{verdicts:?}");
        assert_ne!(verdicts[1], verdicts[0]);
    }
}

#[test]
fn caller_who_hangs_up_while_a_use_is_taken_is_not_admitted() {
    let list = "account,secret,max_uses\nalice,plain:1,1\n";
    let entry = Entry {
        account: None,
        pin: &entered("1"),
    };
    // The source is asked first, then the use is taken.
    let pbx = Pbx::csv(list);
    let verdict = pbx.verify(&[], None).verify(&mut Host(2), entry);
    assert_eq!(verdict, None);
    assert_eq!(verified(&mut pbx.verify(&[], None), "1"), "expired");
    let pbx = Pbx::csv(list);
    let verdict = pbx.verify(&[], None).verify(&mut Host(3), entry);
    assert!(matches!(verdict, Some(Verdict::Right(_))));
}
