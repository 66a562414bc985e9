//! The SQL of PostgreSQL.

use crate::sources::remote::{Column, Constant, Dialect, Kind, signed, string};

/// What is sent to a server of PostgreSQL.
#[derive(Debug)]
pub(super) struct PostgresSql;

impl Dialect for PostgresSql {
    fn constant(&self, column: &Column, constant: &Constant) -> Option<String> {
        Some(match constant {
            Constant::Boolean(value) => value.to_string(),
            Constant::Exact(digits) => signed(digits),
            Constant::Double(value) => format!("'{value:?}'::float8"),
            Constant::Text(text) => string(text),
            Constant::Date(date) => format!("'{date}'::date"),
            Constant::Timestamp(text) => {
                let zoned = if column.kind == Kind::Timestamptz { "tz" } else { "" };
                format!("'{text}+00'::timestamp{zoned}")
            }
        })
    }

    fn cast(&self, sql: &str, to: Kind) -> String {
        let word = match to {
            Kind::Boolean => "bool",
            Kind::Integer => "int4",
            Kind::Bigint => "int8",
            Kind::Double => "float8",
            Kind::Decimal(precision, scale) => return format!("({sql})::numeric({precision}, {scale})"),
            Kind::Date => "date",
            Kind::Timestamp => "timestamp",
            Kind::Timestamptz => "timestamptz",
            Kind::Text => "text",
            Kind::Bytes => "bytea",
        };
        format!("({sql})::{word}")
    }

    /// Of a UUID, an index knows nothing of its text.
    fn equal(&self, column: &Column, constant: &Constant) -> Option<String> {
        let (Some(uuid), Constant::Text(text)) = (&column.uuid, constant) else { return None };
        is_uuid(text).then(|| format!("{uuid} = {}::uuid", string(text)))
    }

    fn by_bytes(&self) -> &'static str {
        " COLLATE \"C\""
    }

    fn no_column(&self) -> &'static str {
        ""
    }
}

/// Whether a text is a UUID as the server writes it.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_written_as_the_server_reads_them() {
        for (kind, constant, written) in [
            (Kind::Integer, Constant::Exact("-7".into()), "(-7)"),
            (Kind::Decimal(6, 2), Constant::Exact("123.45".into()), "123.45"),
            (Kind::Double, Constant::Double(1e300), "'1e300'::float8"),
            (Kind::Text, Constant::Text("O'Hara \\ ;--".into()), "'O''Hara \\ ;--'"),
            (Kind::Date, Constant::Date("1969-12-31".into()), "'1969-12-31'::date"),
            (
                Kind::Timestamp,
                Constant::Timestamp("1970-01-01 00:00:00.5".into()),
                "'1970-01-01 00:00:00.5+00'::timestamp",
            ),
            (
                Kind::Timestamptz,
                Constant::Timestamp("1970-01-01 00:00:00.5".into()),
                "'1970-01-01 00:00:00.5+00'::timestamptz",
            ),
        ] {
            let column = Column::new("c", kind, "c".into());
            assert_eq!(PostgresSql.constant(&column, &constant).as_deref(), Some(written));
        }
    }
}
