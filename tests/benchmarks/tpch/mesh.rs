//! Four node processes with mutual TLS, each over the files of its body, and an analyst's connection to one of them.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow_flight::decode::DecodedPayload;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use meridian_certs::Authority;
use meridian_proto::{Receipt, ReleaseRecord};
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::transport::Channel;

use crate::PARALLEL;
use crate::answer::{Answer, Sent};
use crate::data::{Data, Part};
use crate::nodes::{self, Node, Published, Site, name, wait};
use crate::tpch::Orders;

/// Who is asked.
const ASKER: &str = "loda";
/// An answer that takes longer counts as none.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// The most that one message of an answer may weigh (bytes).
const MESSAGE_BYTES: usize = 64 << 20;

pub(crate) struct Mesh {
    flight: FlightSqlServiceClient<Channel>,
    _nodes: Vec<Node>,
    _folder: TempDir,
}

impl Mesh {
    /// Up, each node aware of all datasets.
    pub(crate) async fn new(data: &Data) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dir = folder.path();
        let authority = Authority::create(&name("london"), &dir.join("authority")).unwrap();
        let sites = nodes::sites(&data.bodies());
        for site in &sites {
            write_site(&dir.join(site.body), site, &sites, &authority, data);
        }
        let asha = nodes::analyst(ASKER, dir);
        let asked = sites.iter().find(|site| site.body == ASKER).unwrap();
        let channel = asha.client_connector().channel(&format!("https://{}", asked.flight), None).unwrap();
        let inner = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
        let nodes = sites.iter().map(|site| Node::start(&dir.join(site.body))).collect();
        for site in &sites {
            site.ready(&dir.join(site.body)).await;
        }
        let flight = FlightSqlServiceClient::new_from_inner(inner);
        let mut mesh = Self { flight, _nodes: nodes, _folder: folder };
        let began = Instant::now();
        for Part { body, table, .. } in &data.files {
            while let Err(why) = mesh.ask(&format!("SELECT count(*) FROM {body}.{table}")).await {
                wait(began, &why).await;
            }
        }
        mesh
    }

    /// The answer, from the question to the receipt.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Answer, String> {
        let began = Instant::now();
        let late = |_| format!("no whole answer within {} s", ANSWER_TIME.as_secs());
        let (batches, receipt) = timeout(ANSWER_TIME, self.answer(sql)).await.map_err(late)??;
        let time = began.elapsed();
        let least =
            batches.iter().flat_map(RecordBatch::columns).map(|column| column.get_buffer_memory_size() as u64).sum();
        let mut sent = Sent { least, ..Sent::default() };
        for signed in receipt.ok_or("the answer has no receipt")?.releases {
            let release = ReleaseRecord::decode(&signed.payload).map_err(|error| error.to_string())?;
            if release.body != ASKER {
                sent = Sent { rows: sent.rows + release.rows, bytes: sent.bytes + release.bytes, least };
            }
        }
        Ok(Answer { sent: Some(sent), ..Answer::of(&batches, time) })
    }

    /// What each body would be asked.
    pub(crate) async fn explain(&mut self, sql: &str) -> String {
        match self.answer(&format!("EXPLAIN {sql}")).await {
            Ok((batches, _)) => batches.iter().fold(String::new(), |mut text, batch| {
                let lines = batch.column(batch.num_columns() - 1).as_string::<i32>();
                lines.iter().for_each(|line| writeln!(text, "  {}", line.unwrap_or_default()).unwrap());
                text
            }),
            Err(why) => why,
        }
    }

    async fn answer(&mut self, sql: &str) -> Result<(Vec<RecordBatch>, Option<Receipt>), String> {
        let info = self.flight.execute(sql.to_owned(), None).await.map_err(|error| error.to_string())?;
        let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket).ok_or("no endpoint")?;
        let mut stream = self.flight.do_get(ticket).await.map_err(|error| error.to_string())?.into_inner();
        let (mut batches, mut receipt) = (Vec::new(), None);
        while let Some(message) = stream.try_next().await.map_err(|error| error.to_string())? {
            let metadata = message.app_metadata();
            if !metadata.is_empty() {
                receipt = Some(Receipt::decode(&metadata).map_err(|error| error.to_string())?);
            }
            if let DecodedPayload::RecordBatch(batch) = message.payload {
                batches.push(batch);
            }
        }
        Ok((batches, receipt))
    }
}

fn write_site(folder: &Path, site: &Site, sites: &[Site], authority: &Authority, data: &Data) {
    site.write(folder, sites, authority, PARALLEL);
    for Part { table, shared, orders, schema, path, .. } in data.files.iter().filter(|part| part.body == site.body) {
        let coverage = orders.map(|Orders { column, from, to }| {
            let end = |name, key: Option<i64>| key.map(|key| format!("{name} = {key}"));
            let ends: Vec<String> = end("from", from).into_iter().chain(end("to", to)).collect();
            format!("{column} = {{ {} }}", ends.join(", "))
        });
        Published { table, shared: *shared, held: false, coverage, schema, path }.write(folder);
    }
}
