//! `borough_gss(text)`, which mappings may call: the GSS code of a London borough, by whatever name or code it is called.
//!
//! No query knows it: it stands in no session but that of a mapping.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::cast::as_string_array;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use meridian_examples::london::BOROUGH_NAMES;

/// What stands before the name of an authority.
const STYLES: [&str; 5] =
    ["london borough of ", "royal borough of ", "the london borough of ", "the royal borough of ", "lb "];
/// What stands behind a name.
const BEHIND: [&str; 5] = [" london borough council", " london borough", " borough council", " council", " borough"];

/// The GSS code of the borough that is called so; `None` if none is.
///
/// It knows GSS codes, those of the ONS until 2010, those of the Department for Communities and Local Government, the letters
/// of ISO 3166-2:GB, and names: in whatever case, with `&` or `and`, hyphens or underscores, as boroughs or as authorities.
pub fn gss(text: &str) -> Option<&'static str> {
    static KNOWN: LazyLock<HashMap<String, &'static str>> = LazyLock::new(known);
    let name = plain(text);
    KNOWN.get(&name).copied().or_else(|| {
        let bare = STYLES.iter().find_map(|style| name.strip_prefix(style)).unwrap_or(&name);
        let bare = BEHIND.iter().find_map(|behind| bare.strip_suffix(behind)).unwrap_or(bare);
        KNOWN.get(bare).copied()
    })
}

fn known() -> HashMap<String, &'static str> {
    let mut known = HashMap::new();
    for line in BOROUGH_NAMES.lines().skip(1) {
        let mut fields = line.split(',');
        let Some(gss) = fields.next() else { continue };
        let names = fields.flat_map(|field| field.split(';')).filter(|name| !name.is_empty());
        known.extend(std::iter::once(gss).chain(names).map(|name| (plain(name), gss)));
    }
    known
}

/// A name in small letters, its words with one blank between and nothing else.
fn plain(text: &str) -> String {
    let text = text.to_lowercase().replace('&', " and ").replace(['\'', '’'], "");
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// The function; what is no borough is NULL.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(BoroughGss { signature: Signature::string(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BoroughGss {
    signature: Signature,
}

impl ScalarUDFImpl for BoroughGss {
    fn name(&self) -> &str {
        "borough_gss"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [texts] = arrays.as_slice() else {
            return Err(DataFusionError::Internal("borough_gss of other than one text".into()));
        };
        let texts = cast(texts, &DataType::Utf8)?;
        let codes: StringArray = as_string_array(&texts)?.iter().map(|text| gss(text?)).collect();
        Ok(if scalar && codes.len() == 1 {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&codes, 0)?)
        } else {
            ColumnarValue::Array(Arc::new(codes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boroughs_are_known_by_the_names_and_codes_in_use() {
        for (text, code) in [
            ("E09000002", Some("E09000002")),
            (" e09000002 ", Some("E09000002")),
            ("00AB", Some("E09000002")),
            ("Z5060", Some("E09000002")),
            ("BDG", Some("E09000002")),
            ("Barking & Dagenham", Some("E09000002")),
            ("Barking_and_Dagenham", Some("E09000002")),
            ("LONDON BOROUGH OF BARKING AND DAGENHAM", Some("E09000002")),
            ("KENSINGTON AND CHELSEA", Some("E09000020")),
            ("Royal Borough of Kensington & Chelsea", Some("E09000020")),
            ("Kingston-upon-Thames", Some("E09000021")),
            ("City Of london", Some("E09000001")),
            ("City of Westminster", Some("E09000033")),
            ("WESTMINSTER CITY COUNCIL", Some("E09000033")),
            ("Lambeth Council", Some("E09000022")),
            ("LB Camden", Some("E09000007")),
            ("CMD", Some("E09000007")),
            ("Hammersmith & Fulham London Borough Council", Some("E09000013")),
            ("Inner London", None),
            ("London", None),
            ("E09000034", None),
            ("Hartlepool", None),
            ("London Borough of ", None),
            ("", None),
        ] {
            assert_eq!(gss(text), code, "{text:?}");
        }
    }

    #[test]
    fn no_name_is_of_two_boroughs() {
        let mut names = std::collections::BTreeMap::new();
        for line in BOROUGH_NAMES.lines().skip(1) {
            let gss = line.split(',').next();
            for name in line.split([',', ';']).filter(|name| !name.is_empty()) {
                assert_eq!(*names.entry(plain(name)).or_insert(gss), gss, "{name}");
            }
        }
        assert_eq!(known().len(), names.len());
    }
}
