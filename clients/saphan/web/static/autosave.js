// <form data-autosave id=...> posts itself half a second after the last input, and when the page is
// left; the answer's form of the same id is morphed in.
import { replace } from "./live.js";
import { load } from "./load.js";

const WAIT_MS = 500;
const PATIENCE_MS = 2000;
const MOST_KEPT_ALIVE = 60_000; // a browser takes 64 KiB from a page that goes away
const waiting = new Map();
const sending = new Map();
const touched = new Map(); // names of controls of a form that were typed in since its last save
let composing = false; // letters stand in a field that an input method still changes

export function autosave() {
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form || !("autosave" in form.dataset)) return;
    touched.set(form, (touched.get(form) ?? new Set()).add(event.target.name));
    later(form);
  });
  document.addEventListener("compositionstart", () => (composing = true));
  document.addEventListener("compositionend", (event) => {
    composing = false;
    const form = event.target.form;
    if (form && "autosave" in form.dataset) later(form);
  });
  document.addEventListener("desk:leave", flush);
  window.addEventListener("pagehide", flush);
  document.addEventListener("submit", (event) => {
    clearTimeout(waiting.get(event.target));
    waiting.delete(event.target);
    touched.delete(event.target);
  });
}

function later(form) {
  clearTimeout(waiting.get(form));
  waiting.set(form, setTimeout(() => save(form), WAIT_MS));
}

// One at a time for each form: a draft's version goes up with each save. An order says what is done
// with the form besides (`do`).
export async function save(form, order = "") {
  clearTimeout(waiting.get(form));
  waiting.delete(form);
  while (sending.has(form)) await sending.get(form);
  const done = send(form, order);
  sending.set(form, done);
  await done;
  sending.delete(form);
}

async function send(form, order) {
  const body = new URLSearchParams(new FormData(form));
  if (order) body.set("do", order);
  const sent = touched.get(form);
  touched.delete(form);
  const { status, document: found } = await load(form.action, {
    method: "POST",
    body,
    as: "autosave",
  });
  if (!found?.getElementById(form.id)) {
    // Not saved: it is sent again with what is typed next, or when the page is left.
    touched.set(form, new Set([...(sent ?? []), ...(touched.get(form) ?? [])]));
    refused(form, found);
  } else if (!touched.has(form) && !composing) {
    // what stands beside a form and tells of it: <nav data-beside=ID-OF-THE-FORM id=...>
    const beside = [...document.querySelectorAll(`[data-beside="${form.id}"][id]`)];
    for (const one of [form, ...beside]) replace(one, found);
  }
  form.dispatchEvent(new CustomEvent("desk:saved", { bubbles: true, detail: { status } }));
}

// Why it could not be saved, as the page that came instead says it, until a save takes its place.
function refused(form, found) {
  const why = found?.querySelector("main [role=alert]");
  if (!why) return; // locked or gone: the page says so itself
  const title = document.createElement("h2");
  title.textContent = found.querySelector("h1")?.textContent ?? "";
  why.prepend(title);
  why.id = "unsaved";
  why.classList.add("stays");
  document.getElementById(why.id)?.remove();
  form.prepend(document.adoptNode(why));
}

// What was typed a moment ago is sent although the page goes away: of a form that is too long for
// that, what was typed alone. What is not posted stays as it was.
export function flush() {
  for (const [form, names] of touched) {
    clearTimeout(waiting.get(form));
    const whole = [...new FormData(form)];
    const lists = [...names].map((name) => name.replace(/=.*/s, "="));
    const part = whole.filter(([name]) => name[0] !== "/" || names.has(name) || lists.some(within(name)));
    const all = new URLSearchParams(whole);
    const body = all.toString().length > MOST_KEPT_ALIVE ? new URLSearchParams(part) : all;
    const headers = { "X-Desk": "autosave" };
    fetch(form.action, { method: "POST", body, keepalive: true, headers }).catch(() => {});
  }
  waiting.clear();
  touched.clear();
}

// Whether a box is one of a list of boxes: "/about/purposes=prosecution" of "/about/purposes=".
function within(name) {
  return (list) => list.endsWith("=") && name.startsWith(list);
}

// All that was typed is at the desk, or the desk does not answer.
export function settled() {
  const all = [...[...touched.keys()].map((form) => save(form)), ...sending.values()];
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  return Promise.race([Promise.allSettled(all), late]);
}
