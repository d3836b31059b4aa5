//! The drivers without our adapters: what the same servers do for whoever writes to them directly.

use anyhow::{Context, ensure};
use inkdex::config::Config;
use inkdex::domain::ids::ArtistId;
use inkdex::search::IndexOperation;
use opensearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use opensearch::indices::{IndicesCreateParts, IndicesDeleteIndexTemplateParts, IndicesDeleteParts};
use opensearch::params::Refresh;
use opensearch::{BulkOperation, BulkParts, OpenSearch, SearchParts};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::Row;
use serde_json::{Value, json};

/// OpenSearch by its own client.
pub fn index(config: &Config) -> anyhow::Result<OpenSearch> {
    let pool = SingleNodeConnectionPool::new(config.opensearch.url.parse()?);
    Ok(OpenSearch::new(TransportBuilder::new(pool).disable_proxy().build()?))
}

/// The artists of versions from `least` on that a search of `alias` finds.
pub async fn newest(index: &OpenSearch, alias: &str, least: i64, most: usize) -> anyhow::Result<Vec<(ArtistId, i64)>> {
    let query = json!({
        "size": most, "_source": false, "track_total_hits": false, "sort": [{ "version": "desc" }],
        "query": { "range": { "version": { "gte": least } } }
    });
    let answer = index.search(SearchParts::Index(&[alias])).body(query).send().await?;
    let answer: Value = answer.error_for_status_code()?.json().await?;
    let hits = answer["hits"]["hits"].as_array().context("a search without hits")?;
    let hit = |hit: &Value| Some((ArtistId::new(hit["_id"].as_str()?), hit["sort"][0].as_i64()?));
    hits.iter().map(|found| hit(found).context("a hit without id or version")).collect()
}

/// An index with our mapping that nobody else writes.
pub async fn make_index(index: &OpenSearch, name: &str) -> anyhow::Result<()> {
    index.indices().create(IndicesCreateParts::Index(name)).send().await?.error_for_status_code()?;
    Ok(())
}

/// Drops every index whose name begins with `prefix`, and its template.
pub async fn drop_indexes(index: &OpenSearch, prefix: &str) -> anyhow::Result<()> {
    let names = format!("{prefix}*");
    index.indices().delete(IndicesDeleteParts::Index(&[&names])).send().await?.error_for_status_code()?;
    index.indices().delete_index_template(IndicesDeleteIndexTemplateParts::Name(prefix)).send().await?.error_for_status_code()?;
    Ok(())
}

/// One bulk request of the documents that our adapter would send, searchable when it answers.
pub async fn bulk(index: &OpenSearch, name: &str, operations: &[IndexOperation]) -> anyhow::Result<()> {
    let mut body = Vec::with_capacity(operations.len());
    for operation in operations {
        let mut document = serde_json::to_value(&operation.document)?;
        document["artist_id"] = json!(operation.artist_id);
        document["version"] = json!(operation.version);
        document["deleted"] = json!(false);
        let action = BulkOperation::index(document).id(operation.artist_id.as_str()).version(operation.version);
        body.push(BulkOperation::from(action.version_type(opensearch::params::VersionType::ExternalGte)));
    }
    let answer = index.bulk(BulkParts::Index(name)).refresh(Refresh::WaitFor).body(body).send().await?;
    let answer: Value = answer.error_for_status_code()?.json().await?;
    ensure!(answer["errors"] == json!(false), "a bulk request with errors: {answer}");
    Ok(())
}

/// A table of rows like an artist's.
pub struct Rows {
    session: Session,
    insert: PreparedStatement,
    update: PreparedStatement,
}

impl Rows {
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let session = SessionBuilder::new().known_nodes(&config.cql.nodes).build().await?;
        let table = format!("{}.bare_artists", config.cql.keyspace);
        let columns = "id text PRIMARY KEY, version bigint, fence bigint, body text, sum bigint";
        session.query_unpaged(format!("CREATE TABLE {table} ({columns})"), ()).await?;
        session.await_schema_agreement().await?;
        let insert = format!("INSERT INTO {table} (id, version, fence, body, sum) VALUES (?, ?, ?, ?, ?)");
        let insert = prepare(&session, insert).await?;
        let update = format!("UPDATE {table} SET version = ?, fence = ?, body = ?, sum = ? WHERE id = ? IF version = ? AND fence = ?");
        let update = prepare(&session, update).await?;
        Ok(Self { session, insert, update })
    }

    /// Makes a row of version 0.
    pub async fn insert(&self, id: &str, body: &str) -> anyhow::Result<()> {
        self.session.execute_unpaged(&self.insert, (id, 0_i64, 0_i64, body, 0_i64)).await?;
        Ok(())
    }

    /// Raises the version of a row by one lightweight transaction.
    pub async fn update(&self, id: &str, from: i64, body: &str) -> anyhow::Result<()> {
        let answer = self.session.execute_unpaged(&self.update, (from + 1, from + 1, body, from, id, from, from)).await?;
        let row = answer.into_rows_result()?.first_row::<Row>()?;
        let applied = row.columns.first().and_then(Option::as_ref).and_then(|value| value.as_boolean());
        ensure!(applied == Some(true), "a row that nobody else writes was not as expected");
        Ok(())
    }
}

async fn prepare(session: &Session, text: String) -> anyhow::Result<PreparedStatement> {
    let mut prepared = session.prepare(text).await?;
    prepared.set_consistency(Consistency::LocalQuorum);
    prepared.set_serial_consistency(Some(SerialConsistency::LocalSerial));
    Ok(prepared)
}

/// A queue by the SDK's own client.
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    pub async fn create(config: &Config, name: &str) -> anyhow::Result<Self> {
        let sqs = &config.sqs;
        let secret = sqs.secret_access_key.reveal();
        let credentials = aws_sdk_sqs::config::Credentials::new(&sqs.access_key_id, secret, None, None, "figures");
        let settings = aws_sdk_sqs::Config::builder()
            .behavior_version_latest()
            .region(aws_sdk_sqs::config::Region::new(sqs.region.clone()))
            .credentials_provider(credentials)
            .endpoint_url(&sqs.endpoint)
            .build();
        let client = aws_sdk_sqs::Client::from_conf(settings);
        let made = client.create_queue().queue_name(name).send().await?;
        let url = made.queue_url().context("a queue without URL")?.to_owned();
        Ok(Self { client, url })
    }

    /// Sends at most ten messages in one call.
    pub async fn send(&self, texts: &[String]) -> anyhow::Result<()> {
        let mut request = self.client.send_message_batch().queue_url(&self.url);
        for (position, text) in texts.iter().enumerate() {
            let entry = aws_sdk_sqs::types::SendMessageBatchRequestEntry::builder().id(position.to_string()).message_body(text);
            request = request.entries(entry.build()?);
        }
        let answer = request.send().await?;
        ensure!(answer.failed().is_empty(), "a message was not taken: {:?}", answer.failed());
        Ok(())
    }
}
