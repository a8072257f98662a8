//! The kernel's table of TCP connections, `/proc/self/net/tcp` and `tcp6`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// States of a connection that is not closed from here: `ESTABLISHED`, and `CLOSE_WAIT`
/// if the peer has closed its half.
const OPEN: [&str; 2] = ["01", "08"];

/// Returns whether a table has an open connection with this peer.
pub fn has_peer(table: &str, peer: SocketAddr) -> bool {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    table.lines().any(|line| {
        let mut cells = line.split_ascii_whitespace().skip(2);
        let address = cells.next().and_then(address);
        address == Some(peer) && cells.next().is_some_and(|state| OPEN.contains(&state))
    })
}

/// Parses `0100007F:13AE`: words of four bytes, each in the order of the machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut bytes = [0; 16];
            bytes.copy_from_slice(words.as_flattened());
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a little-endian machine, as the others are in CI.
    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:13AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:13AE 0100007F:A112 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0100007F:13AE 0100007F:A113 08 00000000:00000000 00:00000000 00000000     0        0 3 1
   3: 0100007F:13AE 0100007F:A114 06 00000000:00000000 00:00000000 00000000     0        0 0 3
   4: 0000000000000000FFFF00000100007F:13AE 0000000000000000FFFF00000100007F:A115 01 00000000
   5: 00000000000000000000000001000000:13AE 00000000000000000000000001000000:A116 01 00000000
";

    #[cfg(target_endian = "little")]
    #[test]
    fn only_open_connections_have_a_peer() {
        for (peer, open) in [
            ("127.0.0.1:41234", true),
            ("127.0.0.1:41235", true),
            ("127.0.0.1:41236", false),
            ("127.0.0.1:41237", true),
            ("[::ffff:127.0.0.1]:41237", true),
            ("[::1]:41238", true),
            ("127.0.0.1:41238", false),
            ("127.0.0.2:41234", false),
            ("127.0.0.1:5038", false),
            ("0.0.0.0:0", false),
        ] {
            let peer = peer.parse().unwrap();
            assert_eq!(has_peer(TABLE, peer), open, "{peer}");
        }
    }

    #[test]
    fn own_connection_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let peer = accepted.peer_addr().unwrap();
        let table = || std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        assert!(has_peer(&table(), peer));
        drop((client, accepted));
        assert!(!has_peer(&table(), peer));
    }
}
