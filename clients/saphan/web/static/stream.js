// What the desk says, in every tab. A browser keeps six connections to one place and a stream holds
// one for good, so one tab listens for all of them; when it goes, the next one takes its place.
const SETTLED_MS = 2000;

// take(word): "open" or "locked", a topic, "all", or "gone" when the desk does not answer.
export function hearIn(take) {
  const tabs = new BroadcastChannel("desk");
  tabs.onmessage = (event) => take(event.data);
  const tell = (word) => {
    tabs.postMessage(word);
    take(word);
  };
  const begun = performance.now();
  const listen = () =>
    new Promise(() => {
      const stream = new EventSource("/events");
      stream.onmessage = (event) => {
        tell(event.data);
        // Begun anew, or by another tab than before: nobody knows what was said meanwhile.
        if (event.data === "open" && performance.now() - begun > SETTLED_MS) tell("all");
      };
      stream.onerror = () => tell("gone");
    });
  if (navigator.locks) navigator.locks.request("desk-stream", listen);
  else listen();
}
