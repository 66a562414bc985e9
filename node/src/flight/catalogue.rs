//! What an analyst's own node knows of all datasets: searched, or in the forms that other catalogues take.

use bytes::Bytes;
use meridian_proto::wire;
use prost::Message;
use serde_json::{Value, json};
use tonic::Status;

use super::actions::unreadable;
use super::status;
use crate::catalogue::{self, Addresses, Index};
use crate::gate::Caller;
use crate::query::Engine;

/// The longest question, in bytes.
const LONGEST_WORDS: usize = 2_000;
/// The longest address, in bytes.
const LONGEST_BASE: usize = 500;

/// Answers a CatalogueRequest.
pub(super) fn answer(body: &[u8], engine: &Engine, caller: &Caller) -> Result<Vec<Bytes>, Status> {
    if caller.is_peer() {
        return Err(Status::permission_denied(
            "an analyst of this body searches here, and no other node: each node knows what all bodies describe",
        ));
    }
    let request = wire::CatalogueRequest::decode(body).map_err(|why| unreadable(&why))?;
    let document = match request.form() {
        wire::CatalogueForm::Found => found(&request, engine, caller)?,
        wire::CatalogueForm::Dcat => {
            let publisher = publisher(engine);
            let of = (engine.federation(), engine.body(), publisher.as_str());
            // Whether somebody else's pages give files is not known here.
            catalogue::dcat(&engine.public_entries(), of, &addresses(&request)?, engine.today(), &|_| Vec::new())
        }
        wire::CatalogueForm::ExchangeModel => {
            catalogue::records(&engine.public_entries(), &addresses(&request)?, engine.today())
        }
        wire::CatalogueForm::Unspecified => {
            return Err(Status::invalid_argument("a CatalogueRequest says in form what it asks for"));
        }
    };
    let text = serde_json::to_vec(&document).map_err(|why| status::fault("write the catalogue", &why))?;
    Ok(vec![text.into()])
}

fn found(request: &wire::CatalogueRequest, engine: &Engine, caller: &Caller) -> Result<Value, Status> {
    if request.words.len() > LONGEST_WORDS {
        return Err(Status::invalid_argument(format!("a question of the catalogue has {LONGEST_WORDS} bytes at most")));
    }
    let entries = engine.entries(caller);
    let places: Vec<usize> = if request.words.trim().is_empty() {
        (0..entries.len()).collect()
    } else {
        Index::of(&entries).search(&request.words).iter().map(|hit| hit.at).collect()
    };
    let most = usize::try_from(request.most).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
    let today = engine.today();
    let shown = places.iter().take(most).filter_map(|at| entries.get(*at)).map(|entry| entry.json(today));
    Ok(json!({ "found": places.len(), "datasets": shown.collect::<Vec<_>>() }))
}

/// This body's name for people.
fn publisher(engine: &Engine) -> String {
    let entry = engine.public_entries().into_iter().find(|entry| entry.body == *engine.body());
    entry.map_or_else(|| engine.body().to_string(), |entry| entry.publisher)
}

fn addresses(request: &wire::CatalogueRequest) -> Result<Addresses, Status> {
    let base = request.base.as_str();
    if base.is_empty() {
        return Ok(Addresses::Named);
    }
    let is_address = base.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some() && uri.query().is_none()
    });
    if !is_address || !base.ends_with('/') || base.len() > LONGEST_BASE {
        return Err(Status::invalid_argument(
            "the address below which the pages are is like https://data.example.org/catalogue/, with a slash at its end",
        ));
    }
    Ok(Addresses::Below(base.to_owned()))
}
