// The console: shows what /v1 tells, and follows /v1/events. All text is set as text: names are bytes from strangers.

const PAGE = 100, LOOK = 3000, EVENTS = 100, GONE = 200;
const $ = (selector) => document.querySelector(selector);
const state = { about: {}, pool: null, shown: null, after: { pools: null, elements: null }, next: {}, gone: new Map(),
  token: "", waiting: false, missed: false, again: 0 };

async function ask(path, options = {}) {
  const response = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(answer.error || response.statusText), { status: response.status });
  return answer;
}

const pathOf = (handle) => "/v1/pools/" + handle.replace(/../g, "%$&");
const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });

function ago(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

// Tables keep their rows, so that focus and what a reader has under its cursor stay where they are.

function fill(table, rows) {
  const body = $(table).tBodies[0], there = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  let place = body.firstElementChild;
  for (const { key, kind = "", cells: given, act } of rows) {
    const cells = given.map((cell) => (cell !== null && typeof cell === "object" ? cell : { text: cell }));
    let row = there.get(key);
    there.delete(key);
    if (!row) {
      row = document.createElement("tr");
      row.dataset.key = key;
      for (const [index, cell] of cells.entries()) {
        const made = row.appendChild(document.createElement(index ? "td" : "th"));
        if (!index) made.scope = "row";
        if (cell.badge !== undefined) made.appendChild(document.createElement("span"));
        else if (!index && act) made.appendChild(document.createElement("button")).type = "button";
        made.className = cell.class || "";
      }
    }
    row.className = kind;
    for (const [index, cell] of cells.entries()) {
      const inner = row.cells[index].firstElementChild || row.cells[index];
      const text = String(cell.badge ?? cell.text ?? "");
      if (inner.textContent !== text) inner.textContent = text;
      if (cell.badge !== undefined) inner.className = `badge ${cell.kind}`;
    }
    if (act) row.cells[0].firstElementChild.onclick = act;
    row.setAttribute("aria-selected", String(kind.includes("chosen")));
    if (row !== place) body.insertBefore(row, place);
    else place = place.nextElementSibling;
  }
  for (const row of there.values()) row.remove();
}

const number = (text) => ({ text: text ?? "", class: "number" });
const badge = (text, kind) => ({ badge: text, kind });

function showAbout(about) {
  state.about = about;
  $("#who").textContent = [about.role, about.identifier || about.pool].filter(Boolean).join(" ");
  document.title = `rserpool ${$("#who").textContent}`;
  $("#state").textContent = about.ready ? "ready" : about.reason;
  $("#state").className = `badge ${about.ready ? "good" : "bad"}`;
  $("#retire").hidden = about.role !== "registrar";
}

// Whether its elements are the same there and here; an update that is on its way makes them differ for a moment.
function copies(each) {
  if (each.own || each.checksum === undefined) return badge("", "none");
  if (each.told == null) return badge(each.state === "unknown" ? "" : "not told yet", each.state === "unknown" ? "none" : "");
  return each.told === each.checksum ? badge("agree", "good") : badge(`differ: ${each.told}`, "warn");
}

// Whom it does not have for a peer, of those that this one has.
function peersOf(each, scope) {
  if (each.state === "unknown") return each.named_by?.length ? `named by ${each.named_by.join(", ")}` : "";
  if (!each.peers) return "";
  const lacks = scope.filter((other) => other !== each.identifier && !each.peers.includes(other));
  return lacks.length ? `${each.peers.length}, not ${lacks.join(", ")}` : `${each.peers.length} (all)`;
}

function showRegistrars(registrars) {
  const fine = new Set(["ready", "connected", "home"]);
  const scope = registrars.filter((each) => each.state !== "unknown").map((each) => each.identifier);
  fill("#registrars", registrars.map((each) => ({
    key: each.identifier || each.address,
    act: () => registrarDetail(each),
    cells: [(each.identifier || each.address) + (each.own ? " (this one)" : ""),
      badge(each.state === "unknown" ? "no peer of this one" : each.state,
        fine.has(each.state) ? "good" : each.state === "known" ? "" : each.state === "unknown" ? "warn" : "bad"),
      number(each.elements), each.checksum, copies(each), { class: "long", text: peersOf(each, scope) }, each.address,
      number(ago(each.heard ?? each.since))],
  })));
}

function showPools(page) {
  fill("#pool-table", page.pools.map((pool) => ({
    key: pool.handle,
    kind: state.pool?.handle === pool.handle ? "chosen" : "",
    act: () => choose(pool),
    cells: [pool.pool || "(no name)", pool.policy, number(pool.elements),
      { class: "long", text: Object.entries(pool.homes).map(([home, many]) => `${home} (${many})`).join(", ") }],
  })));
  paged("pools", "#pool-pages", page, page.pools.length, state.about.pools);
}

function condition(element) {
  if (element.registered === false) return badge("not registered", "bad");
  if (element.asked) return badge("asked whether it lives", "warn");
  if (element.reports) return badge("reported", "warn");
  return badge("serves", "good");
}

function showElements(page, draining) {
  const where = (each) => (each.transport ? `${each.transport.protocol} ${each.transport.addresses.join(",")}:${each.transport.port ?? ""}` : "");
  const cells = (each, what) => [each.identifier, what, where(each), each.policy?.name, each.home, number(ago(each.age)),
    number(ago(each.answered)), number(each.delay == null ? "" : `${(1000 * each.delay).toFixed(1)} ms`), number(each.reports)];
  const here = new Set(page.elements.map((each) => each.identifier));
  const gone = [...state.gone.values()].filter((event) => !here.has(event.identifier)).reverse();
  const row = (each, what, kind = "") => ({ key: each.identifier, kind, act: () => detail(each), cells: cells(each, what) });
  fill("#element-table", [
    ...gone.map((event) => row(event, badge(`gone: ${event.why}`, "bad"), "bad")),
    ...draining.filter((each) => !here.has(each.identifier)).map((each) =>
      row(each, badge(`drains${each.connections === null ? "" : `, ${each.connections} connections`}`, "warn"))),
    ...page.elements.map((each) => row(each, condition(each))),
  ]);
  state.pool.elements = Math.max(page.elements.length, state.pool.elements);
  paged("elements", "#element-pages", page, page.elements.length, state.pool.elements);
}

function paged(what, where, page, many, all) {
  state.next[what] = page.next;
  const place = $(where);
  place.querySelector(".first").disabled = state.after[what] === null;
  place.querySelector(".next").disabled = page.next === null;
  place.querySelector(".where").textContent = `${many} of ${Math.max(many, all ?? 0)} shown`;
}

async function look() {
  state.missed = state.waiting;
  if (state.waiting) return;
  state.waiting = true;
  try {
    const query = (what) => `?limit=${PAGE}${state.after[what] === null ? "" : `&after=${state.after[what]}`}`;
    const [about, registrars, pools] = await Promise.all([
      ask("/v1/about"), ask("/v1/registrars"), ask(`/v1/pools${query("pools")}`)]);
    showAbout(about);
    showRegistrars(registrars.registrars);
    if (state.pool) state.pool = pools.pools.find((pool) => pool.handle === state.pool.handle) || state.pool;
    showPools(pools);
    const chosen = state.pool;
    if (chosen) {
      const nobody = { elements: [], next: null };
      const [page, draining] = await Promise.all([
        ask(`${pathOf(chosen.handle)}/elements${query("elements")}`).catch((error) => {
          if (error.status === 404) return nobody;
          throw error;
        }), ask("/v1/draining")]);
      if (chosen.handle === state.pool?.handle)
        showElements(page, draining.elements.filter((each) => each.handle === chosen.handle));
    }
  } catch (error) {
    $("#state").textContent = `cannot be asked: ${error.message}`;
    $("#state").className = "badge bad";
  } finally {
    state.waiting = false;
    if (state.missed) look();
  }
}

// Not more often than that, however much happens; nor for a page that nobody sees.
function soon() {
  if (!state.again) state.again = setTimeout(() => { state.again = 0; look(); }, 500);
}

async function choose(pool) {
  state.pool = pool;
  state.after.elements = null;
  state.gone = new Map();
  $("#elements").hidden = false;
  $("#elements-title").textContent = `Elements of ${pool.pool}`;
  fill("#element-table", []);
  const told = await ask(`${pathOf(pool.handle)}/history?limit=${2 * GONE}`).catch(() => ({ events: [] }));
  if (state.pool.handle !== pool.handle) return;
  for (const event of told.events) note(event);
  await look();
  $("#elements").scrollIntoView({ block: "nearest" });
}

// Whoever left by itself, told by itself or by its home.
const LEFT = new Set(["deregistered", "removed by its home"]);

// Who has failed stays in sight until it comes again; who left by itself does not.
function note(event) {
  if (event.handle !== state.pool?.handle) return;
  if (event.kind === "removed" && !LEFT.has(event.why)) state.gone.set(event.identifier, event);
  else if (event.kind === "added") state.gone.delete(event.identifier);
  if (state.gone.size > GONE) state.gone.delete(state.gone.keys().next().value);
}

const WORDS = {
  added: "registered", changed: "registered again with other values", moved: "has another home", removed: "removed",
  suspected: "may be dead, and is asked", doubted: "does not answer us", reported: "was reported", ready: "ready",
  "peer-found": "a registrar is there", "peer-lost": "a registrar is silent", "peer-unreachable": "a registrar cannot be reached",
  "peer-retired": "a registrar has retired", "taken-over": "a registrar is gone, and its elements have a new home", audited: "a copy was mended",
  "keep-alives": "elements are asked at another interval", home: "another registrar", pool: "the pool changed",
};

function sentence(event) {
  const who = [event.pool, event.identifier || event.target || event.peer || event.address || event.registrar].filter(Boolean).join(" ");
  const more = [event.why, event.kind === "taken-over" ? `${event.elements} elements belong to ${event.by} now` : "",
    event.kind === "pool" ? `${event.elements ?? "no"} elements` : ""].filter(Boolean).join(", ");
  return `${who}${who ? ": " : ""}${WORDS[event.kind] || event.kind}${more ? `: ${more}` : ""}`;
}

function line(event) {
  const item = document.createElement("li"), time = document.createElement("time");
  time.dateTime = event.time;
  time.textContent = clock(event.time);
  if (event.kind === "removed" && !LEFT.has(event.why)) item.className = "bad";
  item.append(time, sentence(event));
  return item;
}

const BAD = new Set(["peer-lost", "taken-over"]);
const isBad = (event) => BAD.has(event.kind) || (event.kind === "removed" && !LEFT.has(event.why));

// All consoles of a browser have one stream between them, in a worker; without workers each has its own.
const SCRIPT = globalThis.trustedTypes?.createPolicy("rserpool", { createScriptURL: () => "/events.js" });

function follow() {
  let lines = [], due = 0;
  const show = () => {
    due = 0;
    const list = $("#events"), last = lines.slice(-EVENTS);
    lines = [];
    list.prepend(...last.map(line).reverse());
    while (list.childElementCount > EVENTS) list.lastElementChild.remove();
    const worst = last.filter(isBad).slice(-3);
    if (worst.length) $("#told").textContent = worst.map(sentence).join(". ");
  };
  const heard = ({ live, lost, events = [] }) => {
    if (live !== undefined) {
      $("#live").textContent = live ? "live" : "not live: trying again";
      $("#live").className = `badge ${live ? "good" : "bad"}`;
    }
    for (const event of events) {
      lines.push(event);
      note(event);
    }
    if (events.length) due ||= setTimeout(show, 250);
    if (live || lost || events.length) soon();
  };
  if (typeof SharedWorker === "function") {
    const { port } = new SharedWorker(SCRIPT ? SCRIPT.createScriptURL("") : "/events.js", { name: "rserpool" });
    port.onmessage = (message) => heard(message.data);
    addEventListener("pagehide", () => port.postMessage("bye"));
    addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });
    return;
  }
  const events = new EventSource("/v1/events?after=0");
  events.onopen = () => heard({ live: true });
  events.onerror = () => {
    heard({ live: false });
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
  };
  events.addEventListener("lost", () => heard({ lost: true }));
  events.onmessage = (message) => heard({ events: [JSON.parse(message.data)] });
}

function facts(pairs) {
  $("#facts").replaceChildren(...pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
}

function registrarDetail(each) {
  const list = (ids) => (ids ? ids.join(", ") || "none" : null);
  $("#detail-title").textContent = `Registrar ${each.identifier || each.address}${each.own ? " (this one)" : ""}`;
  facts([["State", each.state === "unknown" ? "no peer of this one" : each.state], ["Address", each.address], ["Elements", each.elements],
    ["Checksum of its elements, here", each.checksum], ["The same, as it tells", each.told], ["Its peers", list(each.peers)],
    ["Named by", list(each.named_by)], ["Heard", each.heard === undefined ? null : `${ago(each.heard)} ago`]]);
  for (const button of document.querySelectorAll("[data-verb]")) button.hidden = true;
  $("#past").hidden = true;
  $("#detail").showModal();
}

async function detail(element) {
  $("#past").hidden = false;
  state.shown = { ...element, handle: state.pool.handle, pool: state.pool.pool };
  $("#detail-title").textContent = `Element ${element.identifier} of ${state.pool.pool}`;
  facts([["Why it is gone", element.kind === "removed" ? element.why : null], ["Home", element.home], ["Identity", element.owner],
    ["Transport", element.transport && `${element.transport.protocol} ${element.transport.addresses.join(", ")} port ${element.transport.port ?? "-"}`],
    ["Policy", element.policy && Object.entries(element.policy).filter(([name]) => name !== "type").map(([name, value]) => `${name} ${value}`).join(", ")],
    ["Age", ago(element.age)], ["Last answer", element.answered == null ? null : `${ago(element.answered)} ago, after ${(1000 * element.delay).toFixed(1)} ms`],
    ["Reports against it", element.reports]]);
  for (const button of document.querySelectorAll("[data-verb]")) button.hidden = state.about.role !== "registrar";
  $("#history").replaceChildren();
  $("#detail").showModal();
  const told = await ask(`${pathOf(state.shown.handle)}/elements/${element.identifier}/history?limit=${EVENTS}`).catch(() => ({ events: [] }));
  $("#history").replaceChildren(...told.events.reverse().map(line));
}

const TEXTS = {
  drain: "It gets no new users, serves those that it has, and is held back until somebody undrains it.",
  undrain: "It registers again, and gets users.",
  evict: "It is removed at once, and refused for a while by every registrar. Users that it has are not asked.",
  retire: "It hands its elements over to other registrars, and ends. Nothing starts it again from here.",
};

function confirmed(verb, about, path) {
  $("#confirm-title").textContent = `${verb[0].toUpperCase()}${verb.slice(1)} ${about}?`;
  $("#confirm-text").textContent = TEXTS[verb];
  $("#for").hidden = verb !== "evict";
  $("#proof").hidden = true;
  $("#outcome").textContent = "";
  const button = $("#do");
  button.textContent = verb;
  button.disabled = false;
  button.className = verb === "undrain" ? "" : "danger";
  button.onclick = async () => {
    button.disabled = true;
    state.token = $("#token").value || state.token;
    const headers = { "Content-Type": "application/json" };
    if (state.token) headers.Authorization = `Bearer ${state.token}`;
    const body = verb === "evict" ? { seconds: Number($("#seconds").value) } : {};
    try {
      await ask(path, { method: "POST", headers, body: JSON.stringify(body) });
      $("#confirm").close();
      $("#detail").close();
      look();
    } catch (error) {
      if (error.status === 401) {
        state.token = $("#token").value = "";
        $("#proof").hidden = false;
        $("#token").focus();
      }
      $("#outcome").textContent = error.message;
      button.disabled = false;
    }
  };
  $("#confirm").showModal();
}

for (const [what, where] of [["pools", "#pool-pages"], ["elements", "#element-pages"]]) {
  $(`${where} .first`).onclick = () => { state.after[what] = null; look(); };
  $(`${where} .next`).onclick = () => { state.after[what] = state.next[what]; look(); };
}
$("#find").onsubmit = (event) => {
  event.preventDefault();
  const identifier = parseInt(new FormData(event.target).get("identifier"), 16);
  state.after.elements = identifier > 1 ? `0x${(identifier - 1).toString(16)}` : null;
  look();
};
$("#detail .close").onclick = () => $("#detail").close();
for (const button of document.querySelectorAll("[data-verb]"))
  button.onclick = () => confirmed(button.dataset.verb, `${state.shown.identifier} of ${state.shown.pool}`,
    `${pathOf(state.shown.handle)}/elements/${state.shown.identifier}/${button.dataset.verb}`);
$("#retire").onclick = () => confirmed("retire", `registrar ${state.about.identifier}`, "/v1/retire");

follow();
look();
setInterval(() => { if (!document.hidden) look(); }, LOOK);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
