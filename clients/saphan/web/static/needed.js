// What is left out is asked for in the page's language: the browser would ask in its own.
export function needed() {
  document.addEventListener("invalid", ({ target }) => {
    if (target.validity.valueMissing) target.setCustomValidity(document.body.dataset.needed);
  }, { capture: true });
  document.addEventListener("input", ({ target }) => {
    for (const one of target.form?.elements ?? []) one.setCustomValidity?.("");
  }, { capture: true });
}
