//! The application, whose work a model says.

pub(crate) mod application {
    use std::cell::Cell;

    use crate::asterisk::call::Call;
    use crate::pinset::Next;

    thread_local! {
        static WORK: Cell<fn()> = const { Cell::new(|| ()) };
    }

    pub(crate) fn set_work(work: fn()) {
        WORK.set(work);
    }

    pub(crate) fn authenticate(_: &mut Call<'_>, _: &[u8]) -> Next {
        WORK.get()();
        Next::Continue
    }
}

pub(crate) mod astdb_rows {
    pub(crate) fn clear() {}
}

pub(crate) mod slow_hash {
    pub(crate) fn clear() {}
}

pub(crate) mod source_check {
    use crate::config::Draft;

    pub(crate) fn check(_: &mut Draft) {}
}

pub(crate) mod url_prompt {
    pub(crate) fn start() {}
}

pub(crate) mod verify {
    pub(crate) fn verify() {}
}
