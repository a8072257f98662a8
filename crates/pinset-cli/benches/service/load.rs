//! Requests of PBXs over persistent connections at a given rate. Each answer is read
//! completely and compared.

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

/// The expected answers.
pub(crate) struct Answers {
    /// To the first request of a call.
    pub gather: Value,
    /// To the right PIN.
    pub success: Value,
}

/// Sends requests at this rate a second for a time, over several connections. Returns the
/// time that 99 of 100 answers take at most, from when the request is due. Panics at a
/// wrong answer.
pub(crate) fn paced(
    service: SocketAddr,
    connections: u32,
    rate: f64,
    time: Duration,
    answers: &Answers,
) -> Duration {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let pause = Duration::from_secs_f64(f64::from(connections) / rate);
    let began = Instant::now();
    let mut times = Vec::new();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|at| {
                scope.spawn(move || {
                    let mut client = Client::new(service);
                    let mut times = Vec::new();
                    let mut due = began + pause * at / connections;
                    while due < began + time {
                        let call = CALLS.fetch_add(1, Relaxed);
                        let (number, pin) = caller(call);
                        let pin = format!("\"pin_code\":\"{pin}\"");
                        for (data, right) in [("", &answers.gather), (&pin, &answers.success)] {
                            let request = post(&number, call, data);
                            thread::sleep(due.saturating_duration_since(Instant::now()));
                            client.ask(&request, right);
                            times.push(due.elapsed());
                            due += pause;
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
    times.sort_unstable();
    let at = times.len().saturating_sub(1) * 99 / 100;
    times.get(at).copied().unwrap_or_default()
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

    /// Sends a request, and reads the answer.
    fn ask(&mut self, request: &str, right: &Value) {
        let mut connection = self.connection.take().unwrap_or_else(|| {
            let connection = must(TcpStream::connect(self.service));
            must(connection.set_nodelay(true));
            BufReader::new(connection)
        });
        must(connection.get_mut().write_all(request.as_bytes()));
        let (body, kept) = must(answer(&mut connection));
        self.connection = kept.then_some(connection);
        if !self.right.contains(&body) {
            let value: Value = must(serde_json::from_slice(&body));
            assert_eq!(&value, right);
            self.right.push(body);
        }
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
