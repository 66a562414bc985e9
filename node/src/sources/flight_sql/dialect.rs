//! The SQL of each kind of engine, as far as it is its own.

use std::fmt;

use crate::sources::remote::{Column, Constant, Dialect, Kind, fits, signed, string};

/// Whose SQL an engine takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EngineDialect {
    /// Apache Spark's, and of those who follow it.
    Spark,
    /// Apache DataFusion's.
    DataFusion,
    /// What all have in common: only conditions that any engine understands alike, and each is looked at again here.
    #[default]
    Generic,
}

impl EngineDialect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Spark, Self::DataFusion, Self::Generic];

    pub(super) fn sql(self) -> &'static dyn Dialect {
        match self {
            Self::Spark => &Spark,
            Self::DataFusion => &DataFusion,
            Self::Generic => &Generic,
        }
    }
}

impl fmt::Display for EngineDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spark => "spark",
            Self::DataFusion => "datafusion",
            Self::Generic => "generic",
        })
    }
}

/// What a value may be cast to; whoever has no type for it is not asked.
fn cast(sql: &str, to: Kind, [text, bytes, local, zoned]: [&str; 4]) -> String {
    let word = match to {
        Kind::Boolean => "BOOLEAN",
        Kind::Integer => "INT",
        Kind::Bigint => "BIGINT",
        Kind::Double => "DOUBLE",
        Kind::Decimal(precision, scale) => return format!("CAST({sql} AS DECIMAL({precision}, {scale}))"),
        Kind::Date => "DATE",
        Kind::Timestamp => local,
        Kind::Timestamptz => zoned,
        Kind::Text => text,
        Kind::Bytes => bytes,
    };
    format!("CAST({sql} AS {word})")
}

/// A number of a column's own type: one of another would be compared in a third, which may have fewer digits.
fn number(column: &Column, constant: &Constant) -> Option<String> {
    let Constant::Exact(digits) = constant else { return None };
    if !fits(column.kind, constant) {
        return None;
    }
    Some(match column.kind {
        Kind::Decimal(precision, scale) => format!("CAST('{digits}' AS DECIMAL({precision}, {scale}))"),
        _ => signed(digits),
    })
}

/// Engines that are written in Rust tell NaNs apart by their signs, and take those with a minus for less than all else.
fn one_nan(double: &str) -> String {
    format!("nanvl({double}, CAST('NaN' AS DOUBLE))")
}

#[derive(Debug)]
struct Spark;

impl Dialect for Spark {
    fn name(&self, name: &str) -> String {
        format!("`{}`", name.replace('`', "``"))
    }

    fn constant(&self, column: &Column, constant: &Constant) -> Option<String> {
        Some(match constant {
            Constant::Boolean(value) => value.to_string(),
            Constant::Exact(_) => return number(column, constant),
            Constant::Double(value) => format!("CAST('{value:?}' AS DOUBLE)"),
            Constant::Text(text) => spark_text(text),
            Constant::Date(date) => format!("DATE '{date}'"),
            Constant::Timestamp(text) if column.kind == Kind::Timestamptz => format!("TIMESTAMP '{text}Z'"),
            Constant::Timestamp(text) => format!("TIMESTAMP_NTZ '{text}'"),
        })
    }

    fn cast(&self, sql: &str, to: Kind) -> String {
        cast(sql, to, ["STRING", "BINARY", "TIMESTAMP_NTZ", "TIMESTAMP"])
    }

    fn one_nan(&self, double: &str) -> String {
        one_nan(double)
    }

    fn compares_decimals(&self) -> bool {
        false
    }

    /// What is on the way may come from several workers.
    fn keeps_order(&self) -> bool {
        false
    }
}

/// A text. How backslashes and quotes are read is a setting there, and what looks like a variable may be replaced: such texts
/// are written as the bytes that they are.
fn spark_text(text: &str) -> String {
    let plain = |c: char| !c.is_control() && !matches!(c, '\'' | '"' | '\\' | '$');
    if text.chars().all(plain) { format!("'{text}'") } else { format!("CAST(X'{}' AS STRING)", hex::encode(text)) }
}

#[derive(Debug)]
struct DataFusion;

impl Dialect for DataFusion {
    fn constant(&self, column: &Column, constant: &Constant) -> Option<String> {
        Some(match constant {
            Constant::Boolean(value) => value.to_string(),
            Constant::Exact(_) => return number(column, constant),
            Constant::Double(value) => format!("CAST('{value:?}' AS DOUBLE)"),
            Constant::Text(text) => string(text),
            Constant::Date(date) => format!("DATE '{date}'"),
            // A literal of its own would be in nanoseconds, which reach to the year 2262.
            Constant::Timestamp(text) if column.kind == Kind::Timestamptz => {
                format!("arrow_cast('{text}Z', 'Timestamp(Microsecond, Some(\"UTC\"))')")
            }
            Constant::Timestamp(text) => format!("arrow_cast('{text}', 'Timestamp(Microsecond, None)')"),
        })
    }

    fn cast(&self, sql: &str, to: Kind) -> String {
        cast(sql, to, ["VARCHAR", "BYTEA", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"])
    }

    fn one_nan(&self, double: &str) -> String {
        one_nan(double)
    }

    fn compares_decimals(&self) -> bool {
        false
    }

    fn keeps_order(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Generic;

impl Dialect for Generic {
    fn constant(&self, column: &Column, constant: &Constant) -> Option<String> {
        match constant {
            Constant::Exact(_) => number(column, constant),
            // Whether a backslash or a doubled quote is one, is not agreed.
            Constant::Text(text) if !text.contains(|c: char| c.is_control() || matches!(c, '\'' | '\\')) => {
                Some(string(text))
            }
            Constant::Date(date) => Some(format!("DATE '{date}'")),
            Constant::Timestamp(text) if column.kind == Kind::Timestamp => Some(format!("TIMESTAMP '{text}'")),
            Constant::Boolean(_) | Constant::Double(_) | Constant::Text(_) | Constant::Timestamp(_) => None,
        }
    }

    fn cast(&self, sql: &str, to: Kind) -> String {
        cast(sql, to, ["VARCHAR", "VARBINARY", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"])
    }

    fn orders_texts(&self) -> bool {
        false
    }

    fn likes(&self) -> bool {
        false
    }

    fn compares_decimals(&self) -> bool {
        false
    }

    fn most_parts(&self) -> usize {
        256
    }

    fn is_exact(&self) -> bool {
        false
    }

    fn has_whole_queries(&self) -> bool {
        false
    }

    fn keeps_order(&self) -> bool {
        false
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_written_for_each_and_what_is_read_in_two_ways_for_none() {
        let exact = |digits: &str| Constant::Exact(digits.into());
        let text = |text: &str| Constant::Text(text.into());
        let moment = || Constant::Timestamp("1970-01-01 00:00:00.500000".into());
        let none = None::<&str>;
        for (kind, constant, written) in [
            (Kind::Bigint, exact("-7"), [Some("(-7)"), Some("(-7)"), Some("(-7)")]),
            (Kind::Bigint, exact("9223372036854775808"), [none; 3]),
            (Kind::Decimal(6, 2), exact("123.45"), [Some("CAST('123.45' AS DECIMAL(6, 2))"); 3]),
            (Kind::Decimal(6, 2), exact("0.001"), [none; 3]),
            (Kind::Decimal(6, 2), exact("12345"), [none; 3]),
            (
                Kind::Double,
                Constant::Double(1e300),
                [Some("CAST('1e300' AS DOUBLE)"), Some("CAST('1e300' AS DOUBLE)"), none],
            ),
            (Kind::Text, text("é %"), [Some("'é %'"), Some("'é %'"), Some("'é %'")]),
            (Kind::Text, text("O'H"), [Some("CAST(X'4f2748' AS STRING)"), Some("'O''H'"), none]),
            (Kind::Text, text("\\"), [Some("CAST(X'5c' AS STRING)"), Some("'\\'"), none]),
            (Kind::Text, text("${x}"), [Some("CAST(X'247b787d' AS STRING)"), Some("'${x}'"), Some("'${x}'")]),
            (
                Kind::Timestamptz,
                moment(),
                [
                    Some("TIMESTAMP '1970-01-01 00:00:00.500000Z'"),
                    Some("arrow_cast('1970-01-01 00:00:00.500000Z', 'Timestamp(Microsecond, Some(\"UTC\"))')"),
                    none,
                ],
            ),
            (
                Kind::Timestamp,
                moment(),
                [
                    Some("TIMESTAMP_NTZ '1970-01-01 00:00:00.500000'"),
                    Some("arrow_cast('1970-01-01 00:00:00.500000', 'Timestamp(Microsecond, None)')"),
                    Some("TIMESTAMP '1970-01-01 00:00:00.500000'"),
                ],
            ),
        ] {
            let column = Column::new("c", kind, "c".into());
            for (dialect, written) in EngineDialect::ALL.into_iter().zip(written) {
                let found = dialect.sql().constant(&column, &constant);
                assert_eq!(found.as_deref(), written, "{dialect}: {constant:?}");
            }
        }
        assert_eq!(Spark.name("a`b"), "`a``b`");
        assert_eq!(DataFusion.name("a\"b"), "\"a\"\"b\"");
    }
}
