// Geometry on a picture: well-known binary, GeoJSON or well-known text, projected so that it looks right where it is.

function binary(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const read = () => {
    const little = view.getUint8(at) === 1;
    const word = (move) => { const value = view.getUint32(at, little); at += move; return value; };
    at += 1;
    const kind = word(4);
    if (kind & 0x20000000) at += 4;
    const flat = (kind & 0x1fffffff) % 1000;
    const size = 2 + ((kind & 0x80000000) || (kind & 0x1fffffff) >= 1000 ? 1 : 0);
    const point = () => {
      const [x, y] = [view.getFloat64(at, little), view.getFloat64(at + 8, little)];
      at += 8 * size;
      return [x, y];
    };
    const many = (of) => Array.from({ length: word(4) }, of);
    switch (flat) {
      case 1: return { points: [point()], lines: [], rings: [] };
      case 2: return { points: [], lines: [many(point)], rings: [] };
      case 3: return { points: [], lines: [], rings: many(() => many(point)) };
      case 4: case 5: case 6: case 7: return joined(many(read));
      default: throw new Error("no geometry that is drawn");
    }
  };
  return read();
}

function joined(parts) {
  return { points: parts.flatMap((part) => part.points), lines: parts.flatMap((part) => part.lines), rings: parts.flatMap((part) => part.rings) };
}

function json({ type, coordinates, geometries }) {
  switch (type) {
    case "Point": return { points: [coordinates], lines: [], rings: [] };
    case "MultiPoint": return { points: coordinates, lines: [], rings: [] };
    case "LineString": return { points: [], lines: [coordinates], rings: [] };
    case "MultiLineString": return { points: [], lines: coordinates, rings: [] };
    case "Polygon": return { points: [], lines: [], rings: coordinates };
    case "MultiPolygon": return { points: [], lines: [], rings: coordinates.flat() };
    case "GeometryCollection": return joined(geometries.map(json));
    default: throw new Error("no geometry that is drawn");
  }
}

function text(said) {
  const [, type, rest] = /^\s*([A-Za-z]+)\s*(?:Z|M|ZM)?\s*(\(.*\))\s*$/s.exec(said) ?? [];
  if (!type || type.toUpperCase() === "GEOMETRYCOLLECTION") throw new Error("no geometry that is drawn");
  const nested = JSON.parse(rest.replaceAll("(", "[").replaceAll(")", "]").replaceAll(/(-?[\d.eE+-]+)(?:\s+(-?[\d.eE+-]+))(?:\s+-?[\d.eE+-]+)*/g, "[$1,$2]"));
  const names = { POINT: "Point", MULTIPOINT: "MultiPoint", LINESTRING: "LineString", MULTILINESTRING: "MultiLineString", POLYGON: "Polygon", MULTIPOLYGON: "MultiPolygon" };
  const name = names[type.toUpperCase()];
  const bare = name === "Point" ? nested[0] : name === "MultiPoint" ? nested.map((point) => (Array.isArray(point[0]) ? point[0] : point)) : nested;
  return json({ type: name, coordinates: bare });
}

/** The points of a shape. */
const points = (shape) => [...shape.points, ...shape.lines.flat(), ...shape.rings.flat()];

/** Whether it can be drawn: what is empty has no place, and one such would take all others with it. */
const isDrawn = (shape) => {
  const all = points(shape);
  return all.length > 0 && all.every((one) => Array.isArray(one) && Number.isFinite(one[0]) && Number.isFinite(one[1]));
};

/** The geometry of a value, or null where it is none. */
export function geometry(value) {
  if (value === null || value === undefined) return null;
  try {
    const said = value instanceof Uint8Array ? "" : String(value);
    const shape = value instanceof Uint8Array ? binary(value) : said.trimStart().startsWith("{") ? json(JSON.parse(said)) : text(said);
    return isDrawn(shape) ? shape : null;
  } catch {
    return null;
  }
}

/** What turns coordinates of these shapes into those of a picture; longitudes are drawn as wide as they are at that latitude. */
export function projection(shapes, width, most) {
  let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const shape of shapes) {
    for (const [x, y] of points(shape)) {
      left = Math.min(left, x); right = Math.max(right, x); bottom = Math.min(bottom, y); top = Math.max(top, y);
    }
  }
  const degrees = Math.abs(left) <= 180 && Math.abs(right) <= 180 && Math.abs(top) <= 90 && Math.abs(bottom) <= 90;
  const stretch = degrees ? Math.cos((((top + bottom) / 2) * Math.PI) / 180) : 1;
  const room = 10;
  const [wide, high] = [Math.max((right - left) * stretch, 1e-9), Math.max(top - bottom, 1e-9)];
  const scale = Math.min((width - 2 * room) / wide, (most - 2 * room) / high);
  const [x0, y0] = [(width - wide * scale) / 2, room];
  return {
    height: Math.ceil(high * scale + 2 * room),
    point: ([x, y]) => [x0 + (x - left) * stretch * scale, y0 + (top - y) * scale],
  };
}

/** The outline of a shape as a path of SVG; points are small circles. */
export function outline(shape, { point }) {
  const line = (coordinates) => coordinates.map((one, at) => `${at === 0 ? "M" : "L"}${point(one).map((n) => n.toFixed(1)).join(",")}`).join("");
  const dot = (one) => {
    const [x, y] = point(one);
    return `M${(x - 4).toFixed(1)},${y.toFixed(1)}a4,4 0 1,0 8,0a4,4 0 1,0 -8,0`;
  };
  return [...shape.rings.map((ring) => `${line(ring)}Z`), ...shape.lines.map(line), ...shape.points.map(dot)].join("");
}
