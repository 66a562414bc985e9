//! What of an open dataset can be drawn, gathered while its file is written: shapes where there is geometry, London's boroughs
//! where a column holds their codes.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};
use arrow::error::ArrowError;
use geo::{Coord, Geometry, LineString};
use meridian_examples::london::tiles;
use meridian_proto::{Column, Dataset, Role};

use super::kind;
use crate::geometry;
use crate::portal::{Map, Shaded};

/// What a column is of that holds the codes of boroughs.
const BOROUGH: &str = "gss:borough";
/// Shades of a map of boroughs.
const SHADES: usize = 5;
/// Coordinates that are held until all are known.
const MOST_POINTS: usize = 200_000;
/// Width of a picture of shapes, and the most that it is high.
const PICTURE: (f64, f64) = (640.0, 640.0);
/// What stands between shapes and the picture's edge.
const MARGIN: f64 = 8.0;
/// Points are put where lines of a grid cross, so wide at first and at last.
const GRID: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// The most bytes of a picture's shapes: a page is not to weigh more than 1.5 MB.
const MOST_BYTES: usize = 400_000;

/// What is gathered of a dataset as its rows come.
#[derive(Debug)]
pub(super) enum Drawing {
    /// Nothing of it can be drawn.
    Nothing,
    Boroughs(Boroughs),
    Shapes(Shapes),
}

/// Rows and a figure by borough.
#[derive(Debug)]
pub(super) struct Boroughs {
    codes: usize,
    figure: Option<(usize, String)>,
    found: BTreeMap<String, Found>,
    others: u64,
}

/// What there is of a borough.
#[derive(Debug, Default)]
struct Found {
    rows: u64,
    figure: Option<f64>,
}

/// Shapes, each with all of its parts.
#[derive(Debug)]
pub(super) struct Shapes {
    texts: usize,
    shapes: Vec<Shape>,
    points: usize,
    rows: u64,
}

#[derive(Debug, Default)]
struct Shape {
    rings: Vec<Vec<Coord>>,
    lines: Vec<Vec<Coord>>,
    points: Vec<Coord>,
}

impl Drawing {
    /// For the rows of a dataset, whose geometry comes as well-known text.
    pub(super) fn new(dataset: &Dataset, schema: &Schema) -> Self {
        let place = |column: &Column| schema.index_of(column.name.as_str()).ok();
        if let Some(texts) = kind::geometry(dataset).and_then(place) {
            return Self::Shapes(Shapes { texts, shapes: Vec::new(), points: 0, rows: 0 });
        }
        let mut columns = dataset.visible_columns();
        let Some(codes) = columns.find(|column| column.concept == BOROUGH).and_then(place) else {
            return Self::Nothing;
        };
        let is_figure = |column: &&Column| {
            let kind = place(column).map(|place| schema.field(place).data_type().is_numeric());
            column.role == Role::Measure && kind == Some(true)
        };
        let figure = dataset.visible_columns().find(is_figure).and_then(|column| {
            let (name, unit) = (column.name.as_str(), column.unit.as_str());
            let told = if unit.is_empty() || unit == name { name.to_owned() } else { format!("{name}, {unit}") };
            Some((place(column)?, told))
        });
        Self::Boroughs(Boroughs { codes, figure, found: BTreeMap::new(), others: 0 })
    }

    /// Adds rows.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Boroughs(boroughs) => boroughs.add(batch),
            Self::Shapes(shapes) => shapes.add(batch),
        }
    }

    /// The map, if there is anything to be seen on it.
    pub(super) fn finish(self) -> Option<Map> {
        match self {
            Self::Nothing => None,
            Self::Boroughs(boroughs) => boroughs.finish(),
            Self::Shapes(shapes) => shapes.finish(),
        }
    }
}

fn column<'a>(batch: &'a RecordBatch, place: usize) -> Result<&'a ArrayRef, ArrowError> {
    batch.columns().get(place).ok_or_else(|| ArrowError::SchemaError("a column is missing".into()))
}

impl Boroughs {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let codes = cast(column(batch, self.codes)?, &DataType::Utf8)?;
        let codes = codes.as_string::<i32>();
        let figures = self.figure.as_ref().map(|(place, _)| cast(column(batch, *place)?, &DataType::Float64));
        let figures = figures.transpose()?;
        for (row, code) in codes.iter().enumerate() {
            let Some(code) = code else { continue };
            if !self.found.contains_key(code) && !tiles().any(|tile| tile.borough.gss == code) {
                self.others += 1;
                continue;
            }
            let found = self.found.entry(code.to_owned()).or_default();
            found.rows += 1;
            let figures = figures.as_ref().map(|figures| figures.as_primitive::<Float64Type>());
            found.figure = figures.filter(|figures| figures.is_valid(row)).map(|figures| figures.value(row));
        }
        Ok(())
    }

    fn finish(self) -> Option<Map> {
        // Of several rows of a borough, how many they are; of one, what it says.
        let figure = self.figure.filter(|_| self.found.values().all(|found| found.rows == 1));
        let is_figure = figure.is_some();
        let value = |found: &Found| if is_figure { found.figure } else { Some(found.rows as f64) };
        let values: Vec<f64> = self.found.values().filter_map(value).filter(|value| value.is_finite()).collect();
        let cuts = cuts(&values);
        let shade = |value: f64| cuts.iter().filter(|cut| value >= **cut).count() + SHADES - 1 - cuts.len();
        let boroughs: BTreeMap<String, Shaded> = self
            .found
            .iter()
            .filter_map(|(code, found)| Some((code, value(found).filter(|value| value.is_finite())?)))
            .map(|(code, value)| {
                (code.clone(), Shaded { shade: shade(value), short: short(value), whole: value.to_string() })
            })
            .collect();
        let least = values.iter().copied().reduce(f64::min)?;
        let most = values.iter().copied().reduce(f64::max)?;
        let edges: Vec<f64> = std::iter::once(least).chain(cuts.iter().copied()).chain([most]).collect();
        let ranges = edges.iter().zip(edges.iter().skip(1));
        let legend = ranges.map(|(from, to)| (shade(*from), format!("{} to {}", short(*from), short(*to)))).collect();
        let figure = figure.map_or_else(|| "rows".into(), |(_, name)| name);
        Some(Map::Boroughs { figure, boroughs, legend, others: self.others })
    }
}

/// Bounds between shades of about as many values each, ascending; none twice, and none at the least value.
fn cuts(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = (1..SHADES).filter_map(|shade| sorted.get(shade * sorted.len() / SHADES).copied());
    let mut cuts: Vec<f64> = at.filter(|cut| sorted.first().is_some_and(|least| cut > least)).collect();
    cuts.dedup();
    cuts
}

/// A figure that fits on a tile.
fn short(value: f64) -> String {
    let digits = |value: f64, behind: &str| {
        let places = if value.abs() < 10.0 && value.fract() != 0.0 { 1 } else { 0 };
        format!("{value:.places$}{behind}")
    };
    match value.abs() {
        size if size >= 1e12 => format!("{value:.0e}"),
        size if size >= 1e9 => digits(value / 1e9, "bn"),
        size if size >= 1e6 => digits(value / 1e6, "m"),
        size if size >= 1e4 => digits(value / 1e3, "k"),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl Shapes {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let texts = cast(column(batch, self.texts)?, &DataType::Utf8)?;
        for text in texts.as_string::<i32>().iter() {
            self.rows += 1;
            // What is no geometry has no place; the file has it as it is.
            let Some(geometry) = text.and_then(|text| geometry::of_text(text).ok()) else { continue };
            let mut shape = Shape::default();
            shape.take(&geometry);
            let points = shape.parts().map(Vec::len).sum::<usize>() + shape.points.len();
            if points > 0 && self.points + points <= MOST_POINTS {
                self.points += points;
                self.shapes.push(shape);
            }
        }
        Ok(())
    }

    fn finish(self) -> Option<Map> {
        let picture = Picture::of(self.shapes.iter().flat_map(Shape::coordinates))?;
        let drawn = |grid: &f64| {
            let mut dots = HashSet::new();
            let mut areas: Vec<String> =
                self.shapes.iter().map(|shape| picture.paths(&shape.rings, *grid, "Z")).collect();
            let mut lines: Vec<String> =
                self.shapes.iter().map(|shape| picture.paths(&shape.lines, *grid, "")).collect();
            let points = self.shapes.iter().flat_map(|shape| &shape.points);
            let dots: String = points
                .map(|point| picture.place(*point, *grid))
                .filter(|place| dots.insert(*place))
                .map(|place| format!("M{}h0", told(place)))
                .collect();
            [&mut areas, &mut lines].iter_mut().for_each(|paths| paths.retain(|path| !path.is_empty()));
            let bytes = areas.iter().chain(&lines).map(|path| path.len() + 16).sum::<usize>() + dots.len();
            (bytes <= MOST_BYTES).then_some((areas, lines, dots))
        };
        let (areas, lines, dots) = GRID.iter().find_map(drawn)?;
        let (width, height) = (PICTURE.0 as u32, picture.height.ceil() as u32);
        Some(Map::Shapes { width, height, areas, lines, dots, drawn: self.shapes.len() as u64, rows: self.rows })
    }
}

impl Shape {
    fn take(&mut self, geometry: &Geometry) {
        let line = |line: &LineString| line.0.clone();
        match geometry {
            Geometry::Point(point) => self.points.push(point.0),
            Geometry::MultiPoint(points) => self.points.extend(points.iter().map(|point| point.0)),
            Geometry::Line(of) => self.lines.push(vec![of.start, of.end]),
            Geometry::LineString(of) => self.lines.push(line(of)),
            Geometry::MultiLineString(lines) => self.lines.extend(lines.iter().map(line)),
            Geometry::Polygon(polygon) => {
                self.rings.push(line(polygon.exterior()));
                self.rings.extend(polygon.interiors().iter().map(line));
            }
            Geometry::MultiPolygon(polygons) => {
                polygons.iter().for_each(|one| self.take(&Geometry::Polygon(one.clone())))
            }
            Geometry::GeometryCollection(parts) => parts.iter().for_each(|part| self.take(part)),
            Geometry::Rect(rect) => self.take(&Geometry::Polygon(rect.to_polygon())),
            Geometry::Triangle(triangle) => self.take(&Geometry::Polygon(triangle.to_polygon())),
        }
    }

    fn parts(&self) -> impl Iterator<Item = &Vec<Coord>> {
        self.rings.iter().chain(&self.lines)
    }

    fn coordinates(&self) -> impl Iterator<Item = Coord> {
        self.parts().flatten().chain(&self.points).copied()
    }
}

/// How coordinates become places on a picture, north at the top.
struct Picture {
    left: f64,
    top: f64,
    across: f64,
    down: f64,
    begin: f64,
    height: f64,
}

impl Picture {
    /// One on which all coordinates are to be seen, as large as they can be. A degree of longitude is drawn as wide as it is
    /// at the middle latitude.
    fn of(coordinates: impl Iterator<Item = Coord>) -> Option<Self> {
        let mut bounds: Option<(Coord, Coord)> = None;
        for one in coordinates {
            let (low, high) = bounds.get_or_insert((one, one));
            (low.x, low.y) = (low.x.min(one.x), low.y.min(one.y));
            (high.x, high.y) = (high.x.max(one.x), high.y.max(one.y));
        }
        let (low, high) = bounds?;
        let are_degrees =
            [low.x, high.x].iter().all(|x| x.abs() <= 180.0) && [low.y, high.y].iter().all(|y| y.abs() <= 90.0);
        let stretch = if are_degrees { ((low.y + high.y) / 2.0).to_radians().cos().max(0.01) } else { 1.0 };
        let (wide, high_by) =
            (((high.x - low.x) * stretch).max(f64::MIN_POSITIVE), (high.y - low.y).max(f64::MIN_POSITIVE));
        let room = (PICTURE.0 - 2.0 * MARGIN, PICTURE.1 - 2.0 * MARGIN);
        let mut scale = (room.0 / wide).min(room.1 / high_by);
        if !scale.is_finite() {
            // A single place.
            scale = 1.0;
        }
        let begin = (PICTURE.0 - wide * scale) / 2.0;
        let height = (high_by * scale + 2.0 * MARGIN).max(8.0 * MARGIN);
        Some(Self { left: low.x, top: high.y, across: scale * stretch, down: scale, begin, height })
    }

    /// Where it is, in tenths.
    fn place(&self, at: Coord, grid: f64) -> (i32, i32) {
        let x = self.begin + (at.x - self.left) * self.across;
        let y = MARGIN + (self.top - at.y) * self.down;
        let on = |value: f64| ((value / grid).round() * grid * 10.0) as i32;
        (on(x), on(y))
    }

    /// The outlines of one shape as a path of SVG, without points that fall together with the one before.
    fn paths(&self, parts: &[Vec<Coord>], grid: f64, end: &str) -> String {
        let mut path = String::new();
        for part in parts {
            let mut places: Vec<(i32, i32)> = part.iter().map(|at| self.place(*at, grid)).collect();
            places.dedup();
            let mut places = places.into_iter();
            let Some(first) = places.next() else { continue };
            path.push_str(&format!("M{}", told(first)));
            places.for_each(|place| path.push_str(&format!("L{}", told(place))));
            path.push_str(if end.is_empty() { "h0" } else { end });
        }
        path
    }
}

/// Coordinates as SVG has them, of tenths.
fn told((x, y): (i32, i32)) -> String {
    let one = |tenths: i32| {
        if tenths % 10 == 0 { (tenths / 10).to_string() } else { format!("{:.1}", f64::from(tenths) / 10.0) }
    };
    format!("{} {}", one(x), one(y))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray};
    use arrow::datatypes::Field;
    use meridian_proto::ColumnType;

    use super::*;
    use crate::catalogue::testing;

    fn of(columns: &[(&str, ColumnType, &str)], arrays: Vec<ArrayRef>) -> Option<Map> {
        let column = |(name, column_type, concept): &(&str, ColumnType, &str)| Column {
            role: if concept.is_empty() { Role::Measure } else { Role::Dimension },
            ..testing::column(name, *column_type, concept)
        };
        let dataset = Dataset { columns: columns.iter().map(column).collect(), ..testing::dataset("places", "Places") };
        let fields =
            columns.iter().zip(&arrays).map(|((name, ..), array)| Field::new(*name, array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut drawing = Drawing::new(&dataset, &schema);
        drawing.add(&RecordBatch::try_new(schema, arrays).unwrap()).unwrap();
        drawing.finish()
    }

    fn shapes(texts: &[Option<&str>]) -> Option<Map> {
        of(&[("geometry", ColumnType::Bytea, "")], vec![Arc::new(StringArray::from(texts.to_vec()))])
    }

    const CODES: (&str, ColumnType, &str) = ("gss", ColumnType::Varchar, "gss:borough");
    const LEVEL: (&str, ColumnType, &str) = ("level", ColumnType::Double, "");

    #[test]
    fn north_is_at_the_top_and_what_has_no_place_is_told_apart() {
        let texts =
            [Some("POINT(-0.5 51.25)"), None, Some("POINT EMPTY"), Some("no geometry"), Some("POINT(0.5 51.75)")];
        let Some(Map::Shapes { width, height, dots, drawn, rows, .. }) = shapes(&texts) else { panic!("no map") };
        assert_eq!((drawn, rows, width), (2, 5, 640));
        // A degree of longitude at 51.5° is 0.6225 of one of latitude: where one is 624 across, half of the other is 501 down.
        assert_eq!((height, dots.as_str()), (518, "M8 509h0M632 8h0"));
        let Some(Map::Shapes { dots, .. }) = shapes(&[Some("POINT(7 7)")]) else { panic!("no map") };
        assert_eq!(dots, "M320 8h0");
    }

    #[test]
    fn shapes_keep_their_holes_and_are_never_too_heavy() {
        let holed =
            "POLYGON((0 0, 624000 0, 624000 624000, 0 624000, 0 0), (1000 1000, 2000 1000, 2000 2000, 1000 1000))";
        let Some(Map::Shapes { areas, lines, .. }) = shapes(&[Some(holed), Some("LINESTRING(0 0, 1 1, 624000 0)")])
        else {
            panic!("no map")
        };
        assert_eq!(areas, ["M8 632L632 632L632 8L8 8L8 632ZM9 631L10 631L10 630L9 631Z"]);
        assert_eq!(lines, ["M8 632L632 632h0"]);
        let many: Vec<String> =
            (0..150_000_u64).map(|n| format!("POINT({} {})", n * 7919 % 99_991, n * 104_729 % 99_989)).collect();
        let Some(Map::Shapes { dots, .. }) = shapes(&many.iter().map(|one| Some(one.as_str())).collect::<Vec<_>>())
        else {
            panic!("no map")
        };
        assert!(dots.len() > 10_000 && dots.len() <= MOST_BYTES, "{}", dots.len());
    }

    #[test]
    fn one_row_of_a_borough_is_its_figure_and_several_are_counted() {
        let codes: ArrayRef =
            Arc::new(StringArray::from(vec![Some("E09000001"), Some("E09000033"), None, Some("E06000001")]));
        let levels: ArrayRef = Arc::new(Float64Array::from(vec![Some(12.25), Some(80_000.0), Some(1.0), Some(2.0)]));
        let Some(Map::Boroughs { figure, boroughs, legend, others }) = of(&[CODES, LEVEL], vec![codes, levels]) else {
            panic!("no map")
        };
        let shown = |boroughs: &BTreeMap<String, Shaded>, code: &str| {
            let Shaded { shade, short, whole } = boroughs.get(code).unwrap();
            (*shade, short.clone(), whole.clone())
        };
        assert_eq!((figure.as_str(), boroughs.len(), others), ("level", 2, 1));
        assert_eq!(shown(&boroughs, "E09000001"), (3, "12.2".into(), "12.25".into()));
        assert_eq!(shown(&boroughs, "E09000033"), (4, "80k".into(), "80000".into()));
        assert_eq!(legend, [(3, "12.2 to 80k".into()), (4, "80k to 80k".into())]);
        let codes: ArrayRef = Arc::new(StringArray::from(vec!["E09000001", "E09000001", "E09000002"]));
        let levels: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]));
        let Some(Map::Boroughs { figure, boroughs, .. }) = of(&[CODES, LEVEL], vec![codes, levels]) else {
            panic!("no map")
        };
        assert_eq!((figure.as_str(), shown(&boroughs, "E09000001").2.as_str()), ("rows", "2"));
        assert!(of(&[LEVEL], vec![Arc::new(Float64Array::from(vec![1.0]))]).is_none());
    }

    #[test]
    fn shades_hold_about_as_many_values_each() {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        assert_eq!(cuts(&values), [2.0, 4.0, 6.0, 8.0]);
        assert!(cuts(&[3.0; 9]).is_empty());
        assert_eq!(
            ["0", "7", "0.25", "9.5", "150", "9999", "15k", "1.5m", "-2bn"].map(str::to_owned),
            [0.0, 7.0, 0.25, 9.5, 149.6, 9_999.0, 15_000.0, 1_500_000.0, -2e9].map(short)
        );
    }
}
