//! Which IP addresses are globally routable: our own table from the IANA special-purpose address registries (IPv4 and IPv6),
//! with every embedded IPv4 form unwrapped. The standard library's stable `is_*` tests let most of these through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of IPv4 addresses that no page is fetched from, and what it is.
struct Block4(u32, u32, &'static str);

/// A block of IPv6 addresses that no page is fetched from, and what it is.
struct Block6(u128, u32, &'static str);

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

const REFUSED_4: &[Block4] = &[
    Block4(v4(0, 0, 0, 0), 8, "this network (RFC 791)"),
    Block4(v4(10, 0, 0, 0), 8, "private use (RFC 1918)"),
    Block4(v4(100, 64, 0, 0), 10, "shared address space (RFC 6598)"),
    Block4(v4(127, 0, 0, 0), 8, "loopback (RFC 1122)"),
    Block4(v4(168, 63, 129, 16), 32, "cloud platform service"),
    Block4(v4(169, 254, 0, 0), 16, "link local (RFC 3927)"),
    Block4(v4(172, 16, 0, 0), 12, "private use (RFC 1918)"),
    Block4(v4(192, 0, 0, 0), 24, "protocol assignments (RFC 6890)"),
    Block4(v4(192, 0, 2, 0), 24, "documentation (RFC 5737)"),
    Block4(v4(192, 31, 196, 0), 24, "AS112 (RFC 7535)"),
    Block4(v4(192, 52, 193, 0), 24, "AMT (RFC 7450)"),
    Block4(v4(192, 88, 99, 0), 24, "6to4 relay (RFC 7526)"),
    Block4(v4(192, 168, 0, 0), 16, "private use (RFC 1918)"),
    Block4(v4(192, 175, 48, 0), 24, "AS112 (RFC 7534)"),
    Block4(v4(198, 18, 0, 0), 15, "benchmarking (RFC 2544)"),
    Block4(v4(198, 51, 100, 0), 24, "documentation (RFC 5737)"),
    Block4(v4(203, 0, 113, 0), 24, "documentation (RFC 5737)"),
    Block4(v4(224, 0, 0, 0), 4, "multicast (RFC 5771)"),
    Block4(v4(240, 0, 0, 0), 4, "reserved or broadcast (RFC 1112)"),
];

/// Inside of 2000::/3, the only block of which global unicast addresses are assigned; all outside is refused as a whole.
const REFUSED_6: &[Block6] = &[
    Block6(0x2001_0000 << 96, 32, "Teredo (RFC 4380)"),
    Block6(0x2001_0000 << 96, 23, "protocol assignments (RFC 2928)"),
    Block6(0x2001_0db8 << 96, 32, "documentation (RFC 3849)"),
    Block6(0x2002_0000 << 96, 16, "6to4 (RFC 3056)"),
    Block6(0x2620_004f_8000 << 80, 48, "AS112 (RFC 7534)"),
    Block6(0x3ffe_0000 << 96, 16, "6bone, returned (RFC 3701)"),
    Block6(0x3fff_0000 << 96, 20, "documentation (RFC 9637)"),
];

fn refused_4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    REFUSED_4.iter().find(|Block4(start, length, _)| (bits ^ start) >> (32 - length) == 0).map(|block| block.2)
}

fn refused_6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let low = Ipv4Addr::from_bits((bits & 0xffff_ffff) as u32);
    // Mapped addresses and the well-known NAT64 prefix lead to the IPv4 address inside, which decides.
    if address.to_ipv4_mapped().is_some() || bits >> 32 == 0x0064_ff9b_u128 << 64 {
        return refused_4(low);
    }
    match bits >> 125 {
        1 => {}
        _ if bits >> 32 == 0 => return Some("unspecified, loopback or IPv4-compatible (RFC 4291)"),
        _ if bits >> 118 == 0x3fa => return Some("link local (RFC 4291)"),
        _ if bits >> 118 == 0x3fb => return Some("site local (RFC 3879)"),
        _ if bits >> 121 == 0x7e => return Some("unique local (RFC 4193)"),
        _ if bits >> 120 == 0xff => return Some("multicast (RFC 4291)"),
        _ => return Some("not global unicast (RFC 4291)"),
    }
    if let Some(block) = REFUSED_6.iter().find(|Block6(start, length, _)| (bits ^ start) >> (128 - length) == 0) {
        return Some(block.2);
    }
    // ISATAP (RFC 5214) hides an IPv4 address behind any prefix.
    let interface = (bits >> 32) as u32;
    if matches!(interface, 0x0000_5efe | 0x0200_5efe) { refused_4(low) } else { None }
}

/// Why no request may go to an address; `None` if it is globally routable.
pub fn refused(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => refused_4(address),
        IpAddr::V6(address) => refused_6(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn special_purpose_addresses_are_refused_to_their_last() {
        for text in [
            // IPv4: first, last and a middle one of each block.
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.9",
            "192.0.0.170",
            "192.0.0.255",
            "192.0.2.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "192.175.48.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            // IPv6.
            "::",
            "::1",
            "::2",
            "::7f00:1",
            "::127.0.0.1",
            "::ffff:0:0",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:a9fe:a9fe",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "64:ff9b:1::8.8.8.8",
            "100::",
            "100::1",
            "100:0:0:1::1",
            "200::1",
            "400::1",
            "1000::1",
            "4000::1",
            "5f00::1",
            "2001::",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:f5ff:fffe",
            "2001:1::1",
            "2001:2::1",
            "2001:3::1",
            "2001:4:112::1",
            "2001:10::1",
            "2001:20::1",
            "2001:30::1",
            "2001:1ff:ffff::1",
            "2001:db8::",
            "2001:db8:ffff::1",
            "2002::",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2620:4f:8000::1",
            "3ffe::1",
            "3fff::1",
            "3fff:fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff:ffff::1",
            "fe80::1",
            "fe80::a9fe:a9fe",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff00::1",
            "ff02::1",
            "ff0e::1",
            "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:127.0.0.1",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert!(refused(address).is_some(), "{text} is let through");
        }
    }

    #[test]
    fn public_addresses_are_let_through_to_the_edge_of_each_block() {
        for text in [
            "1.0.0.0",
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.112.255",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "2003::1",
            "2400:cb00::1",
            "2620:4f:8001::1",
            "3fff:1000::1",
            "3000::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2606:4700::5efe:8.8.8.8",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(refused(address), None, "{text} is refused");
        }
    }

    proptest! {
        /// Whatever the standard library knows not to be public is refused here too, in every embedded form.
        #[test]
        fn never_weaker_than_the_standard_library(bits: u32) {
            let inner = Ipv4Addr::from_bits(bits);
            let private = inner.is_private() || inner.is_loopback() || inner.is_link_local() || inner.is_broadcast()
                || inner.is_documentation() || inner.is_unspecified() || inner.is_multicast();
            prop_assert!(!private || refused(inner.into()).is_some());
            let expected = refused(inner.into()).is_some();
            prop_assert_eq!(refused(inner.to_ipv6_mapped().into()).is_some(), expected);
            let nat64 = Ipv6Addr::from_bits(0x0064_ff9b_u128 << 96 | u128::from(bits));
            prop_assert_eq!(refused(nat64.into()).is_some(), expected);
            prop_assert!(refused(inner.to_ipv6_compatible().into()).is_some());
        }

        #[test]
        fn only_global_unicast_is_let_through(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            let inside = address.segments()[0] & 0xe000 == 0x2000 || address.to_ipv4_mapped().is_some() || bits >> 32 == 0x0064_ff9b_u128 << 64;
            prop_assert!(inside || refused(address.into()).is_some());
        }
    }
}
