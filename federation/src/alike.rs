//! What plans, physical and logical, and tables that are never scanned say of themselves in the same words.

/// The part of `impl ExecutionPlan` that all operators without expressions of their own have alike, inside the braces of the
/// `impl`: one of this name, whose expressions nobody rewrites.
#[macro_export]
macro_rules! plain_plan {
    ($name:literal) => {
        fn name(&self) -> &str {
            $name
        }

        fn apply_expressions(
            &self,
            _f: &mut dyn FnMut(
                &::std::sync::Arc<dyn ::datafusion::physical_expr::PhysicalExpr>,
            ) -> ::datafusion::error::Result<::datafusion::common::tree_node::TreeNodeRecursion>,
        ) -> ::datafusion::error::Result<::datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(::datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }

        fn with_new_children(
            self: ::std::sync::Arc<Self>,
            children: Vec<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>>,
        ) -> ::datafusion::error::Result<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
            use ::datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            ::datafusion::physical_plan::ExecutionPlan::replace_children(self, children, options)
        }
    };
}

/// The part that all leaves have alike: an operator without inputs, whose properties stand in its field `properties`.
#[macro_export]
macro_rules! leaf_plan {
    ($name:literal) => {
        $crate::plain_plan!($name);

        fn properties(&self) -> &::std::sync::Arc<::datafusion::physical_plan::PlanProperties> {
            &self.properties
        }

        fn children(&self) -> Vec<&::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
            vec![]
        }

        fn replace_children(
            self: ::std::sync::Arc<Self>,
            _children: Vec<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>>,
            _options: ::datafusion::physical_plan::execution_plan::ReplaceChildrenOptions,
        ) -> ::datafusion::error::Result<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
            Ok(self)
        }
    };
}

/// The part of `impl UserDefinedLogicalNodeCore` that all leaves have alike but for how they are explained: one of this name
/// without inputs and expressions, whose columns stand in its field `schema`.
#[macro_export]
macro_rules! leaf_node {
    ($name:literal) => {
        fn name(&self) -> &str {
            $name
        }

        fn inputs(&self) -> Vec<&::datafusion::logical_expr::LogicalPlan> {
            Vec::new()
        }

        fn schema(&self) -> &::datafusion::common::DFSchemaRef {
            &self.schema
        }

        fn expressions(&self) -> Vec<::datafusion::logical_expr::Expr> {
            Vec::new()
        }

        fn with_exprs_and_inputs(
            &self,
            exprs: Vec<::datafusion::logical_expr::Expr>,
            inputs: Vec<::datafusion::logical_expr::LogicalPlan>,
        ) -> ::datafusion::error::Result<Self> {
            if exprs.is_empty() && inputs.is_empty() {
                return Ok(self.clone());
            }
            let why = concat!($name, " is a leaf without expressions");
            Err(::datafusion::error::DataFusionError::Internal(why.to_owned()))
        }
    };
}

/// A table of which only the columns are known, in its field `schema`: something else takes its place in a plan, and to scan it
/// is this error.
#[macro_export]
macro_rules! unscanned_table {
    ($table:ty, $error:expr) => {
        #[::async_trait::async_trait]
        impl ::datafusion::catalog::TableProvider for $table {
            fn schema(&self) -> ::datafusion::arrow::datatypes::SchemaRef {
                ::std::sync::Arc::clone(&self.schema)
            }

            fn table_type(&self) -> ::datafusion::datasource::TableType {
                ::datafusion::datasource::TableType::Base
            }

            async fn scan(
                &self,
                _state: &dyn ::datafusion::catalog::Session,
                _projection: Option<&Vec<usize>>,
                _filters: &[::datafusion::logical_expr::Expr],
                _limit: Option<usize>,
            ) -> ::datafusion::error::Result<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
                let error: fn(&Self) -> ::datafusion::error::DataFusionError = $error;
                Err(error(self))
            }
        }
    };
}
