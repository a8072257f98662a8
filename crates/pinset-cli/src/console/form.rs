//! Fields of forms.

use axum::body::Body;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use zeroize::Zeroizing;

use super::pages::error;

/// The fields of a form. Other bodies are answered with a page.
pub(super) struct Fields<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Fields<T> {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, Response> {
        match Form::<T>::from_request(request, state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(FormRejection::BytesRejection(rejection))
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE =>
            {
                Err(error::page(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "The form is larger than 64 KiB.",
                    "Shorten the fields.",
                ))
            }
            Err(_) => Err(error::page(
                StatusCode::BAD_REQUEST,
                "The form is incomplete.",
                "Load its page again, and send it from there.",
            )),
        }
    }
}

/// Reads a field whose copies are wiped.
pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}
