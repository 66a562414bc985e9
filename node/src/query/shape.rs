//! What a prepared statement looks like before it is asked.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{Asked, Engine, QueryError, text};

/// What a prepared statement looks like before its parameters are bound.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The answer's columns.
    pub dataset: SchemaRef,
    /// The parameters, named `$1`, `$2`, …; the type Null where the statement does not tell.
    pub parameters: SchemaRef,
}

impl Engine {
    /// What a statement's answer and parameters look like before values are bound.
    pub async fn shape(self: &Arc<Self>, asked: &Asked) -> Result<Shape, QueryError> {
        let counted = |error| self.unanswered(asked, error);
        let text::Ask::Query(statement) = text::parse(&asked.sql).map_err(counted)? else {
            return Ok(Shape { dataset: self.describe(asked).await?, parameters: Arc::new(Schema::empty()) });
        };
        let (state, _) = self.session(asked, &statement).await.map_err(counted)?;
        let planned = state.statement_to_plan(*statement).await;
        let plan = planned.map_err(|error| counted(QueryError::from_planning(&asked.sql, error)))?;
        let fields = plan.get_parameter_fields().map_err(|e| QueryError::from_planning(&asked.sql, e))?;
        if fields.is_empty() {
            return Ok(Shape { dataset: self.describe(asked).await?, parameters: Arc::new(Schema::empty()) });
        }
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.sort_by_key(|(name, _)| name.trim_start_matches('$').parse::<u32>().unwrap_or(u32::MAX));
        let parameters = fields.into_iter().map(|(name, field)| {
            let data_type = field.map_or(DataType::Null, |field| field.data_type().clone());
            Field::new(name, data_type, true)
        });
        let parameters = Arc::new(Schema::new(parameters.collect::<Vec<_>>()));
        Ok(Shape { dataset: Arc::clone(plan.schema().inner()), parameters })
    }
}
