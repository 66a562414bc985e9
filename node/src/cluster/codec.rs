//! Plans as bytes and back: DataFusion's own operators by its protocol, and beside these what is ours below a release.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, LazyLock};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState, TaskContext};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::DistributedCodec;
use datafusion_proto::bytes::physical_plan_to_bytes_with_proto_converter;
use datafusion_proto::physical_plan::{
    ComposedPhysicalExtensionCodec, DeduplicatingProtoConverter, PhysicalExtensionCodec,
    PhysicalProtoConverterExtension,
};
use meridian_federation::session;
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::gate::{self, ShippedAggregate, ShippedMark, ShippedScalar};
use crate::sources::{self, ShippedFunction};

/// A plan as a worker reads it; an error where a part of it is for this node alone.
pub(super) fn encoded(plan: Arc<dyn ExecutionPlan>) -> Result<Vec<u8>> {
    let bytes =
        physical_plan_to_bytes_with_proto_converter(plan, &Sending::new(), &DeduplicatingProtoConverter::default())?;
    Ok(bytes.to_vec())
}

/// The session of a worker knows these: DataFusion's functions, and those that mappings call by their names.
pub(super) fn known_functions() -> Result<&'static SessionState> {
    static KNOWN: LazyLock<Result<SessionState>> = LazyLock::new(|| {
        let mut state = session::session_builder(session::session_config()).build();
        for function in sources::named_functions() {
            state.register_udf(Arc::new(function))?;
        }
        Ok(state)
    });
    KNOWN.as_ref().map_err(|_| foreign("the list of functions"))
}

/// A scalar function: by its name, or by what it holds.
#[derive(Serialize, Deserialize)]
enum Scalar {
    Named(String),
    OfRows(ShippedFunction),
    OfGate { form: ShippedScalar, of: Option<Box<Scalar>> },
}

impl Scalar {
    fn of(function: &ScalarUDF) -> Result<Self> {
        if let Some((form, of)) = gate::ship_scalar(function)? {
            let of = of.map(|of| Self::of(&of).map(Box::new)).transpose()?;
            return Ok(Self::OfGate { form, of });
        }
        if let Some(shipped) = sources::ship_function(function)? {
            return Ok(Self::OfRows(shipped));
        }
        // The same name is the same function only where it is known to be.
        let known = known_functions()?.udf(function.name()).map_err(|_| foreign(function.name()))?;
        if type_of(&known) == type_of(function) {
            Ok(Self::Named(function.name().to_owned()))
        } else {
            Err(foreign(function.name()))
        }
    }

    fn function(self) -> Result<Arc<ScalarUDF>> {
        match self {
            Self::Named(name) => known_functions()?.udf(&name),
            Self::OfRows(shipped) => shipped.function(),
            Self::OfGate { form, of } => form.function(of.map(|of| of.function()).transpose()?),
        }
    }
}

fn type_of(function: &ScalarUDF) -> TypeId {
    let of: &dyn Any = function.inner().as_ref();
    of.type_id()
}

/// What is ours, as the worker's session reads it.
#[derive(Debug)]
pub(super) struct Ours;

impl PhysicalExtensionCodec for Ours {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = inputs else { return Err(foreign("a mark of several inputs")) };
        Ok(read::<ShippedMark>(buf)?.over(Arc::clone(input)))
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let mark = gate::ship_mark(&node).ok_or_else(|| foreign(node.name()))?;
        write(&mark, buf)
    }

    fn try_decode_udf(&self, _: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        read::<Scalar>(buf)?.function()
    }

    fn try_decode_udaf(&self, _: &str, buf: &[u8]) -> Result<Arc<AggregateUDF>> {
        Ok(read::<ShippedAggregate>(buf)?.function())
    }
}

/// The codec of who sends. [`ComposedPhysicalExtensionCodec`] gives functions to its first codec alone, which takes each of them
/// for one that is known by its name: so they are put under the second one's number here, where that is to read them.
struct Sending(ComposedPhysicalExtensionCodec);

/// The number of [`Ours`] among the codecs of a worker's session.
const OURS: u32 = 1;

/// What [`ComposedPhysicalExtensionCodec`] reads.
#[derive(Clone, PartialEq, Message)]
struct Numbered {
    #[prost(uint32, tag = "1")]
    codec: u32,
    #[prost(bytes = "vec", tag = "2")]
    content: Vec<u8>,
}

impl Sending {
    fn new() -> Self {
        Self(ComposedPhysicalExtensionCodec::new(vec![Arc::new(DistributedCodec), Arc::new(Ours)]))
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending")
    }
}

impl PhysicalExtensionCodec for Sending {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.0.try_decode(buf, inputs, context, converter)
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        self.0.try_encode(node, buf, converter)
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        match Scalar::of(node)? {
            Scalar::Named(_) => Ok(()),
            scalar => numbered(&scalar, buf),
        }
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, buf: &mut Vec<u8>) -> Result<()> {
        match gate::ship_aggregate(node) {
            Some(aggregate) => numbered(&aggregate, buf),
            None => known_functions()?.udaf(node.name()).map(drop).map_err(|_| foreign(node.name())),
        }
    }
}

fn numbered(of: &impl Serialize, buf: &mut Vec<u8>) -> Result<()> {
    let mut content = Vec::new();
    write(of, &mut content)?;
    Numbered { codec: OURS, content }.encode(buf).map_err(|_| foreign("what is too long"))
}

fn write(of: &impl Serialize, buf: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(buf, of).map_err(|_| foreign("what can't be written"))
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|_| foreign("what can't be read"))
}

fn foreign(what: &str) -> DataFusionError {
    DataFusionError::NotImplemented(format!("{what} does not go to workers"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;
    use datafusion::logical_expr::ScalarUDFImpl;
    use datafusion::prelude::SessionContext;
    use datafusion_distributed::DistributedExt;
    use datafusion_proto::bytes::physical_plan_from_bytes_with_proto_converter;

    use super::*;

    /// A plan as a worker has it.
    fn there_and_back(plan: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let bytes = encoded(Arc::clone(plan)).unwrap();
        let mut config = session::session_config();
        config.set_distributed_user_codec_arc(Arc::new(Ours));
        let known = SessionStateBuilder::new_from_existing(known_functions().unwrap().clone());
        let context = SessionContext::new_with_state(known.with_config(config).build()).task_ctx();
        let codec = ComposedPhysicalExtensionCodec::new(vec![Arc::new(DistributedCodec), Arc::new(Ours)]);
        let converter = DeduplicatingProtoConverter::default();
        physical_plan_from_bytes_with_proto_converter(&bytes, &context, &codec, &converter).unwrap()
    }

    async fn planned(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
        context.sql(sql).await.unwrap().create_physical_plan().await.unwrap()
    }

    fn shown(plan: &Arc<dyn ExecutionPlan>) -> String {
        datafusion::physical_plan::displayable(plan.as_ref()).indent(true).to_string()
    }

    #[tokio::test]
    async fn functions_that_are_known_by_name_go_and_others_do_not() {
        let context = SessionContext::from(known_functions().unwrap().clone());
        let sql = "SELECT upper(column1) AS a, parse_money(column1) AS b, st_x(st_point(column2, 2.0)) AS c \
                   FROM (VALUES ('1', 1.0), ('2', 2.0))";
        let plan = planned(&context, sql).await;
        assert_eq!(shown(&there_and_back(&plan)), shown(&plan));

        #[derive(Debug, PartialEq, Eq, Hash)]
        struct Upper(datafusion::logical_expr::Signature);
        impl ScalarUDFImpl for Upper {
            fn name(&self) -> &str {
                "upper"
            }
            fn signature(&self) -> &datafusion::logical_expr::Signature {
                &self.0
            }
            fn return_type(&self, _: &[arrow::datatypes::DataType]) -> Result<arrow::datatypes::DataType> {
                Ok(arrow::datatypes::DataType::Utf8)
            }
            fn invoke_with_args(
                &self,
                args: datafusion::logical_expr::ScalarFunctionArgs,
            ) -> Result<datafusion::logical_expr::ColumnarValue> {
                args.args.into_iter().next().ok_or_else(|| foreign("nothing"))
            }
        }
        let signature = datafusion::logical_expr::Signature::any(1, datafusion::logical_expr::Volatility::Volatile);
        context.register_udf(ScalarUDF::new_from_impl(Upper(signature)));
        let plan = planned(&context, "SELECT upper('a') AS a").await;
        assert!(encoded(plan).is_err(), "a function that has the name of another one");
    }
}
