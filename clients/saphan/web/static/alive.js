// A person who types or points is there, although no request says so: at most every 30 seconds.
const EVERY_MS = 30000;
let told = Date.now();

export function alive() {
  for (const name of ["keydown", "pointerdown", "pointermove", "wheel"]) {
    document.addEventListener(name, tell, { passive: true });
  }
}

function tell() {
  if (Date.now() - told < EVERY_MS || location.pathname === "/unlock") return;
  told = Date.now();
  fetch("/alive", { method: "POST" }).catch(() => {});
}
