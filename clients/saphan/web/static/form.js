// Buttons of a form that add, remove and move its parts: the form is saved with the order, and the
// focus goes to what came. A fault in the list above the form leads into its field.
import { save } from "./autosave.js";

const ORDERS = /^(add|remove|up|down) (\/\S+)$/;

export function parts() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("form[data-autosave] button[name=do]");
    const order = button && ORDERS.exec(button.value);
    if (!order) return;
    event.preventDefault();
    // The second half of a double click means what stands there no more.
    if (event.detail < 2) obey(button.form, order);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(".error-list a[href^='#']");
    const meant = link && document.getElementById(link.hash.slice(1));
    if (!meant) return;
    event.preventDefault();
    enter(meant);
  });
}

// Numbers of entries change: until the answer stands there, nothing is typed and no other order is
// given by the old ones.
async function obey(form, order) {
  if (form.inert) return;
  const before = new Set([...form.querySelectorAll("[id]")].map((one) => one.id));
  form.inert = true;
  await save(form, order[0]);
  form.inert = false;
  land(form, before, order);
}

// What came; of what moved, its new place; of what went, what stands around it.
function land(form, before, [, verb, pointer]) {
  const [, above, last] = /^(.*)\/([^/]*)$/.exec(pointer);
  if (verb === "add") {
    const fresh = [...form.querySelectorAll(PLACES)].find((one) => !before.has(one.id));
    enter(fresh ?? at(form, pointer));
  } else if (verb === "remove") {
    // A part is a button again, the next entry has come up; else what stands around it.
    enter(at(form, pointer) ?? at(form, above) ?? form, false);
  } else {
    enter(at(form, `${above}/${Number(last) + (verb === "up" ? -1 : 1)}`), false);
  }
}

// The element of a place: its control, the button that begins it, or what its buttons stand in.
function at(form, pointer) {
  const button = (verb) => form.querySelector(`button[value="${CSS.escape(`${verb} ${pointer}`)}"]`);
  const begins = button("add");
  return (
    form.querySelector(`[name="${CSS.escape(pointer)}"]`) ??
    (begins?.id ? begins : (button("remove") ?? begins)?.closest("fieldset, .field, .part"))
  );
}

const CONTROLS = "input:not([type=hidden]), select, textarea";
const PLACES = ":is(fieldset, input, select, textarea)[id]";

function enter(element, into = true) {
  if (!element) return;
  const inside = into && !element.matches(CONTROLS) ? element.querySelector(CONTROLS) : null;
  const meant = inside ?? element;
  meant.focus({ preventScroll: true });
  (element.closest(".field") ?? element).scrollIntoView({ block: "center" });
}
