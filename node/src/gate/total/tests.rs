//! Every function that is made total, over values of all kinds: it never fails, and where the plain form has a value, it
//! has the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::config::ConfigOptions;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{ColumnarValue, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, col};
use datafusion::scalar::ScalarValue;

use super::super::functions::{self, Totality, Use};
use super::wrapped::{Wrapped, total_call, wrap};
use super::*;
use crate::geometry;
use crate::telemetry;

/// Rows of each trial.
const ROWS: usize = 12;
/// Most signatures that are tried of one function.
const MOST_SIGNATURES: usize = 40;

/// Values of a type: none, nothing, the ends, the odd.
fn pool(data_type: &DataType) -> Option<Vec<ScalarValue>> {
    let texts = [
        "",
        "a",
        "A b",
        "é",
        "日本語テキスト",
        "🦀x",
        "-1",
        "0",
        "1",
        "3.5",
        "1e400",
        "99999999999999999999",
        "(",
        "a+(b|c",
        "[",
        "\\",
        "year",
        "day",
        "%Y-%m-%d",
        "%Q%",
        "2020-02-30",
        "2020-02-29",
        "2020-02-29T12:34:56",
        "12:34:56",
        "+00:00",
        "Europe/London",
        "g",
        "i",
        "true",
        "\u{0}",
    ];
    let shapes =
        ["POINT(1 2)", "POLYGON((0 0, 4 0, 4 4, 0 0))", "{\"type\":\"Point\",\"coordinates\":[1,2]}", "0101000000"];
    let bytes = *data_type == DataType::Binary;
    // Well-known binary: a point, and one that lies nowhere.
    let points = || {
        let point = |x: f64| [&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &2.0_f64.to_le_bytes()].concat();
        [1.0, f64::INFINITY].into_iter().filter(move |_| bytes).map(move |x| ScalarValue::Binary(Some(point(x))))
    };
    let integers = [i64::MIN, -1_000_000, -1, 0, 1, 2, 3, 21, 63, 64, 255, 1_114_112, 2_147_483_648, i64::MAX];
    let floats =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN, -1.5, -0.0, 0.0, 0.5, 1.0, 20.5, 1e19, f64::MAX];
    let of = |value: ScalarValue| value.cast_to(data_type).ok();
    let mut values: Vec<ScalarValue> = match data_type {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => {
            texts.iter().chain(&shapes).filter_map(|text| of(ScalarValue::from(*text))).chain(points()).collect()
        }
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            integers.iter().filter_map(|value| of(ScalarValue::Int64(Some(*value)))).collect()
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            integers.iter().filter_map(|value| of(ScalarValue::Int64(Some(*value)))).collect()
        }
        DataType::Float32 | DataType::Float64 => {
            floats.iter().filter_map(|value| of(ScalarValue::Float64(Some(*value)))).collect()
        }
        DataType::Boolean => vec![ScalarValue::Boolean(Some(true)), ScalarValue::Boolean(Some(false))],
        DataType::Date32 => {
            [i32::MIN, -800_000, -1, 0, 18_321, 3_000_000, i32::MAX].map(|d| ScalarValue::Date32(Some(d))).into()
        }
        DataType::Timestamp(unit, zone) => integers
            .iter()
            .chain(&[1_582_979_696_000_000, -62_135_596_800])
            .map(|value| match unit {
                TimeUnit::Second => ScalarValue::TimestampSecond(Some(*value), zone.clone()),
                TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(*value), zone.clone()),
                TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(*value), zone.clone()),
                TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(*value), zone.clone()),
            })
            .collect(),
        DataType::Decimal128(precision, scale) => {
            let most = 10_i128.pow(u32::from(*precision)) - 1;
            [-most, -1, 0, 1, 2_500, most].map(|v| ScalarValue::Decimal128(Some(v), *precision, *scale)).into()
        }
        DataType::Interval(_) => ["1 month", "1 day", "0 days", "-3 hours", "1 nanosecond"]
            .iter()
            .filter_map(|text| of(ScalarValue::from(*text)))
            .collect(),
        _ => return None,
    };
    values.push(ScalarValue::try_from(data_type).ok()?);
    Some(values)
}

/// What SQL can hand to a function.
fn types() -> Vec<DataType> {
    vec![
        DataType::Utf8,
        DataType::Int64,
        DataType::Int32,
        DataType::Float64,
        DataType::Date32,
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Decimal128(38, 4),
        DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano),
        DataType::Binary,
    ]
}

fn field(data_type: &DataType) -> FieldRef {
    Arc::new(Field::new("a", data_type.clone(), true))
}

/// The argument types that a function takes, after coercion; each once.
fn tuples(function: &ScalarUDF) -> Vec<Vec<DataType>> {
    let mut open: Vec<Vec<DataType>> = vec![vec![]];
    let mut found: Vec<Vec<DataType>> = Vec::new();
    for arity in 1..=4 {
        open = open
            .iter()
            // From the third argument on, more of the same kind as the second, or text.
            .flat_map(|tuple| {
                let next = if arity <= 2 { types() } else { vec![DataType::Utf8, DataType::Int64] };
                next.into_iter().map(|data_type| tuple.iter().cloned().chain([data_type]).collect())
            })
            .collect();
        for tuple in &open {
            let fields: Vec<FieldRef> = tuple.iter().map(field).collect();
            let Ok(coerced) = fields_with_udf(&fields, function) else { continue };
            let coerced: Vec<DataType> = coerced.iter().map(|field| field.data_type().clone()).collect();
            if !found.contains(&coerced) {
                found.push(coerced);
            }
        }
    }
    let step = found.len().div_ceil(MOST_SIGNATURES).max(1);
    found.into_iter().step_by(step).collect()
}

/// A small generator, so that a seed says it all.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

struct Trial {
    args: Vec<ColumnarValue>,
    fields: Vec<FieldRef>,
}

/// Arguments of these types: all of them columns, or some of them constants.
fn trial(types: &[DataType], constants: usize, draw: &mut Draw) -> Option<Trial> {
    let mut args = Vec::new();
    for (index, data_type) in types.iter().enumerate() {
        let pool = pool(data_type)?;
        args.push(if constants & (1 << index) == 0 {
            let values: Vec<ScalarValue> = (0..ROWS).map(|_| pool[draw.below(pool.len())].clone()).collect();
            ColumnarValue::Array(ScalarValue::iter_to_array(values).ok()?)
        } else {
            ColumnarValue::Scalar(pool[draw.below(pool.len())].clone())
        });
    }
    Some(Trial { args, fields: types.iter().map(field).collect() })
}

impl Trial {
    fn call(&self, function: &ScalarUDF, rows: std::ops::Range<usize>) -> Option<ArrayRef> {
        let scalars: Vec<Option<ScalarValue>> = self
            .args
            .iter()
            .map(|arg| match arg {
                ColumnarValue::Scalar(value) => Some(value.clone()),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        let scalars: Vec<Option<&ScalarValue>> = scalars.iter().map(Option::as_ref).collect();
        let of = ReturnFieldArgs { arg_fields: &self.fields, scalar_arguments: &scalars };
        let args = self.args.iter().map(|arg| match arg {
            ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(rows.start, rows.len())),
            ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
        });
        let args = ScalarFunctionArgs {
            return_field: function.return_field_from_args(of).ok()?,
            args: args.collect(),
            arg_fields: self.fields.clone(),
            number_rows: rows.len(),
            config_options: Arc::new(ConfigOptions::default()),
        };
        let value = telemetry::quietly(|| function.invoke_with_args(args))?.ok()?;
        let scalar = self.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let value = match value {
            ColumnarValue::Array(array) if scalar && array.len() == 1 => {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0).unwrap())
            }
            value => value,
        };
        value.into_array(rows.len()).ok().filter(|array| array.len() == rows.len())
    }
}

/// The total form over the batch against the plain form row by row.
fn compare(plain: &ScalarUDF, total: &ScalarUDF, trial: &Trial) -> Result<(), String> {
    let planned = trial.call(plain, 0..0).is_some() || (0..ROWS).any(|row| trial.call(plain, row..row + 1).is_some());
    let Some(found) = trial.call(total, 0..ROWS) else {
        return if planned { Err("the total form failed".to_owned()) } else { Ok(()) };
    };
    for row in 0..ROWS {
        let found = ScalarValue::try_from_array(&found, row).unwrap();
        let plain = trial.call(plain, row..row + 1).map(|array| ScalarValue::try_from_array(&array, 0).unwrap());
        let fits = match &plain {
            Some(expected) => same(&found, expected),
            None => found.is_null(),
        };
        if !fits {
            return Err(format!("row {row} is {found:?}, not {plain:?}"));
        }
    }
    Ok(())
}

fn same(one: &ScalarValue, other: &ScalarValue) -> bool {
    match (one, other) {
        (ScalarValue::Float64(Some(one)), ScalarValue::Float64(Some(other))) => {
            one.to_bits() == other.to_bits() || one == other
        }
        (ScalarValue::Float32(Some(one)), ScalarValue::Float32(Some(other))) => {
            one.to_bits() == other.to_bits() || one == other
        }
        (one, other) => one == other || (one.is_null() && other.is_null()),
    }
}

#[test]
fn every_function_made_total_is_total_and_otherwise_the_same() {
    telemetry::report_panics(std::panic::take_hook());
    let mut build = SessionStateBuilder::new().with_default_features().build();
    geometry::functions().for_each(|function| drop(build.register_udf(Arc::new(function)).unwrap()));
    let mut names: Vec<&String> = build.scalar_functions().keys().collect();
    names.sort_unstable();
    let mut untried = Vec::new();
    let mut wrong = Vec::new();
    for name in names {
        let function = &build.scalar_functions()[name];
        let made = functions::scalar(name).is_ok() && functions::totality(name) == Totality::MadeTotal;
        if function.name() != name || !made {
            continue;
        }
        let call = ScalarFunction { func: Arc::clone(function), args: vec![] };
        let mut tried = 0;
        for types in tuples(function) {
            let total = total_call(ScalarFunction { args: vec![col("a"); types.len()], ..call.clone() }).func;
            let every = (1 << types.len()) - 1;
            for constants in [0, every & !1, every & !2, 1, every] {
                let seed = 4_711 + constants as u64;
                let Some(trial) = trial(&types, constants, &mut Draw(seed)) else { continue };
                if let Err(why) = compare(function, &total, &trial) {
                    wrong.push(format!("{name}, seed {seed}, constants {constants:b}: {why}: {:?}", trial.args));
                }
                tried += 1;
            }
        }
        if tried == 0 {
            untried.push(name.as_str());
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
    assert!(untried.is_empty(), "no values for the arguments of {untried:?}");
}

/// Functions that are total as they are, which is why they are not wrapped.
#[test]
fn every_function_that_is_total_has_a_value_for_everything() {
    telemetry::report_panics(std::panic::take_hook());
    let build = SessionStateBuilder::new().with_default_features().build();
    let mut wrong = Vec::new();
    for name in ["btrim", "ltrim", "rtrim", "upper", "lower", "starts_with", "nullif"] {
        let function = &build.scalar_functions()[name];
        for types in tuples(function) {
            for constants in 0..1 << types.len() {
                let Some(trial) = trial(&types, constants, &mut Draw(99)) else { continue };
                if trial.call(function, 0..ROWS).is_none() {
                    wrong.push(format!("{name} of {:?}", trial.args));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Operators against what they are by hand.
#[test]
fn operators_have_the_plain_value_or_none() {
    let of = |op: Operator, left: i64, right: i64| {
        let Expr::ScalarFunction(call) = wrap(Wrapped::Operator(op), vec![col("a"), col("b")]) else { unreachable!() };
        let column = |value: i64| ColumnarValue::Array(ScalarValue::Int64(Some(value)).to_array_of_size(ROWS).unwrap());
        let trial = Trial { args: vec![column(left), column(right)], fields: vec![field(&DataType::Int64); 2] };
        let found = trial.call(&call.func, 0..ROWS).unwrap();
        assert_eq!(found.len(), ROWS);
        match ScalarValue::try_from_array(&found, ROWS - 1).unwrap() {
            ScalarValue::Int64(value) => value,
            other => panic!("{other:?}"),
        }
    };
    let values = [i64::MIN, -7, -1, 0, 1, 7, i64::MAX];
    for left in values {
        for right in values {
            assert_eq!(of(Operator::Plus, left, right), left.checked_add(right), "{left} + {right}");
            assert_eq!(of(Operator::Minus, left, right), left.checked_sub(right), "{left} - {right}");
            assert_eq!(of(Operator::Multiply, left, right), left.checked_mul(right), "{left} * {right}");
            assert_eq!(of(Operator::Divide, left, right), left.checked_div(right), "{left} / {right}");
            let modulo = if right == 0 { None } else { Some(left.wrapping_rem(right)) };
            assert_eq!(of(Operator::Modulo, left, right), modulo, "{left} % {right}");
        }
    }
    assert_eq!(functions::operator(Operator::RegexMatch), Use::Pattern);
}

#[test]
fn a_pattern_that_can_not_be_read_matches_nothing_and_excludes_nothing() {
    for op in [Operator::RegexMatch, Operator::RegexIMatch, Operator::RegexNotMatch, Operator::RegexNotIMatch] {
        let Expr::ScalarFunction(call) = wrap(Wrapped::Operator(op), vec![col("a"), col("b")]) else { unreachable!() };
        let texts = ScalarValue::iter_to_array(["b", "(", "b"].map(ScalarValue::from)).unwrap();
        let args = vec![ColumnarValue::Scalar(ScalarValue::from("b")), ColumnarValue::Array(texts)];
        let trial = Trial { args, fields: vec![field(&DataType::Utf8); 2] };
        let found = trial.call(&call.func, 0..3).unwrap();
        let found = as_boolean_array(&found).unwrap();
        let matched = matches!(op, Operator::RegexMatch | Operator::RegexIMatch);
        assert_eq!(found.iter().collect::<Vec<_>>(), [Some(matched), None, Some(matched)], "{op}");
    }
}
