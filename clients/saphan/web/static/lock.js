// Before the desk locks, what was typed is saved; the browser comes back to where it was.
import { flush } from "./autosave.js";

export function lock() {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-lock]")) return;
    event.target.elements.next.value = location.pathname + location.search;
    flush();
  });
}
