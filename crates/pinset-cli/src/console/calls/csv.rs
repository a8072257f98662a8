//! Calls as CSV, streamed while they are read.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use http_body::{Body as HttpBody, Frame};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::Calls;
use crate::reports::{push_header, CallFilter, HistoryReader, Totals};

/// Number of bytes that are read before they are sent.
const PART_BYTES: usize = 64 << 10;
/// Number of parts that wait for the client.
const WAITING_PARTS: usize = 2;

/// A file for download.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::console) enum Download {
    Calls,
    Totals,
}

/// The reason why there is no file.
#[derive(Debug, Error)]
pub(in crate::console) enum CsvError {
    #[error("too many downloads")]
    TooMany,
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// The reason why a file ends early.
#[derive(Debug, Error)]
enum WriteError {
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    #[error("the client has closed the connection")]
    Closed,
}

type Part = Result<Bytes, rusqlite::Error>;

impl Calls {
    /// Answers with a file of the selected calls, while it is read. A file that could not
    /// be read to its end has no end for the client, either.
    ///
    /// # Errors
    ///
    /// Fails if there are too many downloads, or the database can't be opened.
    pub(in crate::console) async fn download(
        &self,
        filter: CallFilter,
        kind: Download,
    ) -> Result<Response, CsvError> {
        let permit = self.downloads.clone().try_acquire_owned();
        let permit = permit.map_err(|_| CsvError::TooMany)?;
        let (sender, parts) = mpsc::channel(WAITING_PARTS);
        let (database, numbering) = (self.database.clone(), self.numbering.clone());
        spawn_blocking(move || {
            let written = HistoryReader::open(&database, None, &numbering)
                .map_err(WriteError::from)
                .and_then(|reader| write(&reader, &filter, kind, &sender));
            if let Err(WriteError::Database(error)) = written {
                // The client may have gone.
                let _ = sender.blocking_send(Err(error));
            }
            drop(permit);
        });
        let mut response = Body::new(PartsBody(parts)).into_response();
        let headers = response.headers_mut();
        let csv = HeaderValue::from_static("text/csv; charset=utf-8");
        headers.insert(CONTENT_TYPE, csv);
        let name = HeaderValue::from_static(match kind {
            Download::Calls => "attachment; filename=\"calls.csv\"",
            Download::Totals => "attachment; filename=\"calls-totals.csv\"",
        });
        headers.insert(CONTENT_DISPOSITION, name);
        Ok(response)
    }
}

/// Writes a file in parts.
fn write(
    reader: &HistoryReader,
    filter: &CallFilter,
    kind: Download,
    sender: &mpsc::Sender<Part>,
) -> Result<(), WriteError> {
    let send = |part: Vec<u8>| {
        let sent = sender.blocking_send(Ok(part.into()));
        sent.map_err(|_| WriteError::Closed)
    };
    let mut part = Vec::new();
    match kind {
        Download::Totals => {
            let mut totals = Totals::new(false);
            let rows = reader.totals(filter)?;
            rows.iter().for_each(|row| totals.add_identity(row));
            part = totals.csv();
        }
        Download::Calls => {
            push_header(&mut part);
            // The client need not wait for the first calls.
            send(std::mem::take(&mut part))?;
            reader.each(filter, |row| {
                row.push_csv(&mut part);
                match part.len() {
                    ..PART_BYTES => Ok(()),
                    _ => send(std::mem::take(&mut part)),
                }
            })?;
        }
    }
    send(part)
}

/// The body of a response whose parts come from a thread.
struct PartsBody(mpsc::Receiver<Part>);

impl HttpBody for PartsBody {
    type Data = Bytes;
    type Error = rusqlite::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, rusqlite::Error>>> {
        let part = self.0.poll_recv(context);
        part.map(|part| part.map(|part| part.map(Frame::data)))
    }
}
