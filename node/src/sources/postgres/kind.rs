//! What becomes of PostgreSQL's types: each is read as one that Arrow has and a dataset can publish, without loss.
//!
//! | type | read as |
//! | --- | --- |
//! | boolean, smallint, integer, bigint, oid, real, double precision | boolean, integer, integer, bigint, bigint, double, double |
//! | numeric(p, s) with p up to 38 | decimal(p, s); NaN is NULL |
//! | any other numeric | text |
//! | date, timestamp | the same; infinite ones are NULL |
//! | timestamp with time zone | timestamp in UTC |
//! | char(n) | text without the blanks that fill it up |
//! | bytea | text, hexadecimal |
//! | geometry and geography of PostGIS | text, WKB in hexadecimal |
//! | arrays | text, JSON |
//! | what else there is: uuid, json, time, interval, enums, … | text, as the server writes it |

use tokio_postgres::types::Type;

use crate::sources::remote::Kind;

/// Whether a column of a SELECT comes in a kind.
pub(super) fn comes_as(kind: Kind, found: &Type, modifier: i32) -> bool {
    match kind {
        Kind::Boolean => *found == Type::BOOL,
        Kind::Integer => *found == Type::INT4,
        Kind::Bigint => *found == Type::INT8,
        Kind::Double => *found == Type::FLOAT8,
        Kind::Decimal(..) => *found == Type::NUMERIC && decimal(modifier) == Some(kind),
        Kind::Date => *found == Type::DATE,
        Kind::Timestamp => *found == Type::TIMESTAMP,
        Kind::Timestamptz => *found == Type::TIMESTAMPTZ,
        Kind::Text => *found == Type::TEXT || *found == Type::VARCHAR,
        Kind::Bytes => *found == Type::BYTEA,
    }
}

/// SQL that holds for the values that have a place in Arrow, of an expression that is not NULL.
pub(super) fn has_place(kind: Kind, sql: &str) -> Option<String> {
    match kind {
        Kind::Decimal(..) => Some(format!("{sql} <> 'NaN'")),
        Kind::Date => Some(format!("isfinite({sql})")),
        Kind::Timestamp | Kind::Timestamptz => Some(format!("({sql} > '-infinity' AND {sql} < '{LATEST}')")),
        Kind::Boolean | Kind::Integer | Kind::Bigint | Kind::Double | Kind::Text | Kind::Bytes => None,
    }
}

/// The first year of which not every moment can be counted in microseconds from 1970. The server goes 30 years further.
const LATEST: &str = "294247-01-01 00:00:00+00";
/// The same, from 1970.
pub(super) const LATEST_MICROS: i64 = 9_223_371_244_800_000_000;

/// The kind of a numeric by its modifier; `None` where Arrow has none.
pub(super) fn decimal(modifier: i32) -> Option<Kind> {
    // As in the server's numeric.c: 16 bits of precision, 11 of scale, behind a header of 4 bytes.
    let packed = modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
    let precision = u8::try_from((packed >> 16) & 0xFFFF).ok().filter(|precision| *precision <= 38)?;
    let scale = ((packed & 0x7FF) ^ 1024) - 1024;
    let scale = i8::try_from(scale).ok().filter(|scale| *scale >= 0 && scale.unsigned_abs() <= precision)?;
    Some(Kind::Decimal(precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modifier_tells_precision_and_scale() {
        let modifier = |precision: i32, scale: i32| ((precision << 16) | (scale & 0x7FF)) + 4;
        assert_eq!(decimal(modifier(12, 2)), Some(Kind::Decimal(12, 2)));
        assert_eq!(decimal(modifier(38, 38)), Some(Kind::Decimal(38, 38)));
        for none in [-1, modifier(39, 2), modifier(5, -2), modifier(2, 4), modifier(1000, 0)] {
            assert_eq!(decimal(none), None, "{none}");
        }
    }
}
