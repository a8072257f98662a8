//! Reading of a pasted list or of a file, without copies that stay in memory.

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::http::StatusCode;
use thiserror::Error;
use zeroize::Zeroizing;

/// Maximum number of bytes of a list.
pub(in crate::console) const MAX_LIST_BYTES: usize = 64 << 20;
/// Maximum number of bytes of the other fields.
const MAX_FIELD_BYTES: usize = 64;

/// The fields of the form.
#[derive(Default)]
pub(super) struct Upload {
    pub text: Zeroizing<Vec<u8>>,
    pub format: String,
    pub shared_pins: bool,
}

/// The reason why a form can't be used.
#[derive(Debug, Error)]
pub(super) enum UploadError {
    #[error("larger than {} MiB", MAX_LIST_BYTES >> 20)]
    TooLarge,
    #[error("a text and a file")]
    TwoLists,
    #[error("incomplete form")]
    Incomplete,
}

impl From<MultipartError> for UploadError {
    fn from(error: MultipartError) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::Incomplete,
        }
    }
}

/// Reads the form.
pub(super) async fn read(mut form: Multipart) -> Result<Upload, UploadError> {
    let mut upload = Upload::default();
    while let Some(field) = form.next_field().await? {
        match field.name().unwrap_or_default() {
            "text" | "file" => {
                let text = bytes(field, MAX_LIST_BYTES).await?;
                // A file that was not chosen is an empty one.
                if !text.trim_ascii().is_empty() {
                    if !upload.text.is_empty() {
                        return Err(UploadError::TwoLists);
                    }
                    upload.text = text;
                }
            }
            "format" => {
                let format = bytes(field, MAX_FIELD_BYTES).await?;
                upload.format = String::from_utf8_lossy(&format).into_owned();
            }
            "shared" => upload.shared_pins = !bytes(field, MAX_FIELD_BYTES).await?.is_empty(),
            _ => return Err(UploadError::Incomplete),
        }
    }
    Ok(upload)
}

/// Reads a field into a buffer that is wiped, also when it grows.
async fn bytes(mut field: Field<'_>, most: usize) -> Result<Zeroizing<Vec<u8>>, UploadError> {
    let mut bytes = Zeroizing::new(Vec::new());
    while let Some(chunk) = field.chunk().await? {
        let length = bytes.len() + chunk.len();
        if length > most {
            return Err(UploadError::TooLarge);
        }
        if length > bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * length));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
