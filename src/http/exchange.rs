//! One HTTP exchange, done by libcurl.

use std::io::SeekFrom;

use curl::easy::{Easy2, Handler, HttpVersion, List, NetRc, ReadError, SeekResult, WriteError};
use curl::Error;
use zeroize::Zeroizing;

use super::request::{
    Headers, Limits, Reply, Request, RequestError, RequestFailure, Response, Sending, UrlOrigin,
};
use crate::ffi::curl::only_http;

/// Longest header that is kept.
const MAX_HEADER_BYTES: usize = 1024;

/// Most redirects that are followed, as in Asterisk's media cache.
const MAX_REDIRECTS: u32 = 8;

/// Data of a request, and of its answer.
pub(super) struct Exchange {
    limits: Limits,
    post: Zeroizing<Vec<u8>>,
    sending: Sending,
    sent: usize,
    /// A final status line has been received, not an interim one (1xx).
    answered: bool,
    headers: Headers,
    body: Vec<u8>,
    too_large: bool,
}

impl Handler for Exchange {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, ReadError> {
        if !self.sending.begin() {
            return Err(ReadError::Abort);
        }
        let left = self.post.get(self.sent..).unwrap_or_default();
        let length = left.len().min(room.len());
        for (to, from) in room.iter_mut().zip(left) {
            *to = *from;
        }
        self.sent += length;
        Ok(length)
    }

    /// Rewinds the post: if a kept connection turns out to be dead, libcurl starts
    /// again on another one.
    fn seek(&mut self, to: SeekFrom) -> SeekResult {
        match to {
            SeekFrom::Start(at) => {
                self.sent = usize::try_from(at).unwrap_or(usize::MAX);
                SeekResult::Ok
            }
            _ => SeekResult::CantSeek,
        }
    }

    fn header(&mut self, line: &[u8]) -> bool {
        // There may be several status lines, 100 before 200: the last one counts.
        if line.starts_with(b"HTTP/") {
            self.headers = Headers::default();
            self.answered |= !is_interim(line);
        }
        let line = std::str::from_utf8(line).unwrap_or_default();
        if let Some((name, value)) = line.split_once(':') {
            let value = value.trim();
            if let Some(place) = self
                .headers
                .place(name)
                .filter(|_| value.len() <= MAX_HEADER_BYTES)
            {
                *place = Some(value.to_owned());
            }
        }
        true
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        if self.limits.max_bytes - self.body.len() < data.len() {
            self.too_large = true;
            return Ok(0);
        }
        self.body.extend_from_slice(data);
        Ok(data.len())
    }
}

impl Headers {
    /// Returns where the header of this name is stored, if it is used.
    fn place(&mut self, name: &str) -> Option<&mut Option<String>> {
        let places = [
            ("content-type", &mut self.content_type),
            ("cache-control", &mut self.cache_control),
            ("etag", &mut self.etag),
            ("last-modified", &mut self.last_modified),
        ];
        let mut places = places.into_iter();
        places
            .find(|(known, _)| name.eq_ignore_ascii_case(known))
            .map(|(_, place)| place)
    }
}

impl Exchange {
    /// Prepares an exchange.
    ///
    /// # Errors
    ///
    /// Fails if libcurl refuses an option.
    pub(super) fn prepare(request: Request) -> Result<Easy2<Self>, RequestError> {
        Self::prepared(request).map_err(|error| RequestError::Transfer(text_of(&error)))
    }

    fn prepared(request: Request) -> Result<Easy2<Self>, Error> {
        let Request {
            url,
            post,
            headers,
            limits,
            origin,
            sending,
        } = request;
        let posts = post.is_some();
        let mut easy = Easy2::new(Self {
            limits,
            post: post.unwrap_or_default(),
            sending,
            sent: 0,
            answered: false,
            headers: Headers::default(),
            body: Vec::new(),
            too_large: false,
        });
        if !only_http(&mut easy) {
            return Err(Error::new(curl_sys::CURLE_UNSUPPORTED_PROTOCOL));
        }
        easy.url(url.as_str())?;
        match origin {
            // Proxies in the environment of Asterisk are not meant for services.
            UrlOrigin::Service => {
                easy.proxy("")?;
                easy.follow_location(false)?;
            }
            UrlOrigin::Dialplan => {
                easy.follow_location(true)?;
                easy.max_redirections(MAX_REDIRECTS)?;
            }
        }
        easy.netrc(NetRc::Ignored)?;
        easy.ssl_verify_peer(true)?;
        easy.ssl_verify_host(true)?;
        easy.http_version(HttpVersion::V11)?;
        easy.useragent(concat!("app_authenticate_rs/", env!("CARGO_PKG_VERSION")))?;
        easy.connect_timeout(limits.connect)?;
        easy.timeout(limits.whole)?;
        easy.max_filesize(limits.max_bytes.try_into().unwrap_or(u64::MAX))?;
        let mut lines = List::new();
        if posts {
            easy.post(true)?;
            let length = easy.get_ref().post.len();
            easy.post_field_size(length.try_into().unwrap_or(u64::MAX))?;
            lines.append("Content-Type: application/json")?;
            lines.append("Accept: application/json")?;
            // Without waiting for permission to send such a small body.
            lines.append("Expect:")?;
        }
        for line in &headers {
            lines.append(line)?;
        }
        easy.http_headers(lines)?;
        Ok(easy)
    }

    /// Returns whether the service may have received part of the post.
    pub(super) fn is_sent(&self) -> bool {
        self.sent > 0
    }

    /// Returns the result; `connected` tells whether there was a connection.
    pub(super) fn reply(&mut self, result: Result<(), Error>, code: u32, connected: bool) -> Reply {
        let limits = self.limits;
        let error = match result {
            Ok(()) => {
                return Ok(Response {
                    code,
                    body: std::mem::take(&mut self.body),
                    headers: std::mem::take(&mut self.headers),
                })
            }
            Err(_) if self.too_large => RequestError::TooLarge(limits.max_bytes),
            Err(error) if error.is_filesize_exceeded() => RequestError::TooLarge(limits.max_bytes),
            Err(error) if error.is_operation_timedout() => match connected {
                true => RequestError::Timeout(limits.whole),
                false => RequestError::ConnectTimeout(limits.connect.min(limits.whole)),
            },
            Err(error) => RequestError::Transfer(text_of(&error)),
        };
        let answered = self.answered;
        Err(RequestFailure { error, answered })
    }
}

/// Returns whether a status line announces that the answer is still to come.
fn is_interim(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    words.nth(1).is_some_and(|code| code.starts_with(b"1"))
}

/// Returns the error text of libcurl, on one line.
fn text_of(error: &Error) -> String {
    let text = error.extra_description().unwrap_or(error.description());
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}
