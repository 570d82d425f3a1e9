"use strict";

const audit = JSON.parse(document.getElementById("audit").textContent);
const ROWS = 200; // drawn at a time

// Small tools

/** An element with attributes, listeners (functions) and children (elements or text). */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
const seconds = (value) => `${value.toFixed(2)} s`;
const percent = (value) => `${Math.round(100 * value)} %`;
const signed = (value, digits) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

function small(value) {
  if (value === null || value === undefined) return "";
  if (value === 0) return "0";
  if (value >= 0.001 && value < 100_000) return String(Number(value.toPrecision(3)));
  const [digits, power] = value.toExponential(1).split("e");
  return `${digits} × 10${[...String(Number(power))].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("")}`;
}

function blob(base64, type) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type }));
}

function theSame(alike) {
  return `the same ${alike.join(" and ")}`;
}

function badge(verdict) {
  return element("span", { class: `verdict ${verdict.replaceAll(" ", "-")}` }, verdict);
}

const fileName = (path) => path.split(/[\\/]/).pop();

// What is behind a finding: loaded when it is opened, kept while the page is open

const waiting = new Map();

window.unheard = {
  finding(name, content) {
    waiting.get(name)?.resolve(content);
  },
};

function load(name) {
  if (!waiting.has(name)) {
    const promise = Promise.withResolvers ? Promise.withResolvers() : deferred();
    waiting.set(name, promise);
    if (audit.beside) {
      const script = element("script", { src: `findings/${name}.js`, error: () => {
        waiting.delete(name);
        promise.reject(new Error(`findings/${name}.js is not beside this page: the report was moved without its folder`));
      } });
      document.head.append(script);
    } else {
      promise.resolve(JSON.parse(document.getElementById(`finding-${name}`).textContent));
    }
  }
  return waiting.get(name).promise;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

// The table

const best = (file) => file.matches[0] ?? null;
const COLUMNS = [
  { title: "Verdict", value: (file) => audit.verdicts.indexOf(file.verdict), up: true },
  { title: "Sound", value: (file) => file.path, up: true },
  { title: "Score", value: (file) => (audit.untold.includes(file.verdict) ? -Infinity : file.score), number: true },
  { title: "Copied", value: (file) => (best(file) ? file.share || best(file).share : -1), number: true },
  { title: "Replays", value: (file) => best(file)?.caption ?? best(file)?.reference ?? "\uffff", up: true },
  { title: "Expected by chance", value: (file) => best(file)?.expected_false_alarms ?? Infinity, number: true, up: true },
];
const view = { column: COLUMNS[0], up: true, verdicts: new Set(), words: [], drawn: 0, rows: [] };
const body = document.querySelector("#files tbody");

audit.files.forEach((file, number) => {
  file.number = number;
  file.text = [file.path, file.reason, ...file.matches.flatMap((match) => [match.reference, match.caption])]
    .join(" ").toLowerCase();
});

function arrange() {
  const kept = audit.files.filter((file) =>
    (view.verdicts.size === 0 || view.verdicts.has(file.verdict)) &&
    view.words.every((word) => file.text.includes(word)));
  const direction = view.up ? 1 : -1;
  const by = view.column.value;
  kept.sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    const order = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x === y ? 0 : x < y ? -1 : 1;
    return direction * order || b.score - a.score || a.number - b.number;
  });
  view.rows = kept;
  view.drawn = 0;
  body.replaceChildren();
  document.body.classList.remove("with-findings");
  more();
  document.querySelectorAll("#files th").forEach((head, number) => {
    if (COLUMNS[number] === view.column) head.setAttribute("aria-sort", view.up ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
  document.getElementById("status").textContent = kept.length === audit.files.length ? ""
    : `${plural(kept.length, "sound")} of ${audit.files.length.toLocaleString("en")} shown`;
}

function more() {
  body.append(...view.rows.slice(view.drawn, view.drawn + ROWS).map(row));
  view.drawn = Math.min(view.drawn + ROWS, view.rows.length);
  document.getElementById("more").hidden = view.drawn === view.rows.length;
}

function row(file) {
  const match = best(file);
  const told = audit.untold.includes(file.verdict) ? file.reason
    : match ? match.caption ?? match.reference : "nothing beyond chance";
  return element("tr", {
    class: "file", tabindex: "0", "aria-expanded": "false", "data-path": file.path,
    click: (event) => toggle(event.currentTarget, file),
    keydown: (event) => keys(event, file),
  },
  element("td", {}, badge(file.verdict),
    file.verdict === "similar" && match.alike.length ? element("small", {}, theSame(match.alike)) : null),
  element("td", { class: "name", title: file.path }, fileName(file.path),
    file.duration ? element("small", {}, `${seconds(file.duration)}, ${(file.sample_rate / 1000).toLocaleString("en")} kHz`) : null),
  element("td", { class: "number", "data-title": "Score" }, audit.untold.includes(file.verdict) ? "" : file.score.toFixed(1)),
  element("td", { class: "number", "data-title": "Copied" }, match ? percent(file.share || match.share) : ""),
  element("td", { class: "reference" }, told,
    match && match.caption ? element("small", {}, match.reference) : null),
  element("td", { class: "number", "data-title": "Expected by chance" }, match ? small(match.expected_false_alarms) : ""));
}

function keys(event, file) {
  if (event.target !== event.currentTarget) return;
  const rows = [...body.querySelectorAll("tr.file")];
  const here = rows.indexOf(event.currentTarget);
  const steps = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: rows.length - 1 };
  if (event.key === "Enter" || event.key === " ") toggle(event.currentTarget, file);
  else if (event.key === "Escape" && event.currentTarget.getAttribute("aria-expanded") === "true") toggle(event.currentTarget, file);
  else if (event.key in steps) rows[steps[event.key]]?.focus();
  else return;
  event.preventDefault();
}

function toggle(line, file) {
  if (line.getAttribute("aria-expanded") === "true") {
    line.setAttribute("aria-expanded", "false");
    line.nextElementSibling.remove();
    return;
  }
  const detail = unfold(line);
  if (file.matches.length === 0) {
    alone(detail, file);
    return;
  }
  const place = element("div", { role: "tabpanel" });
  const tabs = file.matches.map((match, rank) => element("button", {
    type: "button", role: "tab", "aria-selected": "false",
    click: (event) => {
      event.stopPropagation();
      tabs.forEach((tab, number) => tab.setAttribute("aria-selected", String(number === rank)));
      show(place, file, match, rank);
    },
  }, `${rank + 1}: ${match.caption ?? match.reference}`));
  if (tabs.length > 1) detail.append(element("div", { class: "tabs", role: "tablist", "aria-label": "Matches" }, ...tabs));
  detail.append(place);
  tabs[0].setAttribute("aria-selected", "true");
  show(place, file, file.matches[0], 0);
}

/** The place below a row for what is found. */
function unfold(line) {
  line.setAttribute("aria-expanded", "true");
  const detail = element("div", { class: "detail" });
  line.after(element("tr", { class: "open" }, element("td", { colspan: COLUMNS.length }, detail)));
  return detail;
}

/** A sound without a match: what that means, and the sound. */
async function alone(detail, file) {
  const told = audit.untold.includes(file.verdict) ? `${capital(file.verdict)}: ${file.reason}.`
    : `None of the references was found in this sound, by ${(audit.settings.evidence ?? []).join(", ")}.`;
  const place = element("div", { class: "sounds" }, "loading …");
  detail.append(element("p", { class: "sentence" }, told), place);
  const content = audit.findings.includes(String(file.number)) ? await attempt(place, () => load(String(file.number))) : {};
  if (!content) return;
  const lane = content.audited && await side(content.audited, { title: "The audited sound", name: fileName(file.path) });
  if (lane) Object.assign(lane, { start: lane.from, end: lane.from });
  place.replaceChildren(...[lane ? drawLane(lane, 0, Math.max(lane.seconds ?? 0, 0.1)) : null,
    definitions([["SHA-256", file.sha256], ["File", file.path]])].filter(Boolean));
}

// A finding

/** What a promise gives; if it fails, the reason stands in its place, and nothing is given. */
async function attempt(place, promised) {
  try {
    return await promised();
  } catch (error) {
    place.replaceChildren(element("p", { class: "problem" }, error.message));
    return null;
  }
}

/** One of the two sounds of a finding: its clip, or why there is none. */
async function side(clip, about) {
  return { ...(typeof clip === "string" ? await load(clip) : clip), ...about };
}

async function show(place, file, match, rank) {
  place.replaceChildren("loading …");
  const sides = await attempt(place, async () => {
    const content = await load(`${file.number}-${rank}`);
    return [content.matrix, await side(content.audited, { title: "The audited sound", name: fileName(file.path), start: match.start, end: match.end }),
      await side(content.reference, { title: "The reference", name: match.reference, start: match.reference_start, end: match.reference_end })];
  });
  if (!sides) return;
  const [matrix, ...lanes] = sides;
  // One scale for both, shifted so that the matched passages stand above each other.
  const before = Math.max(...lanes.filter((lane) => !lane.missing).map((lane) => lane.start - lane.from), 0);
  const after = Math.max(...lanes.filter((lane) => !lane.missing).map((lane) => lane.from + lane.seconds - lane.start), 0.1);
  const drawn = lanes.map((lane) => drawLane(lane, before, before + after));
  const both = lanes.some((lane) => lane.missing) ? null : element("div", { class: "controls" },
    element("button", { type: "button", class: "both", click: () => playBoth(lanes) }, "▶ One match after the other"));
  place.replaceChildren(element("div", { class: "finding" },
    sentence(match),
    element("div", { class: "sounds" }, ...[...drawn, both, numbers(file, match)].filter(Boolean)),
    drawMatrix(matrix, lanes)));
}

function sentence(match) {
  const changes = [];
  if (Math.abs(match.transposition) >= 0.05) {
    changes.push(`${Math.abs(match.transposition).toFixed(1)} semitones ${match.transposition < 0 ? "lower" : "higher"}`);
  }
  if (Math.abs(match.stretch - 1) >= 0.005) {
    changes.push(`${Math.abs(100 * (match.stretch - 1)).toFixed(1)} % ${match.stretch < 1 ? "shorter" : "longer"}`);
  }
  return element("p", { class: "sentence" }, badge(match.verdict),
    `: ${percent(match.share)} of the sound. Its ${seconds(match.start)} to ${seconds(match.end)} match ` +
    `${seconds(match.reference_start)} to ${seconds(match.reference_end)} of the reference, ` +
    `${changes.length ? changes.join(" and ") : "at the same pitch and tempo"}.` +
    (match.alike.length ? ` Both have ${theSame(match.alike)}.` : ""));
}

function drawLane(lane, before, span) {
  if (lane.missing) {
    return element("section", {}, element("h3", {}, lane.title), element("p", { class: "problem" }, `cannot be played: ${lane.missing}`));
  }
  const at = (time) => `${100 * (before + time - lane.start) / span}%`;
  const wide = (length) => `${100 * length / span}%`;
  lane.audio = element("audio", { controls: true, preload: "auto", src: blob(lane.sound, lane.type), "aria-label": lane.title });
  const head = element("div", { class: "head", hidden: true });
  const strip = element("div", { class: "strip", style: `left:${at(lane.from)};width:${wide(lane.seconds)}`, title: "Click to play from here",
    click: (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      jump(lane, lane.from + lane.seconds * (event.clientX - box.left) / box.width, null);
    } }, element("img", { src: blob(lane.spectrogram, "image/png"), alt: `Spectrogram of ${lane.title.toLowerCase()}` }));
  const follow = () => {
    head.hidden = false;
    head.style.left = at(lane.from + lane.audio.currentTime);
    lane.moved?.(lane.from + lane.audio.currentTime);
    if (lane.until !== null && lane.from + lane.audio.currentTime >= lane.until) {
      lane.until = null;
      lane.audio.pause();
      lane.done?.();
    }
    if (!lane.audio.paused) requestAnimationFrame(follow);
  };
  lane.until = null;
  lane.audio.addEventListener("play", () => {
    document.querySelectorAll("audio").forEach((other) => other !== lane.audio && other.pause());
    requestAnimationFrame(follow);
  });
  lane.audio.addEventListener("seeked", follow);
  lane.audio.addEventListener("ended", () => { lane.until = null; lane.done?.(); });
  const step = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30].find((each) => span / each <= 11) ?? 60;
  const ticks = [];
  for (let tick = Math.ceil(lane.from / step) * step; tick <= lane.from + lane.seconds + 1e-9; tick += step) {
    ticks.push(element("span", { style: `left:${at(tick)}` }, Number(tick.toFixed(2)).toString()));
  }
  const [low, high] = lane.hertz;
  const hertz = [100, 1000, 10000].filter((each) => each < high).map((each) => element("span", {
    class: "hertz", style: `bottom:${100 * Math.log(each / low) / Math.log(high / low)}%` }, each < 1000 ? `${each} Hz` : `${each / 1000} kHz`));
  return element("section", { "aria-label": lane.title },
    element("h3", {}, lane.title, element("small", {}, lane.name + (lane.whole ? "" : `, ${seconds(lane.from)} to ${seconds(lane.from + lane.seconds)} of it`))),
    element("div", { class: "lane" }, strip, ...hertz,
      lane.end > lane.start ? element("div", { class: "match", style: `left:${at(lane.start)};width:${wide(lane.end - lane.start)}` }) : null, head),
    element("div", { class: "seconds", "aria-hidden": "true" }, ...ticks),
    element("div", { class: "controls" },
      lane.end > lane.start ? element("button", { type: "button", class: "play", click: () => jump(lane, lane.start, lane.end) }, "▶ Match") : null, lane.audio));
}

/** Play from a second of the whole sound on, up to another one or to the end. */
function jump(lane, from, until) {
  lane.done = null;
  lane.until = until;
  lane.audio.currentTime = Math.max(0, from - lane.from);
  return lane.audio.play();
}

function playBoth([first, second]) {
  jump(first, first.start, first.end);
  first.done = () => { first.done = null; jump(second, second.start, second.end); };
}

function drawMatrix(matrix, [audited, reference]) {
  if (!matrix || !matrix.picture) return element("p", { class: "problem" }, "There is no similarity matrix.");
  const [width, height] = matrix.seconds;
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", `${audited.from} ${reference.from} ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const path = document.createElementNS(namespace, "polyline");
  path.setAttribute("points", matrix.path.map((pair) => pair.join(",")).join(" "));
  svg.append(path);
  const column = element("div", { class: "head", hidden: true });
  audited.moved = (time) => {
    column.hidden = false;
    column.style.left = `${100 * (time - audited.from) / width}%`;
  };
  const shape = Math.min(Math.max(width / height, 0.6), 2.5);
  // The last frame may reach beyond the end of a sound.
  const [across, down] = [Math.min(width, audited.seconds), Math.min(height, reference.seconds)];
  return element("figure", { class: "side" },
    element("h3", {}, "Frame against frame"),
    element("div", { class: "plot", style: `aspect-ratio:${shape}` },
      element("img", { src: blob(matrix.picture, "image/png"), alt: "Similarity matrix with the path of the match" }), svg, column),
    element("figcaption", {}, `The audited sound from left to right (${seconds(audited.from)} to ${seconds(audited.from + across)}), ` +
      `the reference from top to bottom (${seconds(reference.from)} to ${seconds(reference.from + down)}); bright is alike, the line is the match.`));
}

function numbers(file, match) {
  const lines = [
    ["Score", `${match.score.toFixed(2)}; ${match.score_needed.toFixed(2)} makes a copy here`],
    ...match.evidence.map((part) => [capital(part.kind), `${part.score.toFixed(2)}; ${small(part.false_alarm_rate)} false alarms per comparison`]),
    match.evidence.length > 1 ? ["At the same place", match.agreeing > 1 ? `${match.agreeing} kinds, each by itself` : "no two kinds"] : null,
    ["False alarms", `${small(match.false_alarm_rate)} per comparison`],
    ["Expected by chance", `${small(match.expected_false_alarms)} in this catalogue`],
    ["Copied share", percent(match.share)],
    ["In the sound", `${seconds(match.start)} – ${seconds(match.end)}`],
    ["In the reference", `${seconds(match.reference_start)} – ${seconds(match.reference_end)}`],
    ["Shift", `${signed(match.shift, 2)} s`],
    ["Stretch", `× ${match.stretch.toFixed(3)}`],
    ["Transposition", `${signed(match.transposition, 2)} semitones`],
    ["Embedding cosine", match.embedding_similarity === null ? "not asked" : match.embedding_similarity.toFixed(3)],
    match.alike.length ? ["Alike", theSame(match.alike)] : null,
    ["Found by", match.found_by.join(" and ")],
    ["Reference", match.reference],
    ["Caption", match.caption],
    ["SHA-256 of the sound", file.sha256],
    ["SHA-256 of the reference", match.reference_sha256],
    ["File of the reference", match.reference_path],
  ].filter(Boolean);
  return definitions(lines);
}

/** Terms and what they are; those that are nothing are left out. */
function definitions(lines) {
  return element("dl", {}, ...lines.filter(([, value]) => value !== null && value !== undefined).flatMap(([term, value]) => [
    element("dt", {}, term), element("dd", { class: term.startsWith("SHA") ? "hash" : null }, value)]));
}

// How often a model's sounds replay

function byPrompt(found) {
  const section = document.getElementById("prompts");
  const range = (rate) => `${percent(rate.low)} to ${percent(rate.high)}`;
  section.hidden = false;
  section.querySelector("h2").textContent = found.rate === null ? "Nothing could be judged"
    : `${percent(found.prompts_replayed / found.prompts_judged)} of the prompts replay a recording`;
  const notTold = Object.entries(found.not_told).map(([verdict, number]) => `, ${number} ${verdict}`).join("");
  section.querySelector("p").textContent = `${found.prompts_replayed} of ${plural(found.prompts_judged, "prompt")} of ${found.model} ` +
    `${found.guided ? "with" : "without"} guidance ${found.prompts_judged === 1 ? "gives" : "give"} ${found.bound === "copy" ? "a copy" : `a ${found.bound} or worse`} ` +
    `(95 % interval ${range({ low: found.prompts_low, high: found.prompts_high })} of such prompts), ` +
    `as ${found.replayed} of ${plural(found.judged, "judged sound")} are (${range(found)}; they say ` +
    `${found.effective < 1 ? "less than 1 independent sound" : `as much as ${plural(Math.round(found.effective), "independent sound")}`})${notTold}. Press a prompt to see its sounds.`;
  const heads = [["Prompt"], ["Replayed", true], ["95 % interval, other seeds", true], ["Pull of the prompt", true]];
  section.querySelector("thead tr").append(...heads.map(([title, number]) =>
    element("th", { scope: "col", class: number ? "number" : null }, title)));
  const prompts = found.prompts.toSorted((a, b) => b.rate - a.rate || b.risk - a.risk);
  section.querySelector("tbody").append(...prompts.map((each) => element("tr", {},
    element("td", {}, element("button", { type: "button", class: "prompt", click: () => {
      const search = document.getElementById("search");
      search.value = each.prompt.replace(/[^\p{L}\p{N}_ ,.-]+/gu, "").slice(0, 60).trim();
      search.dispatchEvent(new Event("input"));
      document.getElementById("tools").scrollIntoView();
    } }, each.prompt)),
    element("td", { class: "number" }, `${each.replayed} of ${each.judged}`),
    element("td", { class: "number" }, range(each)),
    element("td", { class: "number" }, small(each.risk)))));
}

// Above the table

function introduction() {
  const { about, catalogue } = audit;
  document.getElementById("case").textContent = about.case ?? "";
  document.getElementById("case").hidden = !about.case;
  document.getElementById("notes").hidden = !about.notes;
  document.getElementById("notes").append(...(about.notes ?? "").split(/\n\s*\n/).filter(Boolean).map((text) => element("p", {}, text)));
  document.getElementById("against").textContent = [
    about.title ? plural(audit.files.length, "sound") : "",
    catalogue.items === undefined ? "" : `${about.title ? "against" : "Against"} ${plural(catalogue.items, "reference")}${catalogue.name ? ` of ${catalogue.name}` : ""}`,
    `made ${new Date(audit.made).toLocaleString("en", { dateStyle: "long", timeStyle: "short" })}`,
    audit.small ? "sounds in small, to be told by ear" : "",
  ].filter(Boolean).join(", ");
  document.querySelector("#legend dl").append(...Object.entries(audit.meanings).flatMap(([verdict, meaning]) =>
    [element("dt", {}, badge(verdict)), element("dd", {}, meaning)]));
}

// On paper

/** Opens every row that is shown, with all of its findings below each other; resolves when all is drawn. */
async function openAll() {
  while (view.drawn < view.rows.length) more();
  const lines = [...body.querySelectorAll("tr.file")];
  await Promise.all(lines.map((line, number) => {
    const file = view.rows[number];
    if (line.getAttribute("aria-expanded") === "true") toggle(line, file);
    const detail = unfold(line);
    if (file.matches.length === 0) return alone(detail, file);
    return Promise.all(file.matches.map((match, rank) => {
      const place = element("div", { class: "finding-on-paper" });
      detail.append(place);
      return show(place, file, match, rank);
    }));
  }));
  overview(lines);
  await Promise.all([...document.images].map((image) => image.decode().catch(() => null)));
}

/** All rows once more in a table of their own, which paper has above the findings. */
function overview(lines) {
  document.querySelector("#overview thead tr").replaceChildren(...COLUMNS.map((column) =>
    element("th", { scope: "col", class: column.number ? "number" : null }, column.title)));
  document.querySelector("#overview tbody").replaceChildren(...lines.map((line) =>
    element("tr", {}, ...[...line.cells].map((cell) => cell.cloneNode(true)))));
  document.body.classList.add("with-findings");
}

window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((part) => { part.open = true; });
});

// The rest of the page

function start() {
  const { catalogue } = audit;
  const counts = audit.verdicts.map((verdict) => [verdict, audit.files.filter((file) => file.verdict === verdict).length]);
  introduction();
  document.getElementById("counts").append(...counts.filter(([, count]) => count).map(([verdict, count]) =>
    element("button", { type: "button", "aria-pressed": "false", class: verdict.replaceAll(" ", "-") + " filter", "data-verdict": verdict,
      click: (event) => {
        const pressed = !view.verdicts.delete(verdict);
        if (pressed) view.verdicts.add(verdict);
        event.currentTarget.setAttribute("aria-pressed", String(pressed));
        arrange();
      } }, element("b", {}, count.toLocaleString("en")), badge(verdict))));
  document.querySelector("#files thead tr").append(...COLUMNS.map((column) =>
    element("th", { scope: "col", class: column.number ? "number" : null }, element("button", { type: "button", click: () => {
      view.up = view.column === column ? !view.up : Boolean(column.up);
      view.column = column;
      arrange();
    } }, column.title))));
  document.querySelector("#more button").addEventListener("click", more);
  new IntersectionObserver(([seen]) => seen.isIntersecting && more()).observe(document.getElementById("more"));
  const sort = document.getElementById("sort");
  sort.append(...COLUMNS.map((column) => element("option", {}, column.title)));
  sort.addEventListener("change", () => {
    view.column = COLUMNS[sort.selectedIndex];
    view.up = Boolean(view.column.up);
    arrange();
  });
  document.getElementById("print").addEventListener("click", () => openAll().then(() => window.print()));
  const search = document.getElementById("search");
  search.addEventListener("input", () => {
    view.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    arrange();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|AUDIO|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  document.getElementById("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).getPropertyValue("color-scheme").trim() === "dark"
      || (!document.documentElement.style.colorScheme && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.style.colorScheme = dark ? "light" : "dark";
  });
  if (audit.replication) byPrompt(audit.replication);
  const made = document.querySelector("#made div");
  for (const [title, part] of [["Catalogue", catalogue], ["Settings", audit.settings], ["Calibration", audit.calibration], ["Versions", audit.versions]]) {
    const lines = Object.entries(part ?? {});
    if (!lines.length) continue;
    made.append(element("h2", {}, title), element("dl", {}, ...lines.flatMap(([name, value]) => [
      element("dt", {}, name), element("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value))])));
  }
  arrange();
}

start();
// For `chromium --print-to-pdf`, which waits for all that is being loaded.
if (location.hash === "#print") openAll();
