// Values of an answer as people read them, and what kind of value a column holds.

import { Type, TimeUnit } from "./vendor.js";

const EXACT = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const ROUGH = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 6 });
const LARGE = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });

/** What a column is for a picture: number, text, time, truth, shape or other. */
export function kind(field) {
  switch (field.type.typeId) {
    case Type.Int: case Type.Float: case Type.Decimal: return "number";
    case Type.Utf8: case Type.LargeUtf8: return "text";
    case Type.Date: case Type.Timestamp: return "time";
    case Type.Bool: return "truth";
    case Type.Binary: case Type.LargeBinary: case Type.FixedSizeBinary: return "bytes";
    default: return "other";
  }
}

/** Years and the like are numbers that nobody groups by thousands. */
const isOrdinal = (name) => /(^|_)(year|jahr|id|code|uprn|decile|postcode)(_|$)/i.test(name);

function decimal(words, scale) {
  let value = 0n;
  for (let at = words.length - 1; at >= 0; at -= 1) value = (value << 32n) | BigInt(words[at] >>> 0);
  const bits = BigInt(words.length * 32);
  if (value >> (bits - 1n)) value -= 1n << bits;
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString().padStart(scale + 1, "0");
  const cut = digits.length - scale;
  return `${negative ? "-" : ""}${digits.slice(0, cut)}${scale > 0 ? `.${digits.slice(cut)}` : ""}`;
}

/** A time since 1970 in milliseconds, as ISO 8601 has it; what no calendar of this browser reaches is a number of days. */
function moment(ms) {
  if (!Number.isFinite(ms)) return ["beyond what can be shown here", ""];
  const date = new Date(Math.floor(ms));
  if (Number.isNaN(date.getTime())) return [`${Math.floor(ms / 864e5)} days from 1970-01-01`, ""];
  const [day, time] = date.toISOString().split("T");
  const micro = Math.min(Math.round((ms - Math.floor(ms)) * 1000), 999);
  const rest = time.slice(8, -1) + (micro > 0 ? String(micro).padStart(3, "0") : "");
  return [day, time.slice(0, 8) + (rest === ".000" ? "" : rest)];
}

/** How many of a unit of time are a millisecond. */
const PER_MS = { [TimeUnit.SECOND]: 1e-3, [TimeUnit.MILLISECOND]: 1, [TimeUnit.MICROSECOND]: 1e3, [TimeUnit.NANOSECOND]: 1e6 };

/** A value as JSON has it, or as a text that says all of it; null is null. */
export function plain(field, value) {
  if (value === null || value === undefined) return null;
  const { type } = field;
  switch (type.typeId) {
    case Type.Int: return value;
    case Type.Decimal: return decimal(value, type.scale);
    case Type.Date: return moment(Number(value))[0];
    case Type.Timestamp: return moment(Number(value)).filter(Boolean).join(" ") + (type.timezone ? " UTC" : "");
    case Type.Time: return moment(Number(value) / PER_MS[type.unit])[1];
    case Type.Bool: case Type.Float: case Type.Utf8: case Type.LargeUtf8: return value;
    default: break;
  }
  if (["bigint", "number", "string"].includes(typeof value)) return String(value);
  if (value instanceof Uint8Array) return [...value].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? inner.toString() : inner));
}

/** A value as a number for a picture; null where it has none. */
export function number(field, value) {
  if (value === null || value === undefined) return null;
  const found = field.type.typeId === Type.Decimal ? Number(decimal(value, field.type.scale)) : Number(value);
  return Number.isFinite(found) ? found : null;
}

/** Characters of a cell that are shown: no column has room for more. */
const ROOM = 300;

/** A value as text for people, which may end in …: nobody reads a megabyte in a cell. */
export function shown(field, value) {
  const told = whole(field, value);
  return told !== null && told.length > ROOM ? `${told.slice(0, ROOM)}…` : told;
}

function whole(field, value) {
  const told = plain(field, value);
  if (told === null) return null;
  if (typeof told === "bigint" || (field.type.typeId === Type.Int && typeof told === "number")) {
    return isOrdinal(field.name) ? String(told) : EXACT.format(told);
  }
  if (field.type.typeId === Type.Float) {
    // Of what stands before the point, no digit is made 0.
    const size = Math.abs(told);
    return !Number.isFinite(told) || size >= 1e15 ? String(told) : (size < 1e4 ? ROUGH : LARGE).format(told);
  }
  return String(told);
}

const SHORT = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 4 });

/** A number of a picture's scale as text: whole ones as they are, others short. */
export const figure = (value) => (Number.isInteger(value) ? EXACT : SHORT).format(value);
