//! The SQL of a view, read within the bounds of a question's.

use datafusion::sql::parser::Statement;

use super::text::{self, Ask};
use super::{QueryError, dialect};

/// Most tables in one view: a question may name many views.
const MOST_RELATIONS: u64 = 20;

/// Reads the SQL of a view: one query, of clauses that are answered here.
pub fn view(sql: &str) -> Result<Statement, QueryError> {
    let Ask::Query(statement) = text::parse(sql)? else {
        return Err(QueryError::refused("a view is a query, not an explanation of one".into()));
    };
    if let Statement::Statement(query) = statement.as_ref() {
        let relations = dialect::size(query);
        if relations > MOST_RELATIONS {
            let what = format!("a view is over {MOST_RELATIONS} tables at most, and this one over {relations}");
            return Err(QueryError::limit(what));
        }
    }
    Ok(*statement)
}
