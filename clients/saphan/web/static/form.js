// Buttons of a form that add, remove and move its parts: the form is saved with the order, and the
// focus goes to what came. A fault in the list above the form leads into its field.
import { save } from "./autosave.js";

const ORDERS = /^(add|remove|up|down) (\/\S+)$/;

export function parts() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("form[data-autosave] button[name=do]");
    const order = button && ORDERS.exec(button.value);
    if (!order) return;
    event.preventDefault();
    const form = button.form;
    const given = Object.assign(document.createElement("input"), {
      type: "hidden", name: "do", value: button.value,
    });
    const before = new Set([...form.querySelectorAll("[id]")].map((one) => one.id));
    form.append(given);
    await save(form);
    given.remove();
    land(form, before, order);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(".error-list a[href^='#']");
    const meant = link && document.getElementById(link.hash.slice(1));
    if (!meant) return;
    event.preventDefault();
    enter(meant);
  });
}

// What came; of what moved, its new place; of what went, what stands around it.
function land(form, before, [, verb, pointer]) {
  const id = (at) => "f" + at.replaceAll("/", "--");
  const steps = pointer.split("/");
  const last = Number(steps.at(-1));
  const above = steps.slice(0, -1).join("/");
  if (verb === "add") {
    const fresh = [...form.querySelectorAll(PLACES)].find((one) => !before.has(one.id));
    enter(fresh ?? document.getElementById(id(pointer)));
  } else if (verb === "remove") {
    // A part is a button again, the next entry has come up; else what stands around it.
    const left = document.getElementById(id(pointer)) ?? document.getElementById(id(above));
    enter(left ?? form, false);
  } else {
    enter(document.getElementById(id(`${above}/${last + (verb === "up" ? -1 : 1)}`)), false);
  }
}

const CONTROLS = "input:not([type=hidden]), select, textarea";
const PLACES = ":is(fieldset, input, select, textarea)[id^=f--]";

function enter(element, into = true) {
  if (!element) return;
  const inside = into && !element.matches(CONTROLS) ? element.querySelector(CONTROLS) : null;
  const meant = inside ?? element;
  meant.focus({ preventScroll: true });
  (element.closest(".field") ?? element).scrollIntoView({ block: "center" });
}
