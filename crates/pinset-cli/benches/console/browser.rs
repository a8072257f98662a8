//! Requests with the cookie of a session.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{Server, PASSWORD};
use crate::{must, POLL};

/// A browser that is logged in.
pub(crate) struct Browser<'a> {
    server: &'a Server,
    cookie: String,
}

/// An answer, and its durations.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: String,
    pub(crate) text: String,
    pub(crate) first: Duration,
    pub(crate) whole: Duration,
    /// Number of bytes of headers and body.
    pub(crate) bytes: u64,
}

/// Returns a value as URLs have it.
pub(crate) fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

impl<'a> Browser<'a> {
    pub(crate) fn logged_in(server: &'a Server) -> Self {
        let mut browser = Self {
            server,
            cookie: String::new(),
        };
        let fields = [("name", "ada"), ("password", PASSWORD)];
        let answer = browser.post(
            "/login",
            &fields.map(|(name, value)| (name.into(), value.into())),
        );
        let cookie = answer.header("set-cookie").unwrap_or_default();
        browser.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        assert!(!browser.cookie.is_empty(), "{}", answer.headers);
        browser
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.read(self.open("GET", path, ""), true)
    }

    /// Sends a request, and counts the bytes of the answer.
    pub(crate) fn download(&self, path: &str) -> Answer {
        self.read(self.open("GET", path, ""), false)
    }

    pub(crate) fn post(&self, path: &str, fields: &[(String, String)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.read(self.open("POST", path, &form.finish()), true)
    }

    /// Returns a page once it is no longer one that is loaded again by itself.
    pub(crate) fn settled(&self, path: &str) -> Answer {
        loop {
            let page = self.get(path);
            assert_eq!(page.status, 200, "{path}: {}", page.text);
            if !page.is_progress() {
                return page;
            }
            thread::sleep(POLL);
        }
    }

    /// Returns the page to which an answer leads, once that is settled.
    pub(crate) fn finished(&self, answer: Answer) -> Answer {
        match answer.header("location") {
            Some(path) => self.settled(path),
            None => answer,
        }
    }

    /// Sends a request. The second value is the time of its beginning.
    pub(crate) fn open(&self, method: &str, path: &str, body: &str) -> (TcpStream, Instant) {
        let started = Instant::now();
        let mut stream = must(TcpStream::connect(&self.server.address));
        must(write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\n\
             Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.server.address,
            self.cookie,
            body.len()
        ));
        (stream, started)
    }

    fn read(&self, (stream, started): (TcpStream, Instant), keep: bool) -> Answer {
        let mut stream = BufReader::with_capacity(64 << 10, stream);
        let mut headers = String::new();
        while !headers.ends_with("\r\n\r\n") {
            assert_ne!(must(stream.read_line(&mut headers)), 0, "{headers}");
        }
        must(stream.fill_buf());
        let first = started.elapsed();
        let (mut body, mut bytes) = (Vec::new(), headers.len());
        if keep {
            bytes += must(stream.read_to_end(&mut body));
        } else {
            let mut buffer = vec![0; 64 << 10];
            loop {
                match must(stream.read(&mut buffer)) {
                    0 => break,
                    read => bytes += read,
                }
            }
        }
        let status = headers.split(' ').nth(1).unwrap_or_default();
        Answer {
            status: must(status.parse()),
            text: String::from_utf8_lossy(&body).into_owned(),
            headers,
            first,
            whole: started.elapsed(),
            bytes: bytes as u64,
        }
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns whether the page is loaded again by itself.
    pub(crate) fn is_progress(&self) -> bool {
        self.header("refresh").is_some()
    }

    /// Returns the text between these attributes and the next quote.
    pub(crate) fn attribute(&self, before: &str) -> String {
        let value = self.text.split(before).nth(1).unwrap_or_default();
        let value = value.split('"').next().unwrap_or_default();
        assert!(!value.is_empty(), "{before}: {}", self.text);
        value.replace("&amp;", "&")
    }

    /// Returns the fields of a form with text and hidden fields, with these values.
    pub(crate) fn fields(&self, given: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut fields: Vec<_> = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        // The form to log out is before it.
        let form = self
            .text
            .split("<form class=\"fields\"")
            .nth(1)
            .unwrap_or_default();
        for input in form.split(" name=\"").skip(1) {
            let tag = input.split('>').next().unwrap_or_default();
            let name = tag.split('"').next().unwrap_or_default();
            let value = tag.split(" value=\"").nth(1).unwrap_or_default();
            let value = value.split('"').next().unwrap_or_default();
            if fields.iter().all(|(other, _)| other != name) {
                fields.push((name.to_owned(), value.to_owned()));
            }
        }
        fields
    }
}
