// <form data-autosave id=...> posts itself half a second after the last input, and when the page is
// left; the answer's form of the same id is morphed in.
import { replace } from "./live.js";
import { load } from "./load.js";

const WAIT_MS = 500;
const PATIENCE_MS = 2000;
const waiting = new Map();
const sending = new Map();

export function autosave() {
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (form && "autosave" in form.dataset) later(form);
  });
  for (const name of ["desk:leave", "pagehide"]) document.addEventListener(name, flush);
  window.addEventListener("pagehide", flush);
  document.addEventListener("submit", (event) => {
    clearTimeout(waiting.get(event.target));
    waiting.delete(event.target);
  });
}

function later(form) {
  clearTimeout(waiting.get(form));
  waiting.set(form, setTimeout(() => save(form), WAIT_MS));
}

// One at a time for each form: a draft's version goes up with each save.
export async function save(form) {
  clearTimeout(waiting.get(form));
  waiting.delete(form);
  if (sending.has(form)) {
    await sending.get(form);
    return save(form);
  }
  const done = send(form);
  sending.set(form, done);
  await done;
  sending.delete(form);
}

async function send(form) {
  const body = new URLSearchParams(new FormData(form));
  const { status, document: found } = await load(form.action, {
    method: "POST",
    body,
    as: "autosave",
  });
  if (status && status < 500 && !waiting.has(form)) {
    replace(form, found);
    // what stands beside a form and tells of it: <nav data-beside=ID-OF-THE-FORM id=...>
    const beside = document.querySelectorAll(`[data-beside="${form.id}"][id]`);
    for (const one of beside) replace(one, found);
  }
  form.dispatchEvent(new CustomEvent("desk:saved", { bubbles: true, detail: { status } }));
}

// What was typed a moment ago is sent although the page goes away.
export function flush() {
  for (const [form, timer] of waiting) {
    clearTimeout(timer);
    const body = new URLSearchParams(new FormData(form));
    const headers = { "X-Desk": "autosave" };
    fetch(form.action, { method: "POST", body, keepalive: true, headers }).catch(() => {});
  }
  waiting.clear();
}

// All that was typed is at the desk, or the desk does not answer.
export function settled() {
  const all = [...[...waiting.keys()].map(save), ...sending.values()];
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  return Promise.race([Promise.allSettled(all), late]);
}
