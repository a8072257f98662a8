//! Load generator: requests of a PBX over persistent connections, as fast as the service
//! answers. Each answer is read completely and compared.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::must;

/// Number of callers.
pub(crate) const CALLERS: u64 = 10_000;

/// Returns the national number and the PIN of a caller.
pub(crate) fn caller(number: u64) -> (String, String) {
    let number = number % CALLERS;
    (
        format!("50605{number:05}"),
        format!("{:04}", number * 7 % 10_000),
    )
}

/// The result of a round.
pub(crate) struct Round {
    /// Requests per second.
    pub rate: f64,
    /// The durations in microseconds, sorted.
    times: Vec<u32>,
}

impl Round {
    /// Returns the number of requests.
    pub(crate) fn requests(&self) -> u64 {
        self.times.len() as u64
    }

    /// Returns the duration that this many of a thousand requests did not exceed.
    pub(crate) fn within(&self, share: usize) -> Duration {
        let at = self.times.len().saturating_sub(1) * share / 1000;
        Duration::from_micros(self.times.get(at).copied().unwrap_or_default().into())
    }
}

/// The expected answers.
pub(crate) struct Answers {
    /// To the first request of a call.
    pub gather: Value,
    /// To the right PIN.
    pub success: Value,
}

/// Sends requests for a time over several connections. Panics at a wrong answer.
pub(crate) fn round(
    service: SocketAddr,
    connections: u64,
    time: Duration,
    answers: &Answers,
) -> Round {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let began = Instant::now();
    let mut times = Vec::new();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::new(service);
                    let mut times = Vec::new();
                    while began.elapsed() < time {
                        let call = CALLS.fetch_add(1, Relaxed);
                        let (number, pin) = caller(call);
                        let pin = format!("\"pin_code\":\"{pin}\"");
                        for (data, right) in [("", &answers.gather), (&pin, &answers.success)] {
                            times.push(client.ask(&post(&number, call, data), right));
                        }
                    }
                    times
                })
            })
            .collect();
        for client in clients {
            times.extend(must(client.join()));
        }
    });
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    times.sort_unstable();
    Round { rate, times }
}

/// Returns a request of call number `call`, with the entered digits.
fn post(number: &str, call: u64, data: &str) -> String {
    let body = format!(
        "{{\"caller\":\"+90{number}\",\"callee\":\"908508851980\",\"direction\":\"inbound\",\
         \"uuid\":\"00000000-0000-4000-8000-{call:012x}\",\"timestamp\":1729721495,\
         \"external_manager_id\":2,\"data\":{{{data}}},\"callflow\":[{{\"timestamp\":1729721495,\
         \"action\":\"init\",\"detail\":{{\"id\":2,\"type\":\"external_manager\"}}}}]}}"
    );
    format!(
        "POST /api/external/hipcall-ingress HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A connection, which is reopened if the service closes it.
struct Client {
    service: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    /// Answers that were compared already.
    right: Vec<Vec<u8>>,
}

impl Client {
    fn new(service: SocketAddr) -> Self {
        Self {
            service,
            connection: None,
            right: Vec::new(),
        }
    }

    /// Sends a request and returns its duration in microseconds.
    fn ask(&mut self, request: &str, right: &Value) -> u32 {
        let began = Instant::now();
        let mut connection = self.connection.take().unwrap_or_else(|| {
            let connection = must(TcpStream::connect(self.service));
            must(connection.set_nodelay(true));
            BufReader::new(connection)
        });
        must(connection.get_mut().write_all(request.as_bytes()));
        let (body, kept) = must(answer(&mut connection));
        let time = began.elapsed().as_micros();
        self.connection = kept.then_some(connection);
        if !self.right.contains(&body) {
            let value: Value = must(serde_json::from_slice(&body));
            assert_eq!(&value, right);
            self.right.push(body);
        }
        u32::try_from(time).unwrap_or(u32::MAX)
    }
}

/// Reads an answer. Returns its body, and whether the connection is kept.
fn answer(connection: &mut impl BufRead) -> Result<(Vec<u8>, bool), String> {
    let (mut line, mut length, mut kept) = (String::new(), 0, true);
    let mut first = true;
    loop {
        line.clear();
        let read = connection.read_line(&mut line);
        if read.map_err(|error| error.to_string())? == 0 {
            return Err("no answer".to_owned());
        }
        let text = line.trim_end().to_ascii_lowercase();
        if first && text.split(' ').nth(1) != Some("200") {
            return Err(text);
        }
        first = false;
        if let Some(value) = text.strip_prefix("content-length: ") {
            length = value.parse().map_err(|_| text.clone())?;
        }
        kept &= text != "connection: close";
        if text.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    let read = connection.read_exact(&mut body);
    read.map_err(|error| error.to_string())?;
    Ok((body, kept))
}
