// Tabs, as the ARIA practices have them: arrows move, one is in the order of Tab.

import { at } from "./dom.js";

/** Makes tabs of the buttons in a list; `opened` is called with the panel's name. */
export function tabs(list, opened) {
  const buttons = [...list.querySelectorAll("[role=tab]")];
  const show = (name, focus = false) => {
    for (const button of buttons) {
      const chosen = button.dataset.tab === name;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      at(button.getAttribute("aria-controls")).hidden = !chosen;
      if (chosen && focus) button.focus();
    }
    opened(name);
  };
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[role=tab]");
    if (button) show(button.dataset.tab);
  });
  list.addEventListener("keydown", (event) => {
    const from = buttons.indexOf(document.activeElement);
    if (from < 0) return;
    const to = { ArrowRight: from + 1, ArrowLeft: from - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(buttons[(to + buttons.length) % buttons.length].dataset.tab, true);
  });
  return { show, get current() { return buttons.find((button) => button.getAttribute("aria-selected") === "true")?.dataset.tab; } };
}
