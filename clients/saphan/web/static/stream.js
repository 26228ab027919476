// What the desk says, in every tab. A browser keeps six connections to one place and a stream holds
// one for good, so one tab listens for all of them; when it goes, the next one takes its place.
// Each word comes with a number, and each page bears the one of the moment when it was asked for:
// whose number differs when they begin to listen has missed something.

// take(word): "open" or "locked", a topic, "all", or "gone" when the desk does not answer.
export function hearIn(take) {
  const tabs = new BroadcastChannel("desk");
  let seen = Number(document.body.dataset.number);
  let stream = null;

  const hear = ({ number, word }) => {
    const missed = word === "open" || word === "at" ? number !== seen : false;
    seen = number;
    if (word !== "at") take(word);
    if (missed) take("all");
  };
  const tell = (said) => {
    tabs.postMessage(said);
    hear(said);
  };
  const listen = () =>
    new Promise(() => {
      stream = new EventSource("/events");
      stream.onmessage = (event) => {
        const [number, word] = event.data.split(" ");
        tell({ number: Number(number), word });
      };
      stream.onerror = () => tell({ number: seen, word: "gone" });
    });

  tabs.onmessage = ({ data }) => {
    if (data.word !== "new") hear(data);
    else if (stream) tabs.postMessage({ number: seen, word: "at" });
  };
  tabs.postMessage({ word: "new" });
  if (navigator.locks) navigator.locks.request("desk-stream", listen);
  else listen();
}
