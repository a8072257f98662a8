//! Saves of many new rows: their PINs are hashed first, with progress, and the file is
//! changed at the end. Until then a job can be stopped.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use thiserror::Error;
use zeroize::Zeroizing;

use super::access::CurrentUser;
use super::app::App;
use super::edits::{self, EditError, NewText};
use super::hand_out::HandOut;
use super::held::{HeldId, Hold, HoldError};
use super::trail::Change;
use crate::common::secret_maker::{SecretForm, SecretMakerError};
use crate::common::workers::BusyError;
use crate::pin_files::tags::FileTag;

/// Most Argon2id hashes that a request waits for. More are computed while a page shows
/// the progress.
const MAX_AWAITED_HASHES: usize = 100;
/// Assumed time of an Argon2id hash before one was computed.
pub(super) const HASH_TIME: Duration = Duration::from_millis(50);
/// Bytes of a new PIN with its account and name.
const PIN_BYTES: usize = 300;

/// A new text of a file.
pub(super) struct PreparedText {
    pub text: Zeroizing<Vec<u8>>,
    /// The tag of the text that it was made of.
    pub tag: FileTag,
    pub change: Change,
    pub saved: Saved,
}

/// What a job has saved.
pub(super) struct Saved {
    pub added: usize,
    pub removed: usize,
    /// Number of new rows that admit nobody.
    pub out_of_reach: usize,
    /// New PINs that are to be handed out.
    pub hand_out: Option<HandOut>,
}

/// The reason why a job saves nothing.
#[derive(Debug, Error)]
pub(super) enum JobError {
    #[error("changed since the preview")]
    Changed,
    #[error("stopped")]
    Stopped,
    /// A field of the form, which is empty if no field is to blame, and the reason.
    #[error("{1}")]
    Invalid(&'static str, String),
}

impl From<SecretMakerError> for JobError {
    fn from(error: SecretMakerError) -> Self {
        match error {
            SecretMakerError::Stopped => Self::Stopped,
            error => Self::Invalid("", error.to_string()),
        }
    }
}

/// The reason why a job can't be started.
#[derive(Debug, Error)]
pub(super) enum StartError {
    #[error(transparent)]
    Hold(#[from] HoldError),
    #[error(transparent)]
    Busy(#[from] BusyError),
}

enum JobState {
    Hashing,
    /// It can't be stopped any more.
    Saving,
    Stopped,
    Saved(Arc<Saved>),
    /// The reason, until a page has shown it.
    Failed(Option<EditError<JobError>>),
}

/// What a page shows of a job.
pub(super) enum JobView {
    Running,
    Stopped,
    Saved(Arc<Saved>),
    Failed(Option<EditError<JobError>>),
}

/// A job.
pub(super) struct Job {
    /// The name of the PIN file.
    pub name: String,
    /// The page on which it was begun.
    pub origin: String,
    paste: Option<HeldId>,
    /// Number of PINs to hash.
    pub total: usize,
    done: AtomicUsize,
    started: Instant,
    state: Mutex<JobState>,
}

impl Job {
    pub(super) fn new(name: &str, origin: String, total: usize) -> Self {
        Self {
            name: name.to_owned(),
            origin,
            paste: None,
            total,
            done: AtomicUsize::new(0),
            started: Instant::now(),
            state: Mutex::new(JobState::Hashing),
        }
    }

    /// Returns the job with a pasted list, which is wiped once the job has saved it.
    pub(super) fn of_paste(self, paste: HeldId) -> Self {
        Self {
            paste: Some(paste),
            ..self
        }
    }

    /// Counts a hash. Breaks if the job was stopped.
    pub(super) fn progress(&self) -> ControlFlow<()> {
        self.done.fetch_add(1, Relaxed);
        match &*self.state.lock() {
            JobState::Stopped => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Returns the number of hashes so far.
    pub(super) fn done(&self) -> usize {
        self.done.load(Relaxed).min(self.total)
    }

    /// Returns the estimated time that is left.
    pub(super) fn left(&self) -> Duration {
        let (done, elapsed) = (self.done(), self.started.elapsed());
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let each = elapsed.checked_div(count(done)).unwrap_or(HASH_TIME);
        each.saturating_mul(count(self.total - done))
    }

    /// Stops the job unless it saves already. Returns whether it is stopped.
    pub(super) fn stop(&self) -> bool {
        let mut state = self.state.lock();
        if matches!(*state, JobState::Hashing) {
            *state = JobState::Stopped;
        }
        matches!(*state, JobState::Stopped)
    }

    /// Returns what a page shows. A failure is returned with its reason once.
    pub(super) fn view(&self) -> JobView {
        match &mut *self.state.lock() {
            JobState::Hashing | JobState::Saving => JobView::Running,
            JobState::Stopped => JobView::Stopped,
            JobState::Saved(saved) => JobView::Saved(Arc::clone(saved)),
            JobState::Failed(why) => JobView::Failed(why.take()),
        }
    }

    /// Returns `false` if the job was stopped.
    fn begin_to_save(&self) -> bool {
        let mut state = self.state.lock();
        if matches!(*state, JobState::Stopped) {
            return false;
        }
        *state = JobState::Saving;
        true
    }

    fn finish(&self, result: Result<Saved, EditError<JobError>>) {
        *self.state.lock() = match result {
            Ok(saved) => JobState::Saved(Arc::new(saved)),
            Err(EditError::Refused(JobError::Stopped)) => JobState::Stopped,
            Err(why) => JobState::Failed(Some(why)),
        };
    }
}

impl Hold for Job {
    fn bytes(&self) -> usize {
        self.total.saturating_mul(PIN_BYTES)
    }

    fn is_busy(&self) -> bool {
        matches!(*self.state.lock(), JobState::Hashing | JobState::Saving)
    }

    fn abandon(&self) {
        self.stop();
    }
}

/// Starts a job: `prepare` makes the new text, and calls [`Job::progress`] after each
/// hash. Returns at the end of a short job, and at the start of a long one.
pub(super) async fn start(
    app: &Arc<App>,
    user: &CurrentUser,
    job: Job,
    form: SecretForm,
    prepare: impl FnOnce(&App, &Job) -> Result<PreparedText, JobError> + Send + 'static,
) -> Result<HeldId, StartError> {
    let is_long = form == SecretForm::Argon2id && job.total > MAX_AWAITED_HASHES;
    let now = Instant::now();
    let id = app.jobs.put(user.session, &user.name, job, now)?;
    let Some(job) = app.jobs.find(user.session, id, now) else {
        // The session has ended right now.
        return Ok(id);
    };
    let (preparing, of_job) = (Arc::clone(app), Arc::clone(&job));
    let prepare = move || prepare(&preparing, &of_job);
    let (saving, user) = (Arc::clone(app), user.clone());
    if is_long {
        let prepared = app.hashing.run(prepare);
        let prepared = prepared.inspect_err(|_| app.jobs.remove(user.session, id))?;
        tokio::spawn(async move {
            let prepared = prepared.await.ok();
            save(&saving, &user, &job, prepared).await;
        });
    } else {
        let prepared = tokio::task::spawn_blocking(prepare);
        // It goes on if the browser leaves.
        let saved = tokio::spawn(async move {
            let prepared = prepared.await.ok();
            save(&saving, &user, &job, prepared).await;
        });
        // A panic was reported, and the job is in no other state than before.
        let _ = saved.await;
    }
    Ok(id)
}

/// Saves the text unless the file has changed. `None` is a panic.
async fn save(
    app: &Arc<App>,
    user: &CurrentUser,
    job: &Job,
    prepared: Option<Result<PreparedText, JobError>>,
) {
    let prepared = match prepared {
        Some(Ok(prepared)) => prepared,
        Some(Err(why)) => return job.finish(Err(EditError::Refused(why))),
        None => return job.finish(Err(EditError::Panicked)),
    };
    if !job.begin_to_save() {
        return;
    }
    let for_tags = Arc::clone(app);
    let saved = edits::edit(app, user, &job.name, move |text| {
        if for_tags.edits.tags.file(&text) != prepared.tag {
            return Err(JobError::Changed);
        }
        Ok(NewText {
            text: prepared.text,
            change: prepared.change,
            result: prepared.saved,
        })
    });
    let saved = saved.await;
    if let (Ok(_), Some(paste)) = (&saved, job.paste) {
        app.pastes.remove(user.session, paste);
    }
    job.finish(saved);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job::new("customers", "/".to_owned(), 200)
    }

    #[test]
    fn job_can_be_stopped_until_it_saves() {
        let stopped = job();
        assert!(stopped.progress().is_continue() && stopped.is_busy());
        assert!(stopped.stop());
        assert!(stopped.progress().is_break() && !stopped.begin_to_save() && !stopped.is_busy());
        assert!(matches!(stopped.view(), JobView::Stopped));
        let saving = job();
        assert!(saving.begin_to_save());
        assert!(!saving.stop());
        assert!(saving.is_busy() && matches!(saving.view(), JobView::Running));
        saving.finish(Err(EditError::Changed));
        assert!(matches!(
            saving.view(),
            JobView::Failed(Some(EditError::Changed))
        ));
        assert!(matches!(saving.view(), JobView::Failed(None)));
    }

    #[test]
    fn job_of_an_ended_session_is_stopped() {
        let job = job();
        job.abandon();
        assert!(job.progress().is_break());
    }

    #[test]
    fn estimate_begins_with_the_usual_time_of_a_hash() {
        let job = job();
        assert_eq!(job.left(), HASH_TIME * 200);
        for _ in 0..200 {
            assert!(job.progress().is_continue());
        }
        assert_eq!((job.done(), job.left()), (200, Duration::ZERO));
    }
}
