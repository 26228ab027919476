// What was typed is saved before the desk is told to lock: the order to lock would overtake it. The
// browser comes back to where it was.
import { settled } from "./autosave.js";

export function lock() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-lock]")) return;
    event.preventDefault();
    form.elements.next.value = location.pathname + location.search;
    await settled();
    form.submit();
  });
}
