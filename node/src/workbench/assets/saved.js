// Saved questions: each has an address, and every analyst of the body reads them.

import { el, replace, announce } from "./dom.js";
import { post } from "./ask.js";

/** The address of a saved question. */
export const address = (id) => `/q/${id}`;

/** The id in this page's own address, if it has one. */
export const here = () => /^\/q\/([0-9a-f]{16})$/.exec(location.pathname)?.[1];

/** Shows them in an element; `open` is called with the id of one, `failed` with why one can't be removed. */
export async function show(host, analyst, open, failed) {
  const { saved } = await post("/api/saved");
  if (saved.length === 0) return replace(host, el("p", { class: "empty" }, "Save a question, and it has an address that every analyst of your body can open."));
  replace(host, el("ul", { class: "asked" }, saved.map((one) => el("li", {},
    el("a", {
      href: address(one.id), class: "entry", onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        open(one.id);
      },
    }, el("strong", {}, one.title), el("span", { class: "small" }, `${one.owner} · ${new Date(one.saved).toLocaleDateString("en-GB", { dateStyle: "medium" })}`)),
    one.owner === analyst && el("button", {
      type: "button", class: "quiet", "aria-label": `Remove ${one.title}`, onclick: async () => {
        try {
          await post("/api/saved/remove", { id: one.id });
          announce(`${one.title} is removed`);
          await show(host, analyst, open, failed);
        } catch (error) { failed(error); }
      },
    }, "Remove")))));
}
