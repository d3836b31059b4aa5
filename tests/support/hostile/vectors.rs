//! URLs that lead inwards, by family, each with why it must be refused: spellings of addresses, names that resolve inwards, tricks
//! with the parts of a URL, other schemes, other ports. Each names the port of a canary, so that the port is not what saves anybody.

use async_trait::async_trait;
use inkdex::scrape::guard::NameLookup;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Why a URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The address is not globally routable.
    Address,
    /// The name leads inwards whatever it resolves to.
    Name,
    /// The name resolves to such an address.
    Resolves,
    /// Neither http nor https.
    Scheme,
    /// A user name or password.
    Userinfo,
    /// A port that is not fetched.
    Port,
    /// Characters that two parsers read in two ways.
    Form,
    /// No URL at all.
    NoUrl,
    /// An entry reads it as a place on the site itself, or does not take it for a link.
    LeftAlone,
}

impl Reason {
    /// The reason that a refusal of the product names.
    pub fn told(text: &str) -> Option<Self> {
        [
            ("resolves to", Self::Resolves),
            ("is not globally routable", Self::Address),
            ("names a host", Self::Name),
            ("names no host", Self::NoUrl),
            ("is neither http nor https", Self::Scheme),
            ("carries a user name", Self::Userinfo),
            ("asks for port", Self::Port),
            ("holds a backslash or a control character", Self::Form),
            ("is no URL", Self::NoUrl),
        ]
        .iter()
        .find(|(phrase, _)| text.contains(phrase))
        .map(|(_, reason)| *reason)
    }
}

/// One URL that must not be fetched.
#[derive(Debug, Clone)]
pub struct Vector {
    pub text: String,
    /// Why it is refused by whoever reads it as it is; entries that resolve it against a page may name another of these.
    pub reasons: &'static [Reason],
    /// Whether a client without a guard reaches a canary by it.
    pub reaches: bool,
}

/// Where canaries listen, beside the same port of `::1`.
pub const CANARIES: [Ipv4Addr; 3] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 8, 9, 10), Ipv4Addr::new(127, 255, 255, 254)];

/// Forbidden IPv4 addresses, one a block, and of some their edges.
const TARGETS: [&str; 17] = [
    "127.0.0.1",
    "127.8.9.10",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
];

/// What of a spelling a client without a guard connects to: the IPv4 address, or something else.
const MAPPED_FROM: usize = 11;

/// One IPv4 address in all the ways a URL can spell it; from [`MAPPED_FROM`] on inside of IPv6, the mapped ones first.
pub fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let number = address.to_bits();
    let (high, low24, low16) = (number >> 16, number & 0x00ff_ffff, number & 0xffff);
    let wide: String = address.to_string().chars().map(|ch| char::from_u32(ch as u32 + 0xfee0).unwrap_or(ch)).collect();
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{number}"),
        format!("0{number:o}"),
        format!("0x{number:x}"),
        format!("0x{a:x}.0{b:o}.{c}.0x{d:X}"),
        format!("{a}.{low24}"),
        format!("{a}.{b}.{low16}"),
        format!("{a}.{b}.{c}.{d}."),
        wide.replace('\u{ff0e}', "."),
        format!("{a}\u{3002}{b}\u{3002}{c}\u{3002}{d}"),
        address.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect(),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[0:0:0:0:0:FFFF:{high:x}:{low16:x}]"),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b:1::{a}.{b}.{c}.{d}]"),
        format!("[2002:{high:x}:{low16:x}::1]"),
        format!("[2001:0:5ef5:79fd:0:0:{:x}:{:x}]", !number >> 16, !number & 0xffff),
        format!("[2606:4700::5efe:{high:x}:{low16:x}]"),
    ]
}

/// Forbidden IPv6 addresses: one a block of the registries and more, without those that only embed an IPv4 address.
const ADDRESSES_6: [&str; 34] = [
    "::1",
    "::",
    "0000:0000:0000:0000:0000:0000:0000:0001",
    "::2",
    "::ffff:0:127.0.0.1",
    "100::1",
    "100:0:0:1::1",
    "200::1",
    "400::1",
    "1000::1",
    "4000::1",
    "2001::1",
    "2001:1::1",
    "2001:1::3",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2620:4f:8000::1",
    "3ffe::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
];

/// Names that lead inwards whatever they resolve to.
const NAMES: [&str; 34] = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhoſt",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "ｌｏｃａｌｈｏｓｔ",
    "local\u{ad}host",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "sub.localhost",
    "a.b.localhost.",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "printer",
    "metadata",
    "instance-data",
    "kubernetes",
    "kubernetes.default.svc.cluster.local",
    "printer.local",
    "metadata.google.internal",
    "METADATA.GOOGLE.INTERNAL.",
    "metadata。google。internal",
    "instance-data.ec2.internal",
    "db.internal",
    "host.docker.internal",
    "nas.lan",
    "wiki.intranet",
    "mail.corp",
    "server.home",
    "vault.private",
    "router.home.arpa",
    "hidden.onion",
    "name.alt",
    "a..b.test",
];

/// Schemes that are not the web, in front of the canary.
const SCHEMES: [&str; 22] = [
    "file", "ftp", "sftp", "ftps", "gopher", "dict", "ldap", "ldaps", "tftp", "telnet", "ssh", "smb", "nfs", "ws", "wss", "jar", "netdoc",
    "rtsp", "redis", "chrome", "php", "unix",
];

/// Ports that are fetched nowhere.
const PORTS: [u16; 10] = [0, 21, 22, 25, 3306, 5432, 6379, 8080, 9200, 65535];

/// Answers of names that resolve inwards, the inward one not always first.
const ANSWERS: [&[&str]; 6] =
    [&["127.0.0.1"], &["93.184.216.34", "127.0.0.1"], &["::1"], &["2606:4700::1", "::1"], &["::ffff:127.0.0.1"], &["0.0.0.0"]];

/// Resolves the names of [`all`] as they are meant; no other name.
#[derive(Debug, Default)]
pub struct Inward(BTreeMap<String, Vec<IpAddr>>);

#[async_trait]
impl NameLookup for Inward {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        self.0.get(host).cloned().ok_or_else(|| "no such name".to_owned())
    }
}

#[derive(Default)]
struct Builder {
    vectors: Vec<Vector>,
    names: Inward,
}

impl Builder {
    fn add(&mut self, text: String, reasons: &'static [Reason], reaches: bool) {
        self.vectors.push(Vector { text, reasons, reaches });
    }

    fn resolving(&mut self, answer: &[IpAddr], port: u16) {
        let host = format!("name{}.test", self.names.0.len());
        // Whoever takes any of the answers meets the canary only where all of them lead there.
        let reaches = answer.iter().all(|address| is_canary(*address));
        self.add(format!("http://{host}:{port}/"), &[Reason::Resolves], reaches);
        self.names.0.insert(host, answer.to_vec());
    }
}

fn is_canary(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_unspecified() || CANARIES.contains(&address),
        // What `::` leads to is one of both families.
        IpAddr::V6(address) => address.is_loopback() || address.is_unspecified(),
    }
}

/// All vectors, at the port of the canaries, and the resolver that knows their names.
pub fn all(port: u16) -> (Vec<Vector>, Inward) {
    use Reason::{Address, Form, LeftAlone, Name, NoUrl, Port, Scheme, Userinfo};
    let mut of = Builder::default();
    for target in TARGETS {
        let address: Ipv4Addr = target.parse().expect("a target is an address");
        for (at, spelling) in spellings(address).into_iter().enumerate() {
            // A machine without a route to NAT64 and the like has none to these, and their prefixes are not ours to knock at.
            let reaches = is_canary(address.into()) && at < MAPPED_FROM + 2;
            of.add(format!("http://{spelling}:{port}/latest/meta-data/"), &[Address], reaches);
        }
        of.resolving(&[address.into()], port);
    }
    for text in ADDRESSES_6 {
        let address: IpAddr = text.parse().expect("an address");
        of.add(format!("https://[{text}]:{port}/"), &[Address], is_canary(address));
        of.resolving(&[address], port);
    }
    for answer in ANSWERS {
        let answer: Vec<IpAddr> = answer.iter().map(|text| text.parse().expect("an address")).collect();
        of.resolving(&answer, port);
    }
    for name in NAMES {
        of.add(format!("http://{name}:{port}/"), &[Name, NoUrl], false);
    }
    for scheme in SCHEMES {
        // A file has no port, so that this one is no URL.
        of.add(format!("{scheme}://127.0.0.1:{port}/"), &[Scheme, LeftAlone, NoUrl], false);
    }
    for text in ["file:///etc/passwd", "data:text/html,<p>x", "javascript:alert(1)", "about:blank", "mailto:ada@127.0.0.1", "blob:null/1"] {
        of.add(text.to_owned(), &[Scheme, LeftAlone, NoUrl, Name, Userinfo], false);
    }
    of.add(format!("view-source:http://127.0.0.1:{port}/"), &[Scheme, LeftAlone, NoUrl], false);
    for number in PORTS {
        of.add(format!("http://studio.test:{number}/"), &[Port], false);
    }
    for user in ["ada@", "ada:pw@", ":pw@", "studio.test@", "studio.test%2f@", "a@studio.test@", "studio.test%00@"] {
        of.add(format!("http://{user}127.0.0.1:{port}/"), &[Userinfo], true);
        of.add(format!("http://{user}[::1]:{port}/"), &[Userinfo], true);
    }
    // Behind these a browser and a naive parser see different hosts; each of them is inward to whoever reads on.
    for text in [
        format!("http://127.0.0.1:{port}\\@studio.test/"),
        format!("http://127.0.0.1:{port}\\.studio.test/"),
        format!("http:\\\\127.0.0.1:{port}/"),
        format!("http:/\\127.0.0.1:{port}/"),
        format!("ht\ttp://127.0.0.1:{port}/"),
        format!("http://127.0.\t0.1:{port}/"),
        format!("http://127.0.0.1\t:{port}/"),
        format!("http:/\t/127.0.0.1:{port}/"),
    ] {
        of.add(text, &[Form, Address], false);
    }
    for text in [
        format!("http://127.0.0.1:{port}#@studio.test/"),
        format!("http://127.0.0.1:{port}?@studio.test/"),
        format!("http://127.0.0.1:{port};@studio.test/"),
        format!("http:127.0.0.1:{port}/"),
        format!("http:/127.0.0.1:{port}/"),
        format!("http:////127.0.0.1:{port}/"),
        format!("HTTP://127.0.0.1:{port}/"),
        format!("//127.0.0.1:{port}/"),
        format!("//[::1]:{port}/"),
        format!("http://127.0.0.\u{ad}1:{port}/"),
        format!("http://127\u{ff0e}0\u{ff0e}0\u{ff0e}1:{port}/"),
        format!("http://127\u{ff61}0\u{ff61}0\u{ff61}1:{port}/"),
        format!("http://①②⑦.⓪.⓪.①:{port}/"),
        format!("http://𝟙𝟚𝟟.𝟘.𝟘.𝟙:{port}/"),
        format!("http://127.0.0.1.:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://0:{port}/"),
        format!("http://0x0:{port}/"),
        format!("http://00000177.0.0.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[0:0::0:1]:{port}/"),
    ] {
        of.add(text, &[Address, NoUrl, Userinfo, Name, Scheme, Port, LeftAlone], false);
    }
    for text in [
        format!("http://[::1%25lo]:{port}/"),
        format!("http://[::1%lo]:{port}/"),
        format!("http://127.0.0.1.256:{port}/"),
        format!("http://256.0.0.1:{port}/"),
        format!("http://127.0.0.0x:{port}x/"),
        format!("http://[::1:{port}/"),
        format!("http://::1:{port}/"),
        format!("http://127.0.0.1 :{port}/"),
        format!("http://127.0.0.1%00:{port}/"),
        format!("http://127.0.0.1%0d%0a:{port}/"),
        format!("http://4294967296:{port}/"),
        "http://:80/".to_owned(),
    ] {
        of.add(text, &[NoUrl, Form], false);
    }
    (of.vectors, of.names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S1: enough of them, none twice, of every reason, and most of those that lead to loopback really do.
    #[test]
    fn there_are_enough_and_none_twice() {
        let (vectors, names) = all(4711);
        let texts: BTreeSet<&str> = vectors.iter().map(|vector| vector.text.as_str()).collect();
        assert!(vectors.len() >= 400, "{}", vectors.len());
        let twice: Vec<&str> = vectors.iter().map(|vector| vector.text.as_str()).collect();
        assert_eq!(texts.len(), vectors.len(), "{twice:?}");
        for reason in [Reason::Address, Reason::Name, Reason::Resolves, Reason::Scheme, Reason::Userinfo, Reason::Port, Reason::Form] {
            assert!(vectors.iter().filter(|vector| vector.reasons[0] == reason).count() >= 8, "{reason:?}");
        }
        assert_eq!(vectors.iter().filter(|vector| vector.reasons[0] == Reason::Resolves).count(), names.0.len());
        assert!(vectors.iter().filter(|vector| vector.reaches).count() >= 70);
        assert_eq!(spellings(Ipv4Addr::LOCALHOST).len(), spellings(Ipv4Addr::LOCALHOST).iter().collect::<BTreeSet<_>>().len());
    }
}
