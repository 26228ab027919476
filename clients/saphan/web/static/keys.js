// One key for each room and for the lock, J and K along the rows of a list. Keys are told apart by
// their place on the board, because Lao and Khmer layouts have no Latin letters there. They rest
// while something is typed, and can be switched off on the help page (WCAG 2.1.4).
const KEPT = "desk-keys";
const TYPED = "input, select, textarea, [contenteditable], [role=listbox]";

export function keysAreOn() {
  return localStorage.getItem(KEPT) !== "off";
}

export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
    if (event.defaultPrevented || !keysAreOn() || event.target.closest(TYPED)) return;
    const letter = /^Key([A-Z])$/.exec(event.code)?.[1];
    if (!letter) return;
    const found = document.querySelector(`[data-key="${letter}"]`);
    if (found) found.click();
    else if (letter === "J" || letter === "K") along(letter === "J" ? 1 : -1);
    else return;
    event.preventDefault();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-keys-switch]")) {
      localStorage.setItem(KEPT, event.target.checked ? "on" : "off");
    }
  });
  for (const one of document.querySelectorAll("[data-keys-switch]")) one.checked = keysAreOn();
}

// The next row in this direction from the one with the focus; from none, the first.
function along(step) {
  const rows = [...document.querySelectorAll("main a.whole")];
  const at = rows.findIndex((row) => row.closest("tr, li").contains(document.activeElement));
  const next = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
