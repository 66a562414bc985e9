//! The columns of a table as the server's catalogue has them, and how each is read.

use std::sync::Arc;

use tokio_postgres::Row;

use super::dialect::PostgresSql;
use super::fault::Fault;
use super::kind::{decimal, has_place};
use super::server::Server;
use crate::sources::remote::{Column, Dialect, Kind};

/// What is known of a table.
#[derive(Debug)]
pub(super) struct Found {
    /// Its columns, in order.
    pub(super) columns: Vec<Column>,
    /// Whether the database holds its texts as UTF-8, so that their bytes order as they do here.
    pub(super) utf8: bool,
}

const ENCODING: &str = "SELECT pg_catalog.pg_encoding_to_char(encoding)::text FROM pg_catalog.pg_database \
     WHERE datname = pg_catalog.current_database()";

/// A domain is followed to the type that it is made of.
const COLUMNS: &str = "WITH RECURSIVE own AS (\
       SELECT a.attnum, a.attname::text AS name, a.atttypid AS type, a.atttypmod AS modifier, a.attcollation AS collation \
       FROM pg_catalog.pg_attribute a \
       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
       WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
         AND a.attnum > 0 AND NOT a.attisdropped\
     ), based AS (\
       SELECT * FROM own UNION ALL \
       SELECT b.attnum, b.name, t.typbasetype, t.typtypmod, b.collation \
       FROM based b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE t.typtype = 'd'\
     ) \
     SELECT b.name, b.modifier, t.typname::text, s.nspname::text, coalesce(c.collisdeterministic, true), \
       t.typcategory = 'A' AND t.typlen = -1 \
     FROM based b JOIN pg_catalog.pg_type t ON t.oid = b.type JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace \
     LEFT JOIN pg_catalog.pg_collation c ON c.oid = b.collation WHERE t.typtype <> 'd' ORDER BY b.attnum";

/// Asks the server's catalogue.
pub(super) async fn of(server: &Arc<Server>, schema: &str, table: &str) -> Result<Found, Fault> {
    let mut reading = server.read().await?;
    let encoding = reading.query(ENCODING, &[]).await?;
    let encoding: String = encoding.first().and_then(|row| row.try_get(0).ok()).ok_or(Fault::Catalogue)?;
    if encoding == "SQL_ASCII" {
        return Err(Fault::Encoding);
    }
    let rows = reading.query(COLUMNS, &[&schema, &table]).await?;
    if rows.is_empty() {
        return Err(Fault::NoTable);
    }
    let columns = rows.iter().map(column).collect::<Option<Vec<_>>>().ok_or(Fault::Catalogue)?;
    reading.end().await?;
    Ok(Found { columns, utf8: encoding == "UTF8" })
}

fn column(row: &Row) -> Option<Column> {
    let name: String = row.try_get(0).ok()?;
    let modifier: i32 = row.try_get(1).ok()?;
    let (found, schema): (String, String) = (row.try_get(2).ok()?, row.try_get(3).ok()?);
    let (deterministic, is_array): (bool, bool) = (row.try_get(4).ok()?, row.try_get(5).ok()?);
    let own = PostgresSql.name(&name);
    let system = schema == "pg_catalog";
    let is = |kind| Column { place: has_place(kind, &own), ..Column::new(&name, kind, own.clone()) };
    let cast = |kind, to: &str| Column { compared: own.clone(), ..Column::new(&name, kind, format!("{own}::{to}")) };
    let text = |sql: String| Column::new(&name, Kind::Text, sql);
    // Two texts are the same here where their bytes are.
    let exact = |column: Column| if deterministic { column } else { text(format!("({own}::text COLLATE \"C\")")) };
    Some(match found.as_str() {
        "bool" if system => is(Kind::Boolean),
        "int2" if system => cast(Kind::Integer, "int4"),
        "int4" if system => is(Kind::Integer),
        "int8" if system => is(Kind::Bigint),
        "oid" if system => Column::new(&name, Kind::Bigint, format!("{own}::int8")),
        "float4" if system => Column::new(&name, Kind::Double, format!("{own}::float8")),
        "float8" if system => is(Kind::Double),
        "numeric" if system => decimal(modifier).map_or_else(|| text(format!("{own}::text")), is),
        "date" if system => is(Kind::Date),
        "timestamp" if system => is(Kind::Timestamp),
        "timestamptz" if system => is(Kind::Timestamptz),
        "text" | "varchar" if system => exact(is(Kind::Text)),
        "bytea" if system => text(format!("encode({own}, 'hex')")),
        "uuid" if system => Column { uuid: Some(own.clone()), ..text(format!("{own}::text")) },
        "geometry" | "geography" => text(format!("encode({}.st_asbinary({own}), 'hex')", PostgresSql.name(&schema))),
        _ if is_array => text(format!("array_to_json({own})::text")),
        _ => text(format!("({own}::text COLLATE \"C\")")),
    })
}
