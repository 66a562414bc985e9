// Elements made by hand: text becomes text and never markup, whoever wrote it.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  put(element, children);
  return element;
}

/** An element of HTML. */
export function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Adds nodes and texts. */
export function put(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Puts these in place of what is in an element. */
export function replace(element, ...children) {
  element.replaceChildren();
  put(element, children);
}

/** The element of the page with this id. */
export const at = (id) => document.getElementById(id);

/** Says something to whoever listens and does not look. */
export function announce(text) {
  const place = at("said");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 50);
}

/** `one fire`, `2 fires`. */
export const count = (n, one, many = `${one}s`) => `${Number(n).toLocaleString("en-GB")} ${Number(n) === 1 ? one : many}`;

/** A size for people. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
