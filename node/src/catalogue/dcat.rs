//! Descriptions as DCAT-AP 3.0 in JSON-LD, whose context stands in it: nobody has to fetch anything to read it.
//!
//! DCAT: <https://www.w3.org/TR/vocab-dcat-3/>; the profile: <https://semiceu.github.io/DCAT-AP/releases/3.0.0/>. Controlled
//! vocabularies are those of the EU's Publications Office, as the profile has it. An open dataset has a distribution, the page on
//! which it is found, and one for each file that it can be had as; what is not open has none, since there is nothing that somebody could be given.

use chrono::NaiveDate;
use meridian_proto::{ColumnType, Covers, Dataset, Form, Frequency, Name};
use serde_json::{Map, Value, json};

use super::{Entry, Freshness};

const ACCESS: &str = "http://publications.europa.eu/resource/authority/access-right/";
const FREQUENCY: &str = "http://publications.europa.eu/resource/authority/frequency/";
/// Areas by the codes of the Office for National Statistics.
const AREA: &str = "http://statistics.data.gov.uk/id/statistical-geography/";

/// Formats as IANA knows them.
const MEDIA: &str = "https://www.iana.org/assignments/media-types/";

/// Licences that have an address of their own, by their SPDX identifiers.
const LICENCES: [(&str, &str); 9] = [
    ("OGL-UK-3.0", "http://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"),
    ("OGL-UK-2.0", "http://www.nationalarchives.gov.uk/doc/open-government-licence/version/2/"),
    ("OGL-UK-1.0", "http://www.nationalarchives.gov.uk/doc/open-government-licence/version/1/"),
    ("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
    ("CC-BY-SA-4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
    ("ODbL-1.0", "https://opendatacommons.org/licenses/odbl/1-0/"),
    ("ODC-By-1.0", "https://opendatacommons.org/licenses/by/1-0/"),
    ("PDDL-1.0", "https://opendatacommons.org/licenses/pddl/1-0/"),
];

/// Where the pages are to which identifiers lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// Below this address, which ends with a slash; or relative to the document, such as `../`.
    Below(String),
    /// Nowhere: things are named after the federation and the body, in the way of certificates.
    Named,
}

impl Addresses {
    /// Of the catalogue itself.
    fn catalogue(&self, federation: &Name) -> String {
        match self {
            Self::Below(base) if base.is_empty() => "./".into(),
            Self::Below(base) => base.clone(),
            Self::Named => format!("spiffe://{federation}/catalogue"),
        }
    }

    /// Of a body.
    fn body(&self, federation: &Name, body: &Name) -> String {
        match self {
            Self::Below(base) => format!("{base}bodies/{body}"),
            Self::Named => format!("spiffe://{federation}/body/{body}"),
        }
    }

    /// Of a dataset itself, which is not the page on which it is told.
    fn thing(&self, entry: &Entry) -> String {
        match self {
            Self::Below(_) => self.dataset(entry) + "#dataset",
            Self::Named => self.dataset(entry),
        }
    }

    /// Of a dataset's page, or its name.
    pub fn dataset(&self, entry: &Entry) -> String {
        let Entry { federation, body, dataset, .. } = entry;
        match self {
            Self::Below(base) => format!("{base}datasets/{body}/{}", dataset.name),
            Self::Named => format!("spiffe://{federation}/body/{body}/dataset/{}", dataset.name),
        }
    }

    fn standard(&self, federation: &Name, standard: &Name) -> String {
        match self {
            Self::Below(base) => format!("{base}standards/{standard}"),
            Self::Named => format!("spiffe://{federation}/standard/{standard}"),
        }
    }
}

/// A file that a dataset can be had as, at the address of its page with an ending.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Distribution {
    /// The ending: `csv`.
    pub ending: &'static str,
    /// The format for people.
    pub title: &'static str,
    /// The format as IANA knows it.
    pub media: &'static str,
    /// Its length; `None` where it is made when somebody asks for it.
    pub bytes: Option<u64>,
}

/// The files of a dataset.
type Files<'a> = &'a dyn Fn(&Entry) -> Vec<Distribution>;

/// The address of a licence; `None` where it is none that is known, or no address.
pub(super) fn licence(said: &str) -> Option<String> {
    let known = LICENCES.iter().find(|(id, _)| *id == said).map(|(_, address)| (*address).to_owned());
    let is_address = |text: &str| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty())
            && text.chars().all(|c| c.is_ascii_graphic() && !"<>\"{}|\\^`".contains(c))
    };
    known.or_else(|| is_address(said).then(|| said.to_owned()))
}

/// All of these as one catalogue, which `publisher` tells.
pub fn catalogue(
    entries: &[Entry],
    (federation, body, publisher): (&Name, &Name, &str),
    addresses: &Addresses,
    today: NaiveDate,
    files: Files<'_>,
) -> Value {
    let of = |entry: &Entry| described(entry, addresses, today, files);
    let mut catalogue = json!({
        "@context": context(),
        "@id": addresses.catalogue(federation),
        "@type": "dcat:Catalog",
        "dct:title": english(&format!("What the public bodies of {federation} publish")),
        "dct:description": english("The datasets that the bodies of the federation describe, and the terms on which they leave."),
        "dct:publisher": agent(addresses.body(federation, body), publisher),
        "dct:modified": date(today),
        "dct:language": { "@id": "http://publications.europa.eu/resource/authority/language/ENG", "@type": "dct:LinguisticSystem" },
    });
    if let Some(object) = catalogue.as_object_mut() {
        object.insert("dcat:dataset".into(), entries.iter().map(of).collect());
    }
    catalogue
}

/// One dataset as a document of its own.
pub fn dataset(entry: &Entry, addresses: &Addresses, today: NaiveDate, files: Files<'_>) -> Value {
    let mut described = described(entry, addresses, today, files);
    if let Some(object) = described.as_object_mut() {
        object.insert("@context".into(), context());
    }
    described
}

fn context() -> Value {
    json!({
        "adms": "http://www.w3.org/ns/adms#",
        "dcat": "http://www.w3.org/ns/dcat#",
        "dct": "http://purl.org/dc/terms/",
        "foaf": "http://xmlns.com/foaf/0.1/",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "vcard": "http://www.w3.org/2006/vcard/ns#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    })
}

fn described(entry: &Entry, addresses: &Addresses, today: NaiveDate, files: Files<'_>) -> Value {
    let Entry { federation, body, publisher, dataset } = entry;
    let page = addresses.dataset(entry);
    let fresh = Freshness::of(dataset, today);
    let mut told = Map::new();
    let mut say = |key: &str, value: Value| drop(told.insert(key.to_owned(), value));
    say("@id", json!(addresses.thing(entry)));
    say("@type", json!("dcat:Dataset"));
    say("dct:identifier", json!(entry.id()));
    say("dct:title", english(&dataset.title));
    let description = if dataset.description.is_empty() { &dataset.title } else { &dataset.description };
    say("dct:description", english(description));
    say("dct:publisher", agent(addresses.body(federation, body), publisher));
    say("dct:accessRights", access(dataset.form));
    if let Addresses::Below(_) = addresses {
        say("dcat:landingPage", json!({ "@id": page, "@type": "foaf:Document" }));
    }
    let keywords: Vec<Value> = dataset.about.keywords.iter().map(|keyword| english(keyword)).collect();
    if !keywords.is_empty() {
        say("dcat:keyword", keywords.into());
    }
    if let Some(contact) = &dataset.about.contact {
        let mail = json!({ "@id": format!("mailto:{}", contact.email) });
        say("dcat:contactPoint", json!({ "@type": "vcard:Kind", "vcard:fn": contact.name, "vcard:hasEmail": mail }));
    }
    if let Some(day) = fresh.last_change {
        say("dct:modified", date(day));
    }
    if let Some(frequency) = fresh.frequency {
        let id = format!("{FREQUENCY}{}", code(frequency));
        say("dct:accrualPeriodicity", json!({ "@id": id, "@type": "dct:Frequency" }));
    }
    if let Some(standard) = &dataset.standard {
        let id = addresses.standard(federation, standard);
        say("dct:conformsTo", json!({ "@id": id, "@type": "dct:Standard", "dct:title": english(standard.as_str()) }));
    }
    let areas = areas(dataset);
    if !areas.is_empty() {
        say("dct:spatial", areas.into());
    }
    if let Some(period) = period(dataset) {
        say("dct:temporal", period);
    }
    let licence = licence(&dataset.licence).map(|id| json!({ "@id": id, "@type": "dct:LicenseDocument" }));
    let rights = json!({ "@type": "dct:RightsStatement", "rdfs:label": english(&rights(entry)) });
    if dataset.form == Form::Open {
        let mut distribution =
            json!({ "@type": "dcat:Distribution", "dcat:accessURL": { "@id": page }, "dct:rights": rights });
        if let (Some(licence), Some(object)) = (licence, distribution.as_object_mut()) {
            object.insert("dct:license".into(), licence);
        }
        let file = |file: &Distribution| file_of(&distribution, &page, file);
        let files: Vec<Value> = files(entry).iter().map(file).collect();
        say("dcat:distribution", std::iter::once(distribution.clone()).chain(files).collect());
    } else {
        say("dct:rights", rights);
    }
    Value::Object(told)
}

/// The distribution that a file is, with the terms of the page.
fn file_of(page: &Value, address: &str, file: &Distribution) -> Value {
    let mut told = page.clone();
    if let Some(object) = told.as_object_mut() {
        let media = format!("{MEDIA}{}", file.media);
        object.insert("dct:title".into(), english(file.title));
        object.insert("dcat:downloadURL".into(), json!({ "@id": format!("{address}.{}", file.ending) }));
        object.insert("dcat:mediaType".into(), json!({ "@id": media, "@type": "dct:MediaType" }));
        if let Some(bytes) = file.bytes {
            let bytes = json!({ "@value": bytes.to_string(), "@type": "xsd:nonNegativeInteger" });
            object.insert("dcat:byteSize".into(), bytes);
        }
    }
    told
}

/// The terms in words, with the licence where it has no address of its own.
fn rights(entry: &Entry) -> String {
    let said = &entry.dataset.licence;
    if licence(said).is_some() { entry.terms() } else { format!("{} Licence: {said}.", entry.terms()) }
}

fn english(text: &str) -> Value {
    json!({ "@value": text, "@language": "en" })
}

fn date(day: NaiveDate) -> Value {
    json!({ "@value": day.to_string(), "@type": "xsd:date" })
}

fn agent(id: String, name: &str) -> Value {
    json!({ "@id": id, "@type": "foaf:Agent", "foaf:name": name })
}

fn access(form: Form) -> Value {
    let code = match form {
        Form::Open => "PUBLIC",
        Form::Rows | Form::Statistics => "RESTRICTED",
        Form::None => "NON_PUBLIC",
    };
    json!({ "@id": format!("{ACCESS}{code}"), "@type": "dct:RightsStatement" })
}

/// The code of the Publications Office's authority table of frequencies.
fn code(frequency: Frequency) -> &'static str {
    match frequency {
        Frequency::Continuous => "CONT",
        Frequency::Daily => "DAILY",
        Frequency::Weekly => "WEEKLY",
        Frequency::Fortnightly => "BIWEEKLY",
        Frequency::Monthly => "MONTHLY",
        Frequency::Quarterly => "QUARTERLY",
        Frequency::TwiceAYear => "ANNUAL_2",
        Frequency::Annual => "ANNUAL",
        Frequency::EachSecondYear => "BIENNIAL",
        Frequency::EachTenYears => "DECENNIAL",
        Frequency::Irregular => "IRREG",
        Frequency::Never => "NEVER",
    }
}

/// The areas that all rows are in: coverages of columns whose values are GSS codes.
fn areas(dataset: &Dataset) -> Vec<Value> {
    let area = |coverage: &meridian_proto::Coverage| {
        let concept = &dataset.column(coverage.column.as_str())?.concept;
        let Covers::Value(code) = &coverage.covers else { return None };
        let is_code = !code.is_empty() && code.chars().all(|c| c.is_ascii_alphanumeric());
        (concept.starts_with("gss:") && is_code)
            .then(|| json!({ "@id": format!("{AREA}{code}"), "@type": "dct:Location" }))
    };
    dataset.coverage.iter().filter_map(area).collect()
}

/// The time that all rows are of: the first coverage of days or moments.
fn period(dataset: &Dataset) -> Option<Value> {
    let is_time = |column: &str| {
        let found = dataset.column(column).map(|column| column.column_type);
        matches!(found, Some(ColumnType::Date | ColumnType::Timestamp))
    };
    let covers = dataset.coverage.iter().filter(|coverage| is_time(coverage.column.as_str()));
    covers.map(|coverage| &coverage.covers).find_map(|covers| {
        let (from, to) = match covers {
            Covers::Value(day) => (Some(day), Some(day)),
            Covers::Range { from, to } => (from.as_ref(), to.as_ref()),
        };
        // Of a moment the day.
        let day = |text: &String| text.get(..10)?.parse().ok().map(date);
        let mut period = json!({ "@type": "dct:PeriodOfTime" });
        let object = period.as_object_mut()?;
        for (key, end) in [("dcat:startDate", from), ("dcat:endDate", to)] {
            if let Some(day) = end.and_then(day) {
                object.insert(key.into(), day);
            }
        }
        (object.len() > 1).then_some(period)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::super::testing::{column, dataset as described_as, entry, name};
    use super::*;

    const TODAY: &str = "2026-11-27";

    fn told(change: impl FnOnce(&mut Dataset)) -> Value {
        let mut stations = described_as("stations", "Fire stations");
        change(&mut stations);
        let entry = entry("lfb", "London Fire Brigade", stations);
        let csv = Distribution { ending: "csv", title: "CSV", media: "text/csv", bytes: Some(12) };
        let addresses = Addresses::Below("https://data.example/catalogue/".into());
        dataset(&entry, &addresses, TODAY.parse().unwrap(), &|_| vec![csv.clone()])
    }

    #[test]
    fn a_dataset_is_told_in_the_words_of_the_profile() {
        let told = told(|_| ());
        assert_eq!(told["@id"], "https://data.example/catalogue/datasets/lfb/stations#dataset");
        assert_eq!(told["dct:modified"]["@value"], "2024-10-04");
        assert_eq!(told["dct:accrualPeriodicity"]["@id"], format!("{FREQUENCY}MONTHLY"));
        assert_eq!(told["dct:spatial"][0]["@id"], format!("{AREA}E09000007"));
        let [page, csv] = told["dcat:distribution"].as_array().unwrap().as_slice() else { panic!("{told}") };
        assert_eq!((&page["dct:license"]["@id"], &page["dcat:downloadURL"]), (&LICENCES[0].1.into(), &Value::Null));
        assert_eq!(csv["dct:license"]["@id"], LICENCES[0].1);
        assert_eq!(csv["dcat:downloadURL"]["@id"], "https://data.example/catalogue/datasets/lfb/stations.csv");
        assert_eq!(
            (&csv["dcat:mediaType"]["@id"], &csv["dcat:byteSize"]["@value"]),
            (&format!("{MEDIA}text/csv").into(), &"12".into())
        );
        assert_eq!(told["dcat:contactPoint"]["vcard:hasEmail"]["@id"], "mailto:data@lfb.example");
        assert!(told["@context"].is_object(), "nothing has to be fetched");
    }

    #[test]
    fn what_is_not_open_has_no_distribution_and_what_is_not_known_is_not_said() {
        let told = told(|dataset| {
            dataset.form = Form::Statistics;
            dataset.licence = "by agreement".into();
            dataset.description.clear();
            dataset.update_frequency = "when we can".into();
            dataset.about = meridian_proto::About::default();
        });
        for key in ["dcat:distribution", "dct:modified", "dct:accrualPeriodicity", "dcat:contactPoint", "dcat:keyword"]
        {
            assert!(told.get(key).is_none(), "{key}");
        }
        assert_eq!(told["dct:description"]["@value"], "Fire stations");
        assert!(told["dct:rights"]["rdfs:label"]["@value"].as_str().unwrap().ends_with("Licence: by agreement."));
    }

    #[test]
    fn the_time_of_all_rows_is_told_by_days() {
        let period = |covers: Covers| {
            told(|dataset| {
                dataset.columns.push(column("reported", ColumnType::Timestamp, ""));
                dataset.coverage.push(meridian_proto::Coverage { column: name("reported"), covers });
            })["dct:temporal"]
                .clone()
        };
        let from = Covers::Range { from: Some("2020-01-01 10:00:00".into()), to: None };
        assert_eq!(period(from)["dcat:startDate"]["@value"], "2020-01-01");
        assert!(period(Covers::Value("soon".into())).is_null());
    }

    #[test]
    fn only_addresses_and_known_licences_are_links() {
        assert!(licence("https://example.org/terms").is_some());
        for text in ["none", "", "https://", "javascript:alert(1)", "https://x\">", "OGL-UK-3.0 AND MIT"] {
            assert_eq!(licence(text), None, "{text}");
        }
    }
}
