// An element with data-live="TOPIC ..." is fetched again from the page's own address when the
// event stream names a topic, and morphed in place: focus and typing survive.
import { Idiomorph } from "./vendor/idiomorph.js";

const named = new Set();
let busy = false;

export function listen() {
  const stream = new EventSource("/events");
  stream.onmessage = (event) => {
    if (event.data === "locked" && !location.pathname.startsWith("/unlock")) {
      location.assign(location.href);
      return;
    }
    named.add(event.data);
    refresh();
  };
}

async function refresh() {
  if (busy) return;
  busy = true;
  while (named.size) {
    const topics = [...named];
    named.clear();
    const shown = [...document.querySelectorAll("[data-live]")].filter((element) => {
      const own = element.dataset.live.split(" ");
      return topics.some((topic) => topic === "all" || own.includes(topic));
    });
    if (shown.length) {
      const found = await page(location.href, { headers: { "X-Desk": "live" } });
      if (found) for (const element of shown) replace(element, found);
    }
  }
  busy = false;
}

export async function page(address, options) {
  const answer = await fetch(address, options);
  const text = await answer.text();
  return new DOMParser().parseFromString(text, "text/html");
}

export function replace(element, found) {
  const fresh = element.id && found.getElementById(element.id);
  if (fresh) Idiomorph.morph(element, fresh);
}
