// Another language in place: the same page is fetched and morphed in, so that the place where one
// reads, the focus and what is typed but not yet saved stay. Without this the form just posts.
import { settled } from "./autosave.js";
import { load } from "./load.js";
import { Idiomorph } from "./vendor/idiomorph.js";

export function switchInPlace() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form.langs") || !event.submitter) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form, event.submitter));
    await settled(); // a draft's version goes up with each save: the page fetched now has the newest
    const { status, document: found } = await load(form.action, { method: "POST", body });
    if (status === 200) show(found);
    else location.reload(); // locked, or the page is gone: let the browser say which
  });
}

function show(found) {
  const typed = unsaved();
  document.documentElement.lang = found.documentElement.lang;
  document.title = found.title;
  Idiomorph.morph(document.body, document.adoptNode(found.body));
  for (const [id, value] of typed) {
    const field = document.getElementById(id);
    if (field) field.value = value;
  }
  document.getElementById("said").textContent = found.title;
}

function unsaved() {
  const fields = document.querySelectorAll("main :is(input, textarea)[id]");
  return [...fields]
    .filter((field) => !["checkbox", "radio", "file", "hidden"].includes(field.type))
    .filter((field) => field.value !== field.defaultValue)
    .map((field) => [field.id, field.value]);
}
