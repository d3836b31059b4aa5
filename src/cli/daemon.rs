//! A running daemon as the command line talks to it: its HTTP API on this machine.

use anyhow::{Context as _, anyhow, bail};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use url::Url;

/// Time to connect: the daemon is on this machine.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Time for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The daemon that holds the database.
#[derive(Debug)]
pub struct Daemon {
    base: Url,
    client: Client,
}

impl Daemon {
    /// The daemon that listens at `bind`; nothing is asked yet.
    ///
    /// # Errors
    /// No HTTP client can be made.
    #[expect(clippy::disallowed_methods, reason = "it asks the daemon of this machine, never a site")]
    pub fn at(bind: SocketAddr) -> anyhow::Result<Self> {
        let address = match bind.ip() {
            IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            address => address,
        };
        let base = Url::parse(&format!("http://{}/", SocketAddr::new(address, bind.port())))?;
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .build()
            .context("the client of the daemon's API cannot be made")?;
        Ok(Self { base, client })
    }

    /// Where it listens.
    pub fn address(&self) -> &Url {
        &self.base
    }

    /// Asks.
    ///
    /// # Errors
    /// Nothing answers, or the daemon's own sentence.
    pub async fn get(&self, path: &str, pairs: &[(&str, String)]) -> anyhow::Result<Value> {
        let mut url = self.base.join(path)?;
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str())));
        }
        self.answer(self.client.get(url)).await
    }

    /// Whether it is alive.
    ///
    /// # Errors
    /// Nothing answers, or something that is not well.
    pub async fn alive(&self) -> anyhow::Result<()> {
        let answer = self.client.get(self.base.join("healthz")?).send().await.map_err(|error| self.unheard(&error))?;
        anyhow::ensure!(answer.status().is_success(), "{}healthz answered {}", self.base, answer.status());
        Ok(())
    }

    /// Commands.
    ///
    /// # Errors
    /// Nothing answers, or the daemon's own sentence.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.answer(self.client.post(self.base.join(path)?).json(body)).await
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let sent = request.send().await.map_err(|error| self.unheard(&error))?;
        let status = sent.status();
        let text = sent.text().await.map_err(|error| self.unheard(&error))?;
        let value: Option<Value> = if text.trim().is_empty() { Some(Value::Null) } else { serde_json::from_str(&text).ok() };
        if status.is_success() {
            return value
                .ok_or_else(|| anyhow!("{} answered something that is no JSON; is it an inkdex daemon? Check server.bind", self.base));
        }
        let told = value.as_ref().and_then(|value| {
            let detail = value.get("detail").and_then(Value::as_str);
            detail.or_else(|| value.get("title").and_then(Value::as_str)).map(str::to_owned)
        });
        match told {
            Some(sentence) => bail!("the daemon refuses: {sentence}"),
            None if status.as_u16() == 404 => bail!(
                "{} does not know this command ({status}); is it an inkdex daemon of this build, with server.admin = true?",
                self.base
            ),
            None => bail!("{} answered {status} without saying why; its log does", self.base),
        }
    }

    fn unheard(&self, error: &reqwest::Error) -> anyhow::Error {
        let base = &self.base;
        if error.is_connect() {
            return anyhow!(
                "a running inkdex holds the database, but nothing listens at {base}; give this command the same configuration as the \
                 daemon (server.bind), or wait until the other command is through"
            );
        }
        if error.is_timeout() {
            return anyhow!("the daemon at {base} did not answer within {} s; its log may say why", ANSWER_WITHIN.as_secs());
        }
        anyhow!("the daemon at {base} could not be asked: {error}")
    }
}

/// A path segment that holds an id, whatever it holds.
pub fn segment(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A server of one answer.
    async fn one_answer(answer: String) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _read = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn problems_are_shown_as_sentences() {
        let body = "{\"title\":\"no letter\",\"detail\":\"the job is DONE\"}";
        let bind = one_answer(format!("HTTP/1.1 409 Conflict\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())).await;
        let told = Daemon::at(bind).unwrap().post("/admin/v1/x", &Value::Null).await.unwrap_err().to_string();
        assert_eq!(told, "the daemon refuses: the job is DONE");
    }

    #[tokio::test]
    async fn nobody_there_says_what_to_check() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let bind = listener.local_addr().unwrap();
        drop(listener);
        let told = Daemon::at(bind).unwrap().get("/v1/artists", &[("query", "ana".to_owned())]).await.unwrap_err().to_string();
        assert!(told.contains("nothing listens at") && told.contains("server.bind"), "{told}");
    }

    #[test]
    fn an_address_for_all_is_asked_on_loopback() {
        assert_eq!(Daemon::at("0.0.0.0:8600".parse().unwrap()).unwrap().address().as_str(), "http://127.0.0.1:8600/");
        assert_eq!(Daemon::at("[::]:1".parse().unwrap()).unwrap().address().as_str(), "http://[::1]:1/");
        assert_eq!(segment("a/b c"), "a%2Fb%20c");
    }
}
