//! Restrictions on credentials over plain HTTP.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Whether credentials may come over plain HTTP, by the address of the socket and the
/// configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PlainHttp {
    /// The service has TLS, only this machine can connect, or the administrator allows
    /// it.
    Allowed,
    /// A proxy has TLS: credentials are accepted from the proxies and from this
    /// machine.
    FromProxies,
    /// Credentials would be readable on the network.
    Refused,
}

/// Returns whether only this machine can connect to an address.
pub(crate) fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

impl PlainHttp {
    pub(crate) fn of(
        address: SocketAddr,
        has_tls: bool,
        is_allowed: bool,
        proxies: &[IpNet],
    ) -> Self {
        match has_tls || is_allowed || is_local(address) {
            true => Self::Allowed,
            false if proxies.is_empty() => Self::Refused,
            false => Self::FromProxies,
        }
    }

    /// Returns whether credentials may come from this peer.
    pub(crate) fn admits(self, peer: IpAddr, proxies: &[IpNet]) -> bool {
        let peer = peer.to_canonical();
        match self {
            Self::Allowed => true,
            Self::FromProxies => {
                peer.is_loopback() || proxies.iter().any(|net| net.contains(&peer))
            }
            Self::Refused => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_over_plain_http_are_accepted_from_proxies_only() {
        let proxies: [IpNet; 1] = ["10.0.0.0/8".parse().expect("a network")];
        let public = "0.0.0.0:80".parse().expect("an address");
        let plain = PlainHttp::of(public, false, false, &proxies);
        assert_eq!(plain, PlainHttp::FromProxies);
        for (peer, admitted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
        ] {
            let peer = peer.parse().expect("an address");
            assert_eq!(plain.admits(peer, &proxies), admitted, "{peer}");
            assert!(PlainHttp::Allowed.admits(peer, &[]));
        }
        let refused = PlainHttp::of(public, false, false, &[]);
        assert_eq!(refused, PlainHttp::Refused);
        let tls = PlainHttp::of(public, true, false, &[]);
        assert_eq!(tls, PlainHttp::Allowed);
    }
}
