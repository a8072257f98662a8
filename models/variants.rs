// The broken variants of the product, each of which a model must catch. Also read by build.rs.

/// A change by which a line of the product is wrong.
pub(crate) struct Variant {
    /// The name by which a model switches it on.
    pub(crate) name: &'static str,
    /// The end of the path of the file.
    pub(crate) file: &'static str,
    /// What the file says, once; only what is between « and », if they are there, is replaced.
    pub(crate) original: &'static str,
    /// What it says in the variant.
    pub(crate) broken: &'static str,
}

const fn variant(
    name: &'static str,
    file: &'static str,
    original: &'static str,
    broken: &'static str,
) -> Variant {
    Variant {
        name,
        file,
        original,
        broken,
    }
}

pub(crate) const VARIANTS: &[Variant] = &[
    variant("a result wakes nobody", "src/sync/oneshot.rs", "self.is_set.notify_one();", ""),
    variant(
        "a post is marked as sent without a comparison",
        "src/http/request.rs",
        "match self.0.compare_exchange(UNSENT, wanted, AcqRel, Acquire) {
            Ok(_) => wanted,
            Err(decided) => decided,
        }",
        "let decided = self.0.load(Acquire);
        if decided == UNSENT { self.0.store(wanted, crate::model::sync::atomic::Ordering::Release); wanted } else { decided }",
    ),
    variant("a job without a thread stays", "src/work_queue.rs", "queue.keep_last()", "true"),
    variant(
        "a worker is counted after it has started",
        "src/work_queue.rs",
        "queue.begin();",
        "drop(queue); shared.queue().begin();",
    ),
    variant("queued work wakes nobody", "src/asterisk/thread_pool.rs", "WORK_QUEUED.notify_one();", ""),
    variant(
        "attempts in flight do not count",
        "pinset/src/lockout/counter.rs",
        "failures.saturating_add(self.in_flight) >= most",
        "failures >= most",
    ),
    variant(
        "a right entry is not refunded",
        "pinset/src/lockout/counter.rs",
        "self.in_flight = self.in_flight.saturating_sub(1);",
        "",
    ),
    variant(
        "a right entry is refunded twice",
        "pinset/src/lockout/charge.rs",
        "                _ => «count.refund(now)»,",
        "count.refund(now); count.refund(now)",
    ),
    variant(
        "writes of lockouts overtake each other",
        "src/state/lockouts.rs",
        "lock(&WRITING)",
        "lock(Box::leak(Box::new(Mutex::new(()))))",
    ),
    variant(
        "a caller is admitted before the journal is written",
        "use_ledger/ledger.rs",
        "self.journal.as_mut().ok_or_else(no_journal)?.add(&record)?;",
        "",
    ),
    variant(
        "a failed commit restores a one-time PIN",
        "use_ledger/ledger.rs",
        "self.undone(family, key) == Some(Effect::Removed)",
        "false",
    ),
    variant("the journal is not replayed", "use_ledger/ledger.rs", "journal::left()?", "(Vec::new(), 0)"),
    variant(
        "a download is not registered",
        "src/http/sound_cache.rs",
        "downloads.running.insert(key.clone(), Arc::clone(&fetch));",
        "",
    ),
    variant(
        "a request that was dropped has no result",
        "src/http/sound_cache.rs",
        "self.fetch.get().is_none()",
        "false",
    ),
    variant(
        "an unload does not wait for calls that were looked up",
        "src/asterisk/dialplan.rs",
        "crate::model::thread::sleep(LOOKUP_TO_RUN);",
        "",
    ),
    variant(
        "an unload does not look for calls again",
        "src/asterisk/dialplan.rs",
        "if in_flight::any() {
        return false;
    }",
        "",
    ),
    variant("threads are not joined", "src/asterisk/thread_pool.rs", "threads.into_iter().for_each(join);", "drop(threads);"),
];
