// An element with data-live="TOPIC ..." and an id is fetched again from the page's own address when
// the event stream names a topic, and morphed in place: focus and typing survive.
import { load } from "./load.js";
import { hearIn } from "./stream.js";
import { Idiomorph } from "./vendor/idiomorph.js";

const named = new Set();
let busy = false;

export function listen() {
  hearIn((word) => {
    gone(word === "gone");
    if (word === "open" || word === "locked") turned(word);
    else if (word !== "gone") hear(word);
  });
  document.addEventListener("visibilitychange", again);
  setInterval(() => hear("minute"), 60_000); // clocks run on
}

// Another tab has locked or unlocked the desk, or nobody was there.
function turned(state) {
  const asking = location.pathname === "/unlock";
  if ((state === "locked") !== asking) document.dispatchEvent(new Event("desk:leave"));
  if (state === "locked" && !asking) {
    location.replace("/unlock?next=" + encodeURIComponent(location.pathname + location.search));
  } else if (state === "open" && asking) {
    location.replace(location.href);
  }
}

// The page's process does not answer: it ended, or it is locking and will be back at once.
let silence = null;
function gone(is) {
  clearTimeout(silence);
  const said = document.getElementById("gone");
  if (!said) return;
  if (is) silence = setTimeout(() => (said.hidden = false), 5000);
  else said.hidden = true;
}

function hear(topic) {
  named.add(topic);
  again();
}

// A tab that nobody sees looks when it is seen.
function again() {
  if (!busy && !document.hidden) refresh();
}

async function refresh() {
  busy = true;
  try {
    await look();
  } finally {
    busy = false; // whatever went wrong: the next piece of news is looked at
  }
}

async function look() {
  while (named.size && !document.hidden) {
    const topics = [...named];
    named.clear();
    const shown = [...document.querySelectorAll("[data-live][id]")].filter((element) => {
      const own = element.dataset.live.split(" ");
      return topics.some((topic) => topic === "all" || own.includes(topic));
    });
    if (!shown.length) continue;
    const { status, document: found } = await load(location.href, { as: "live" });
    if (status !== 200) continue;
    for (const element of shown) replace(element, found);
    document.title = found.title;
  }
}

// Morph an element into the one of the same id in another document.
export function replace(element, found) {
  const fresh = found && found.getElementById(element.id);
  if (!fresh) return false;
  Idiomorph.morph(element, document.adoptNode(fresh), {
    ignoreActiveValue: true,
    // What a person has unfolded stays as they left it.
    callbacks: { beforeAttributeUpdated: (name, node) => name !== "open" || !node.matches("details") },
  });
  return true;
}
