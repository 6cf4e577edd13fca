"use strict";
// Shows one machine's chart and asks the server each second how many tasks are in which state.

const SVG = "http://www.w3.org/2000/svg";
const SECOND = 1000;
const byId = (id) => document.getElementById(id);

let charts = { version: 0, machines: [], mistakes: "", database: false };
let moment = null; // a Date, or null for now
let waiting = null; // the question under way
let timer = 0;

// ---------------------------------------------------------------- what is shown

function current() {
  const name = decodeURIComponent(location.hash.slice(1));
  return charts.machines.find((machine) => machine.name === name) || charts.machines[0];
}

function showAll() {
  byId("mistakes").hidden = !charts.mistakes;
  byId("mistakes").textContent = charts.mistakes;
  byId("time").hidden = byId("counts").hidden = !charts.database;
  const list = byId("machines");
  list.replaceChildren(...charts.machines.map((machine) => {
    const item = document.createElement("li");
    const link = item.appendChild(document.createElement("a"));
    link.href = "#" + encodeURIComponent(machine.name);
    link.textContent = machine.name;
    return item;
  }));
  showMachine();
}

function showMachine() {
  const machine = current();
  if (!machine) return;
  document.title = machine.name + " · jetpackc viz";
  byId("name").textContent = machine.name;
  byId("doc").textContent = machine.doc;
  for (const link of document.querySelectorAll("#machines a")) {
    if (link.textContent === machine.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  byId("chart").replaceChildren();
  if (machine.svg) {
    const drawn = new DOMParser().parseFromString(machine.svg, "image/svg+xml").documentElement;
    byId("chart").append(document.importNode(drawn, true));
  }
  linkMachines(machine);
  byId("rows").replaceChildren();
  showHeld([], []);
  byId("stuck").textContent = "";
  ask();
}

/** A box of a machine that is spawned leads to its chart. */
function linkMachines(machine) {
  const module = machine.name.split(".")[0];
  for (const box of byId("chart").querySelectorAll("g.machine")) {
    const link = document.createElementNS(SVG, "a");
    link.setAttribute("href", "#" + encodeURIComponent(module + "." + box.querySelector(".title").textContent));
    box.replaceWith(link);
    link.append(box);
  }
}

function say(text, bad) {
  const status = byId("status");
  if (status.textContent !== text) status.textContent = text;
  status.classList.toggle("bad", bad);
  byId("columns").classList.toggle("stale", bad);
}

function showCounts(machine, answer) {
  const counts = new Map(Object.entries(answer.states));
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  for (const state of [...machine.states].reverse()) {
    // what is inside of a composite comes behind it
    const count = counts.get(state.name) || 0;
    if (state.parent) counts.set(state.parent, (counts.get(state.parent) || 0) + count);
  }
  for (const box of byId("chart").querySelectorAll("[data-box]")) {
    badge(box, counts.get(box.dataset.box) || 0);
  }
  const leaves = machine.states.filter((state) => state.leaf).map((state) => state.name);
  const known = new Set(machine.states.map((state) => state.name));
  const others = Object.keys(answer.states).filter((name) => !known.has(name)).sort();
  byId("rows").replaceChildren(
    ...leaves.map((name) => row(name, counts.get(name) || 0)),
    ...others.map((name) => row(name + " (not on this chart)", answer.states[name])),
    row("all", total),
  );
  byId("stuck").textContent = answer.stuck ? answer.stuck.toLocaleString() + " stuck: see jetpackc ps" : "";
  showHeld(answer.paused, answer.waiting);
}

/** Says what is paused, in words and on the boxes, and what waits. An empty name is the whole machine. */
function showHeld(paused, waiting) {
  const all = paused.includes("");
  for (const box of byId("chart").querySelectorAll("g.queue")) {
    const held = all || paused.includes(box.dataset.box);
    const old = box.querySelector(":scope > .pause");
    if (old && !held) old.remove();
    if (held && !old) box.append(pauseSign([...box.querySelectorAll(":scope > rect.box")].pop()));
  }
  byId("paused").textContent = !paused.length ? "" : "Paused: " + (all ? "the whole machine" : paused.join(", "));
  const list = byId("waiting");
  const old = [...list.children].map((item) => item.textContent);
  if (old.join("\n") === waiting.join("\n")) return;
  list.replaceChildren(...waiting.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
}

/** Two bars at the left of a box that no worker takes from. */
function pauseSign(frame) {
  const x = Number(frame.getAttribute("x"));
  const y = Number(frame.getAttribute("y"));
  const group = element("g", { class: "pause" });
  const title = group.appendChild(document.createElementNS(SVG, "title"));
  title.textContent = "paused: no worker takes tasks from here";
  group.append(element("circle", { cx: x, cy: y, r: 9 }));
  group.append(element("path", { d: `M${x - 2.5} ${y - 4}v8M${x + 2.5} ${y - 4}v8` }));
  return group;
}

function row(name, count) {
  const line = document.createElement("tr");
  line.className = count ? "" : "none";
  line.insertCell().textContent = name;
  line.insertCell().textContent = count.toLocaleString();
  return line;
}

/** Writes a count on the corner of a box; none for nothing. */
function badge(box, count) {
  const text = count.toLocaleString();
  const old = box.querySelector(":scope > .count");
  if (old && count && old.textContent === text) return;
  if (old) old.remove();
  if (!count) return;
  const frame = [...box.querySelectorAll(":scope > rect.box")].pop();
  const width = 12 + 7 * text.length;
  const x = Number(frame.getAttribute("x")) + Number(frame.getAttribute("width")) - 2;
  const y = Number(frame.getAttribute("y"));
  const group = element("g", { class: "count" });
  group.append(element("rect", { x: x - width / 2, y: y - 9, width, height: 18, rx: 9 }));
  group.append(element("text", { x, y: y + 4 })); // its text comes last, it is what the box is compared by
  group.lastChild.textContent = text;
  box.append(group);
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// ---------------------------------------------------------------- what is asked

async function get(path) {
  waiting = new AbortController();
  const answer = await fetch(path, { signal: waiting.signal });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** Asks now, whatever is under way, and again in a second. */
async function ask() {
  clearTimeout(timer);
  if (waiting) waiting.abort();
  const machine = current();
  const at = moment;
  const query = new URLSearchParams();
  if (charts.database && machine) query.set("machine", machine.name);
  if (at) query.set("at", at.toISOString());
  try {
    const answer = await get("/api/now?" + query);
    if (answer.version !== charts.version) return await load();
    if (answer.error) say(answer.error, true);
    else if (!answer.states) say("Charts alone: no database is named (--dsn, DATABASE_URL).", false);
    else {
      showCounts(machine, answer);
      say(at ? "As of " + at.toLocaleString() : "Live", false);
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    say("No answer from jetpackc viz: has it ended?", true);
  }
  if (!document.hidden) timer = setTimeout(ask, SECOND);
}

async function load() {
  try {
    charts = await get("/api/charts");
  } catch (error) {
    if (error.name !== "AbortError") timer = setTimeout(load, SECOND);
    return;
  }
  showAll();
}

// ---------------------------------------------------------------- what is chosen

function pick(date) {
  moment = date;
  const live = date === null;
  byId("live").setAttribute("aria-pressed", String(live));
  if (live) byId("moment").value = "";
  else {
    const local = new Date(date.getTime() - date.getTimezoneOffset() * 60 * SECOND);
    byId("moment").value = local.toISOString().slice(0, 19);
  }
  ask();
}

byId("live").addEventListener("click", () => pick(null));
byId("moment").addEventListener("change", () => {
  const date = new Date(byId("moment").value);
  pick(Number.isNaN(date.getTime()) ? null : date);
});
byId("time").addEventListener("submit", (event) => event.preventDefault());
for (const button of document.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => {
    pick(new Date((moment || new Date()).getTime() + Number(button.dataset.step) * SECOND));
  });
}
byId("fit").addEventListener("click", () => {
  const fits = byId("chart").classList.toggle("fit");
  byId("fit").setAttribute("aria-pressed", String(fits));
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the part behind the # names a machine
  byId("chart").focus();
});
byId("chart").classList.add("fit");
window.addEventListener("hashchange", showMachine);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else ask();
});
load();
