//! What this server says of itself: the Flight SQL SqlInfo values and the types of its columns.

use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity,
    SqlSupportedGroupBy, SqlSupportedResultSetConcurrency, SqlSupportedResultSetType, SqlSupportedSubqueries,
    SqlSupportedTransaction, SqlSupportedUnions, SqlTransactionIsolationLevel, SupportedSqlGrammar, XdbcDataType,
    XdbcDatetimeSubcode,
};

use super::Limits;

/// What `GetSqlInfo` and `GetXdbcTypeInfo` are answered from.
pub(super) struct ServerInfo {
    pub(super) sql: SqlInfoData,
    pub(super) types: XdbcTypeInfoData,
}

impl ServerInfo {
    /// For a node with these limits.
    pub(super) fn new(limits: &Limits) -> Result<Self, FlightError> {
        let mut sql = SqlInfoDataBuilder::new();
        server(&mut sql, limits);
        grammar(&mut sql);
        terms(&mut sql, limits);
        nothing_changes(&mut sql);
        Ok(Self { sql: sql.build()?, types: types()? })
    }
}

fn server(info: &mut SqlInfoDataBuilder, limits: &Limits) {
    info.append(SqlInfo::FlightSqlServerName, "Meridian");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, arrow::ARROW_VERSION);
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    info.append(SqlInfo::FlightSqlServerCancel, true);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    info.append(SqlInfo::FlightSqlServerIngestTransactionsSupported, false);
    let milliseconds = i32::try_from(limits.time.as_millis()).unwrap_or(i32::MAX);
    info.append(SqlInfo::FlightSqlServerStatementTimeout, milliseconds);
    info.append(SqlInfo::FlightSqlServerTransactionTimeout, 0);
}

fn grammar(info: &mut SqlInfoDataBuilder) {
    // Bit i of a bitmask stands for the enumeration's value i.
    info.append(SqlInfo::SqlIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(SqlInfo::SqlQuotedIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32);
    info.append(SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32);
    info.append(SqlInfo::SqlKeywords, Vec::<String>::new());
    info.append(SqlInfo::SqlNumericFunctions, names(&["abs", "ceil", "floor", "power", "round", "sqrt", "trunc"]));
    let texts = ["concat", "length", "lower", "replace", "substr", "trim", "upper"];
    info.append(SqlInfo::SqlStringFunctions, names(&texts));
    info.append(SqlInfo::SqlSystemFunctions, names(&["coalesce", "nullif"]));
    info.append(SqlInfo::SqlDatetimeFunctions, names(&["current_date", "date_part", "date_trunc", "now"]));
    info.append(SqlInfo::SqlSearchStringEscape, "\\");
    info.append(SqlInfo::SqlExtraNameCharacters, "");
    info.append(SqlInfo::SqlSupportsColumnAliasing, true);
    info.append(SqlInfo::SqlNullPlusNullIsNull, true);
    info.append(SqlInfo::SqlSupportsTableCorrelationNames, true);
    info.append(SqlInfo::SqlSupportsDifferentTableCorrelationNames, false);
    info.append(SqlInfo::SqlSupportsExpressionsInOrderBy, true);
    info.append(SqlInfo::SqlSupportsOrderByUnrelated, true);
    let beyond = 1 << SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32;
    info.append(SqlInfo::SqlSupportedGroupBy, beyond | 1 << SqlSupportedGroupBy::SqlGroupByUnrelated as i32);
    info.append(SqlInfo::SqlSupportsLikeEscapeClause, true);
    info.append(SqlInfo::SqlSupportsNonNullableColumns, true);
    info.append(SqlInfo::SqlSupportedGrammar, 1 << SupportedSqlGrammar::SqlMinimumGrammar as i32);
    info.append(SqlInfo::SqlOuterJoinsSupportLevel, 1 << SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32);
    let subqueries = [
        SqlSupportedSubqueries::SqlSubqueriesInComparisons,
        SqlSupportedSubqueries::SqlSubqueriesInExists,
        SqlSupportedSubqueries::SqlSubqueriesInIns,
    ];
    info.append(SqlInfo::SqlSupportedSubqueries, subqueries.into_iter().fold(0, |bits, bit| bits | 1 << bit as i32));
    info.append(SqlInfo::SqlCorrelatedSubqueriesSupported, true);
    let unions = 1 << SqlSupportedUnions::SqlUnion as i32 | 1 << SqlSupportedUnions::SqlUnionAll as i32;
    info.append(SqlInfo::SqlSupportedUnions, unions);
    info.append(SqlInfo::SqlNamedParametersSupported, false);
}

fn terms(info: &mut SqlInfoDataBuilder, limits: &Limits) {
    info.append(SqlInfo::SqlCatalogTerm, "federation");
    info.append(SqlInfo::SqlSchemaTerm, "body");
    info.append(SqlInfo::SqlProcedureTerm, "");
    info.append(SqlInfo::SqlCatalogAtStart, true);
    // A dataset whose form is `statistics` answers aggregates only.
    info.append(SqlInfo::SqlAllTablesAreSelectable, false);
    info.append(SqlInfo::SqlMaxStatementLength, i64::try_from(limits.statement_bytes).unwrap_or(i64::MAX));
    info.append(SqlInfo::SqlMaxRowSize, i64::try_from(limits.message_bytes).unwrap_or(i64::MAX));
    info.append(SqlInfo::SqlMaxRowSizeIncludesBlobs, true);
    for name in [SqlInfo::SqlMaxCatalogNameLength, SqlInfo::SqlDbSchemaNameLength, SqlInfo::SqlMaxTableNameLength] {
        info.append(name, 63i64);
    }
    info.append(SqlInfo::SqlMaxColumnNameLength, 63i64);
    // Zero: no limit of its own, or none that is known.
    for unlimited in [
        SqlInfo::SqlMaxBinaryLiteralLength,
        SqlInfo::SqlMaxCharLiteralLength,
        SqlInfo::SqlMaxColumnsInGroupBy,
        SqlInfo::SqlMaxColumnsInIndex,
        SqlInfo::SqlMaxColumnsInOrderBy,
        SqlInfo::SqlMaxColumnsInSelect,
        SqlInfo::SqlMaxColumnsInTable,
        SqlInfo::SqlMaxConnections,
        SqlInfo::SqlMaxCursorNameLength,
        SqlInfo::SqlMaxIndexLength,
        SqlInfo::SqlMaxProcedureNameLength,
        SqlInfo::SqlMaxStatements,
        SqlInfo::SqlMaxTablesInSelect,
        SqlInfo::SqlMaxUsernameLength,
    ] {
        info.append(unlimited, 0i64);
    }
}

fn nothing_changes(info: &mut SqlInfoDataBuilder) {
    for no in [
        SqlInfo::SqlDdlCatalog,
        SqlInfo::SqlDdlSchema,
        SqlInfo::SqlDdlTable,
        SqlInfo::SqlSupportsIntegrityEnhancementFacility,
        SqlInfo::SqlSelectForUpdateSupported,
        SqlInfo::SqlStoredProceduresSupported,
        SqlInfo::SqlTransactionsSupported,
        SqlInfo::SqlDataDefinitionCausesTransactionCommit,
        SqlInfo::SqlDataDefinitionsInTransactionsIgnored,
        SqlInfo::SqlBatchUpdatesSupported,
        SqlInfo::SqlSavepointsSupported,
        SqlInfo::SqlLocatorsUpdateCopy,
        SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported,
    ] {
        info.append(no, false);
    }
    for none in [
        SqlInfo::SqlSchemasSupportedActions,
        SqlInfo::SqlCatalogsSupportedActions,
        SqlInfo::SqlSupportedPositionedCommands,
        SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified,
        SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive,
        SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive,
    ] {
        info.append(none, 0);
    }
    let none = SqlTransactionIsolationLevel::SqlTransactionNone as i32;
    info.append(SqlInfo::SqlDefaultTransactionIsolation, i64::from(none));
    info.append(SqlInfo::SqlSupportedTransactionsIsolationLevels, 1 << none);
    let forward = 1 << SqlSupportedResultSetType::SqlResultSetTypeForwardOnly as i32;
    info.append(SqlInfo::SqlSupportedResultSetTypes, forward);
    let read_only = 1 << SqlSupportedResultSetConcurrency::SqlResultSetConcurrencyReadOnly as i32;
    info.append(SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly, read_only);
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The types that a published column may have.
fn types() -> Result<XdbcTypeInfoData, FlightError> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    // BIGINT and BOOLEAN have no code of their own in XDBC: the nearest that is wide enough, and the name.
    types.append(number("BOOLEAN", XdbcDataType::XdbcSmallint, 1, None));
    types.append(number("INTEGER", XdbcDataType::XdbcInteger, 32, Some(2)));
    types.append(number("BIGINT", XdbcDataType::XdbcNumeric, 64, Some(2)));
    types.append(number("DOUBLE", XdbcDataType::XdbcDouble, 53, Some(2)));
    let decimal = number("DECIMAL", XdbcDataType::XdbcDecimal, 38, Some(10));
    types.append(XdbcTypeInfo {
        create_params: Some(names(&["precision", "scale"])),
        fixed_prec_scale: true,
        minimum_scale: Some(0),
        maximum_scale: Some(38),
        ..decimal
    });
    types.append(XdbcTypeInfo { case_sensitive: true, ..quoted("VARCHAR", XdbcDataType::XdbcVarchar, "'", i32::MAX) });
    types.append(XdbcTypeInfo {
        sql_data_type: XdbcDataType::XdbcDatetime,
        datetime_subcode: Some(XdbcDatetimeSubcode::XdbcSubcodeYear),
        ..quoted("DATE", XdbcDataType::XdbcDate, "DATE '", 10)
    });
    types.append(XdbcTypeInfo {
        sql_data_type: XdbcDataType::XdbcDatetime,
        datetime_subcode: Some(XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
        ..quoted("TIMESTAMP", XdbcDataType::XdbcTimestamp, "TIMESTAMP '", 26)
    });
    types.append(quoted("BYTEA", XdbcDataType::XdbcVarbinary, "X'", i32::MAX));
    types.build()
}

fn plain(name: &str, data_type: XdbcDataType, size: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        type_name: name.into(),
        data_type,
        sql_data_type: data_type,
        column_size: Some(size),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        auto_increment: Some(false),
        local_type_name: Some(name.into()),
        ..XdbcTypeInfo::default()
    }
}

fn number(name: &str, data_type: XdbcDataType, size: i32, radix: Option<i32>) -> XdbcTypeInfo {
    XdbcTypeInfo { unsigned_attribute: Some(false), num_prec_radix: radix, ..plain(name, data_type, size) }
}

fn quoted(name: &str, data_type: XdbcDataType, prefix: &str, size: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        literal_prefix: Some(prefix.into()),
        literal_suffix: Some("'".into()),
        ..plain(name, data_type, size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_said_can_be_asked_by_name_and_in_all() {
        let limits =
            Limits { streams: 1, message_bytes: 1 << 20, statement_bytes: 1 << 10, time: Duration::from_secs(1) };
        let info = ServerInfo::new(&limits).unwrap();
        assert_eq!(info.sql.record_batch([SqlInfo::FlightSqlServerTransaction as u32]).unwrap().num_rows(), 1);
        assert!(info.sql.record_batch([]).unwrap().num_rows() > 80);
        assert_eq!(info.types.record_batch(None).unwrap().num_rows(), 9);
        assert_eq!(info.types.record_batch(XdbcDataType::XdbcVarchar as i32).unwrap().num_rows(), 1);
    }
}
