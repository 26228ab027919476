// An order that is clicked twice is given once: the second one would undo what the first one led to.
const APART_MS = 1000;
const given = new WeakMap();

export function once() {
  document.addEventListener("submit", (event) => {
    const order = event.submitter ?? event.target;
    const before = given.get(order) ?? -APART_MS;
    given.set(order, event.timeStamp);
    if (event.timeStamp - before >= APART_MS) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, { capture: true });
}
