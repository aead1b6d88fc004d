// One stream of events for all consoles of a browser: it has six connections to a place, and each stream takes one.

const KEPT = 500;
const pages = new Set(), kept = [];
let live = false;

function tell(said) {
  for (const page of pages) page.postMessage(said);
}

function follow() {
  const events = new EventSource("/v1/events?after=0");
  events.onopen = () => { live = true; tell({ live }); };
  events.onerror = () => {
    live = false;
    tell({ live });
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
  };
  events.addEventListener("lost", () => tell({ lost: true }));
  events.onmessage = (message) => {
    const event = JSON.parse(message.data);
    kept.push(event);
    if (kept.length > KEPT) kept.shift();
    tell({ events: [event] });
  };
}

self.onconnect = (connecting) => {
  const [page] = connecting.ports;
  pages.add(page);
  page.onmessage = () => pages.delete(page);
  page.postMessage({ live, events: kept });
};

follow();
