//! The functions over geometry as SQL calls them: which arguments they take, and the value of each row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Float64Array, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::plan_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use geo::{Geometry, Point};

use super::{NoGeometry, binary, measure, relation, written};

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = ScalarUDF> {
    Function::ALL.into_iter().map(|function| {
        ScalarUDF::new_from_impl(OfGeometry { function, signature: Signature::user_defined(Volatility::Immutable) })
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Function {
    Point,
    OfText,
    OfGeoJson,
    OfBinary,
    OfHex,
    AsText,
    AsGeoJson,
    X,
    Y,
    Area,
    AreaSpheroid,
    Distance,
    DistanceSpheroid,
    Centroid,
    Contains,
    Within,
    Intersects,
}

/// What a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Number,
    Text,
    Geometry,
}

/// What a function gives.
enum Value {
    Number(f64),
    Truth(bool),
    Text(String),
    Geometry(Vec<u8>),
}

impl Function {
    const ALL: [Self; 17] = [
        Self::Point,
        Self::OfText,
        Self::OfGeoJson,
        Self::OfBinary,
        Self::OfHex,
        Self::AsText,
        Self::AsGeoJson,
        Self::X,
        Self::Y,
        Self::Area,
        Self::AreaSpheroid,
        Self::Distance,
        Self::DistanceSpheroid,
        Self::Centroid,
        Self::Contains,
        Self::Within,
        Self::Intersects,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Point => "st_point",
            Self::OfText => "st_geomfromtext",
            Self::OfGeoJson => "st_geomfromgeojson",
            Self::OfBinary => "st_geomfromwkb",
            Self::OfHex => "st_geomfromhexwkb",
            Self::AsText => "st_astext",
            Self::AsGeoJson => "st_asgeojson",
            Self::X => "st_x",
            Self::Y => "st_y",
            Self::Area => "st_area",
            Self::AreaSpheroid => "st_area_spheroid",
            Self::Distance => "st_distance",
            Self::DistanceSpheroid => "st_distance_spheroid",
            Self::Centroid => "st_centroid",
            Self::Contains => "st_contains",
            Self::Within => "st_within",
            Self::Intersects => "st_intersects",
        }
    }

    fn takes(self) -> &'static [Takes] {
        match self {
            Self::Point => &[Takes::Number, Takes::Number],
            Self::OfText | Self::OfGeoJson | Self::OfHex => &[Takes::Text],
            Self::OfBinary
            | Self::AsText
            | Self::AsGeoJson
            | Self::X
            | Self::Y
            | Self::Area
            | Self::AreaSpheroid
            | Self::Centroid => &[Takes::Geometry],
            Self::Distance | Self::DistanceSpheroid | Self::Contains | Self::Within | Self::Intersects => {
                &[Takes::Geometry, Takes::Geometry]
            }
        }
    }

    fn gives(self) -> DataType {
        match self {
            Self::Point | Self::OfText | Self::OfGeoJson | Self::OfBinary | Self::OfHex | Self::Centroid => {
                DataType::Binary
            }
            Self::AsText | Self::AsGeoJson => DataType::Utf8,
            Self::X | Self::Y | Self::Area | Self::AreaSpheroid | Self::Distance | Self::DistanceSpheroid => {
                DataType::Float64
            }
            Self::Contains | Self::Within | Self::Intersects => DataType::Boolean,
        }
    }

    /// The value of a row; NULL where an argument is.
    fn of(self, arguments: &mut [Argument<'_>], row: usize) -> Result<Option<Value>, NoGeometry> {
        match arguments {
            [Argument::Number(x), Argument::Number(y)] => {
                let (Some(x), Some(y)) = (x.at(row), y.at(row)) else { return Ok(None) };
                geometry(&binary::checked(Geometry::Point(Point::new(x, y)))?).map(Some)
            }
            [Argument::Text(text)] => match text.at(row) {
                Some(text) => self.of_text(text),
                None => Ok(None),
            },
            [Argument::Geometry(of)] => match of.at(row)? {
                Some(of) => self.of_one(of),
                None => Ok(None),
            },
            [Argument::Geometry(one), Argument::Geometry(other)] => match (one.at(row)?, other.at(row)?) {
                (Some(one), Some(other)) => self.of_two(one, other),
                _ => Ok(None),
            },
            _ => Err(NoGeometry("it has other arguments than it takes")),
        }
    }

    fn of_text(self, text: &str) -> Result<Option<Value>, NoGeometry> {
        let found = match self {
            Self::OfGeoJson => written::of_geojson(text)?,
            Self::OfHex => Some(written::of_hex(text)?),
            _ => Some(written::of_text(text)?),
        };
        found.map(|found| geometry(&found)).transpose()
    }

    fn of_one(self, of: &Geometry) -> Result<Option<Value>, NoGeometry> {
        Ok(match self {
            Self::AsText => Some(Value::Text(written::text(of))),
            Self::AsGeoJson => Some(Value::Text(written::geojson(of))),
            Self::X => measure::point(of)?.map(|point| Value::Number(point.x())),
            Self::Y => measure::point(of)?.map(|point| Value::Number(point.y())),
            Self::Area => Some(Value::Number(measure::area(of))),
            Self::AreaSpheroid => Some(Value::Number(measure::area_spheroid(of)?)),
            Self::Centroid => measure::centroid(of)?.map(|centre| geometry(&centre)).transpose()?,
            _ => Some(geometry(of)?),
        })
    }

    fn of_two(self, one: &Geometry, other: &Geometry) -> Result<Option<Value>, NoGeometry> {
        Ok(match self {
            Self::Distance => measure::distance(one, other)?.map(Value::Number),
            Self::DistanceSpheroid => measure::distance_spheroid(one, other)?.map(Value::Number),
            Self::Contains => Some(Value::Truth(relation::contains(one, other)?)),
            Self::Within => Some(Value::Truth(relation::contains(other, one)?)),
            _ => Some(Value::Truth(relation::intersects(one, other)?)),
        })
    }

    fn array(self, values: Vec<Option<Value>>) -> ArrayRef {
        match self.gives() {
            DataType::Binary => {
                let mut bytes = BinaryBuilder::new();
                values.into_iter().for_each(|value| match value {
                    Some(Value::Geometry(value)) => bytes.append_value(value),
                    _ => bytes.append_null(),
                });
                Arc::new(bytes.finish())
            }
            DataType::Utf8 => {
                let mut texts = StringBuilder::new();
                values.into_iter().for_each(|value| match value {
                    Some(Value::Text(value)) => texts.append_value(value),
                    _ => texts.append_null(),
                });
                Arc::new(texts.finish())
            }
            DataType::Boolean => {
                let truth = |value| if let Some(Value::Truth(truth)) = value { Some(truth) } else { None };
                Arc::new(values.into_iter().map(truth).collect::<BooleanArray>())
            }
            _ => {
                let number = |value| if let Some(Value::Number(number)) = value { Some(number) } else { None };
                Arc::new(values.into_iter().map(number).collect::<Float64Array>())
            }
        }
    }
}

fn geometry(of: &Geometry) -> Result<Value, NoGeometry> {
    binary::write(of).map(Value::Geometry)
}

/// An argument of all rows.
enum Argument<'a> {
    Number(Column<'a, Float64Array>),
    Text(Column<'a, StringArray>),
    Geometry(Geometries<'a>),
}

/// The values of rows, or one for all of them.
struct Column<'a, A> {
    values: &'a A,
    one: bool,
}

impl<A: Array> Column<'_, A> {
    fn index(&self, row: usize) -> Option<usize> {
        let index = if self.one { 0 } else { row };
        (index < self.values.len() && self.values.is_valid(index)).then_some(index)
    }
}

impl Column<'_, Float64Array> {
    fn at(&self, row: usize) -> Option<f64> {
        self.index(row).map(|index| self.values.value(index))
    }
}

impl<'a> Column<'a, StringArray> {
    fn at(&self, row: usize) -> Option<&'a str> {
        self.index(row).map(|index| self.values.value(index))
    }
}

/// Geometries of rows; the last one that was read is kept, since joins and constants repeat one for many rows.
struct Geometries<'a> {
    column: Column<'a, BinaryArray>,
    last: Option<(&'a [u8], Geometry)>,
}

impl Geometries<'_> {
    fn at(&mut self, row: usize) -> Result<Option<&Geometry>, NoGeometry> {
        let Some(index) = self.column.index(row) else { return Ok(None) };
        let bytes = self.column.values.value(index);
        if self.last.as_ref().is_none_or(|(known, _)| *known != bytes) {
            self.last = Some((bytes, binary::read(bytes)?));
        }
        Ok(self.last.as_ref().map(|(_, geometry)| geometry))
    }
}

/// A function over geometry.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfGeometry {
    function: Function,
    signature: Signature,
}

impl OfGeometry {
    /// The arguments by their types, which are those that coercion made of them.
    fn arguments<'a>(&self, arrays: &'a [(ArrayRef, bool)]) -> Option<Vec<Argument<'a>>> {
        let argument = |(takes, (array, one)): (&Takes, &'a (ArrayRef, bool))| {
            let one = *one;
            Some(match takes {
                Takes::Number => Argument::Number(Column { values: array.as_primitive_opt::<Float64Type>()?, one }),
                Takes::Text => Argument::Text(Column { values: array.as_string_opt()?, one }),
                Takes::Geometry => {
                    let column = Column { values: array.as_binary_opt()?, one };
                    Argument::Geometry(Geometries { column, last: None })
                }
            })
        };
        self.function.takes().iter().zip(arrays).map(argument).collect()
    }
}

impl ScalarUDFImpl for OfGeometry {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.function.gives())
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        let (name, takes) = (self.name(), self.function.takes());
        if found.len() != takes.len() {
            return plan_err!("{name} takes {} arguments, not {}", takes.len(), found.len());
        }
        takes.iter().zip(found).map(|(takes, found)| coerced(name, *takes, found)).collect()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let mut arrays = Vec::with_capacity(args.args.len());
        for arg in args.args {
            arrays.push(match arg {
                ColumnarValue::Array(array) => (array, false),
                // Not as often as there are rows: a constant may be a long one.
                ColumnarValue::Scalar(value) => (value.to_array()?, true),
            });
        }
        let failed = |why: NoGeometry| DataFusionError::Execution(format!("{}: {why}", self.name()));
        let arguments = self.arguments(&arrays);
        let mut arguments = arguments.ok_or_else(|| failed(NoGeometry("it has other arguments than it takes")))?;
        let values = (0..rows).map(|row| self.function.of(&mut arguments, row));
        let values = self.function.array(values.collect::<Result<Vec<_>, _>>().map_err(failed)?);
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)
        } else {
            ColumnarValue::Array(values)
        })
    }
}

/// The type that an argument is given in, or what to write in its place.
fn coerced(name: &str, takes: Takes, found: &DataType) -> Result<DataType> {
    match (takes, found) {
        (Takes::Number, found) if found.is_numeric() || found.is_null() => Ok(DataType::Float64),
        (Takes::Text, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null) => Ok(DataType::Utf8),
        (
            Takes::Geometry,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
            | DataType::Null,
        ) => Ok(DataType::Binary),
        (Takes::Number, _) => plan_err!("{name} takes numbers; CAST what stands there AS DOUBLE"),
        (Takes::Text, _) => plan_err!("{name} takes a text"),
        (Takes::Geometry, _) => {
            plan_err!(
                "{name} takes geometry as well-known binary; make it with st_geomfromtext, st_geomfromhexwkb or st_point"
            )
        }
    }
}
