// Fields of codes (ARIA combobox with a list): what is typed is searched by the desk in every
// language; arrows move, Enter takes, Escape closes. What stands in the field is what is posted, so
// that the form means the same without this script.
const WAIT_MS = 120;
const MOST = 200;
let asked = 0;
let timer = null;
let shown = null; // {input, codes, at} while a list is open

export function codes() {
  document.addEventListener("input", (event) => {
    const input = field(event.target);
    if (!input || event.detail === "taken") return;
    clearTimeout(timer);
    timer = setTimeout(() => search(input, input.value), WAIT_MS);
  });
  document.addEventListener("keydown", key);
  document.addEventListener("focusout", (event) => {
    if (shown && event.target === shown.input) close();
  });
  document.addEventListener("pointerdown", (event) => {
    const option = event.target.closest?.("[data-combobox] [role=option]");
    if (!option || !shown) return;
    event.preventDefault(); // the focus stays in the field
    take(Number(option.dataset.at));
  });
  document.addEventListener("click", (event) => {
    const input = field(event.target);
    if (input && !shown) search(input, "");
  });
  // Saving morphs the form into one whose lists are closed.
  document.addEventListener("desk:saved", () => shown && draw());
}

function field(target) {
  return target.matches?.("[data-combobox] > input") ? target : null;
}

async function search(input, typed) {
  const own = ++asked;
  const { combobox, only } = input.parentElement.dataset;
  const query = new URLSearchParams({ q: typed.slice(0, MOST) });
  if (only) query.set("only", only);
  let found;
  try {
    const answer = await fetch(`/codes/${combobox}?${query}`, { redirect: "error" });
    found = answer.ok ? (await answer.json()).codes : [];
  } catch {
    return; // locked or gone: the page says so itself
  }
  if (own !== asked || document.activeElement !== input) return;
  shown = { input, codes: found, at: -1 };
  draw();
  say(found.length);
}

function draw() {
  const { input, codes: found, at } = shown;
  const list = listOf(input);
  list.replaceChildren(...found.map((one, number) => option(input, one, number, number === at)));
  list.hidden = !found.length;
  input.setAttribute("aria-expanded", String(found.length > 0));
  if (at < 0) input.removeAttribute("aria-activedescendant");
  else {
    input.setAttribute("aria-activedescendant", list.children[at].id);
    list.children[at].scrollIntoView({ block: "nearest" });
  }
}

// Made when it is first needed, and again after a save has morphed it away.
function listOf(input) {
  const known = document.getElementById(`${input.id}-list`);
  if (known) return known;
  const made = document.createElement("ul");
  made.id = `${input.id}-list`;
  made.setAttribute("role", "listbox");
  made.setAttribute("aria-label", input.labels[0]?.textContent ?? input.name);
  input.after(made);
  input.setAttribute("aria-controls", made.id);
  return made;
}

function option(input, one, number, chosen) {
  const made = document.createElement("li");
  made.id = `${input.id}-option-${number}`;
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", String(chosen));
  made.dataset.at = number;
  made.append(one.text);
  if (one.beside) {
    const beside = document.createElement("span");
    beside.className = "dim";
    beside.append(one.beside);
    made.append(beside);
  }
  return made;
}

function key(event) {
  const input = field(event.target);
  if (!input || event.isComposing || event.ctrlKey || event.metaKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    if (!shown) return void search(input, "");
    const count = shown.codes.length;
    if (count) shown.at = (shown.at + step + count + (shown.at < 0 && step < 0 ? 1 : 0)) % count;
    draw();
  } else if (event.key === "Enter" && shown && shown.at >= 0) {
    event.preventDefault();
    take(shown.at);
  } else if (event.key === "Escape" && shown) {
    event.preventDefault();
    close();
  }
}

function take(at) {
  const { input, codes: found } = shown;
  input.value = found[at].text;
  close();
  input.dispatchEvent(new CustomEvent("input", { bubbles: true, detail: "taken" }));
}

function close() {
  clearTimeout(timer);
  asked += 1;
  if (!shown) return;
  const { input } = shown;
  shown = null;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
  document.getElementById(`${input.id}-list`)?.remove();
  input.removeAttribute("aria-controls");
}

function say(count) {
  const words = document.getElementById("codes-said")?.dataset;
  const said = document.getElementById("said");
  if (words && said) said.textContent = count ? words.found.replace("{n}", count) : words.none;
}
