"use strict";
(() => {
const D = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const $ = id => document.getElementById(id);
const T = n => D.texts[n || 0];
// el makes an element. Texts of the report are only ever set as text.
const el = (tag, props, ...kids) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (k === "class") e.className = v;
    else if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (v !== undefined && v !== false) e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...kids.filter(k => k !== undefined && k !== null));
  return e;
};
const words = {
  en: {pass: "pass", fail: "fail", known: "fails, as known", accepted: "fails, as a deviation accepts", error: "error of the tests", "not-run": "not run", unsupported: "does not apply",
    all: "all", open: "neither pass nor unsupported", found: (n, m) => `${n} of ${m} results`, claims: n => `${n} claims`, cell: "Cell", claim: "Claim", close: "Close", previous: "Previous", next: "Next", source: "Source",
    expected: "Expected", observed: "Observed", compared: n => n === 1 ? "1 expectation was compared." : `${n} expectations were compared; the last one is shown.`, failedAt: n => `The check stopped at expectation ${n}.`,
    why: "Why", record: "Record", where: "Evidence", transcript: "What the probe observed", console: "End of the console while the probe ran", again: "Run it again", copy: "Copy", copied: "Copied",
    none: "Everything that applies holds.", unknown: "could not be determined", probe: (p, s) => `Probe ${p}` + (s === undefined ? "" : `, ${s.toFixed(1)} s`), step: "step", noConsole: "no console log", silent: "The kernel wrote nothing.", more: n => `Show ${n} more`, on: "on"},
  zh: {pass: "通过", fail: "失败", known: "失败，与已知一致", accepted: "失败，已被偏差接受", error: "测试出错", "not-run": "未运行", unsupported: "不适用",
    all: "全部", open: "既非通过也非不适用", found: (n, m) => `${n} / ${m} 个结果`, claims: n => `${n} 条断言`, cell: "单元", claim: "断言", close: "关闭", previous: "上一个", next: "下一个", source: "出处",
    expected: "预期", observed: "实际", compared: n => n === 1 ? "比较了 1 个预期。" : `比较了 ${n} 个预期，这里是最后一个。`, failedAt: n => `检查在第 ${n} 个预期处停止。`,
    why: "原因", record: "条目", where: "证据", transcript: "探针观察到的内容", console: "探针运行期间控制台的末尾", again: "重新运行", copy: "复制", copied: "已复制",
    none: "适用的断言全部成立。", unknown: "无法确定", probe: (p, s) => `探针 ${p}` + (s === undefined ? "" : `，${s.toFixed(1)} 秒`), step: "步骤", noConsole: "没有控制台日志", silent: "内核没有输出。", more: n => `再显示 ${n} 个`, on: "在"},
};
// The worst comes first: a suite shows the worst result in it.
const order = ["fail", "error", "not-run", "known", "accepted", "pass", "unsupported"];
const keep = (k, v) => { try { if (v === undefined) return localStorage.getItem(k); localStorage.setItem(k, v); } catch { return null; } };

let lang = keep("mapstack-lang") || ((navigator.language || "").toLowerCase().startsWith("zh") ? "zh" : "en");
const W = () => words[lang];
const sentence = c => lang === "zh" ? c.zh : c.en;

const at = new Map(); // outcome by claim and cell
const rows = D.claims.map(() => new Array(D.cells.length));
D.outcomes.forEach(o => { rows[o.c][o.k] = o; });
const suites = [];
D.claims.forEach((c, i) => {
  if (!suites.length || suites[suites.length - 1].name !== c.suite) suites.push({name: c.suite, claims: []});
  suites[suites.length - 1].claims.push(i);
});
const idOf = o => `${D.claims[o.c].id}@${D.cells[o.k].name}`;
D.outcomes.forEach(o => at.set(idOf(o), o));

// Filters.
const filter = {q: "", status: "", arch: "", suite: "", level: ""};
const opened = new Set();
const sought = o => {
  const c = D.claims[o.c], k = D.cells[o.k];
  return [c.id, c.suite, c.en, c.zh, k.name, T(o.r), T(o.x), T(o.o), T(o.p)].join("\n").toLowerCase();
};
const passes = o => {
  const c = D.claims[o.c];
  if (filter.status && (filter.status === "open" ? o.s === "pass" || o.s === "unsupported" : o.s !== filter.status)) return false;
  if (filter.arch && D.cells[o.k].arch !== filter.arch) return false;
  if (filter.suite && c.suite !== filter.suite) return false;
  if (filter.level && c.level !== filter.level) return false;
  return !filter.q || filter.q.split(/\s+/).every(w => (o.text ??= sought(o)).includes(w));
};
let shown = [];

const mark = s => el("i", {class: "g " + s, "aria-hidden": "true"});
const shortest = (m, o) => { const r = order.indexOf(o.s); return r < m ? r : m; };

// claimRow is the row of a claim, with a mark for each cell in view.
let view;
function claimRow(i) {
  const c = D.claims[i], w = W();
  return el("tr", {}, el("th", {class: "r", scope: "row"}, el("div", {class: "claim", title: sentence(c)}, el("code", {}, c.id), el("span", {class: "lv"}, c.level), el("span", {}, sentence(c)))),
    ...view.cells.map(k => {
      const o = rows[i][k];
      if (!view.visible.has(o)) return el("td");
      const says = `${c.id}, ${D.cells[k].name}: ${w[o.s]}`;
      return el("td", {}, el("button", {type: "button", tabindex: "-1", "data-id": idOf(o), "aria-label": says, title: says}, mark(o.s)));
    }));
}

// fold opens or closes a suite, and touches no row of the others.
function fold(toggle) {
  const name = toggle.dataset.suite, isOpen = toggle.getAttribute("aria-expanded") === "true", body = toggle.closest("tbody");
  opened.delete(name); opened.delete("-" + name);
  opened.add(isOpen ? "-" + name : name);
  toggle.setAttribute("aria-expanded", String(!isOpen));
  if (isOpen) body.replaceChildren(body.rows[0]);
  else body.append(...suites.find(s => s.name === name).claims.filter(i => view.cells.some(k => view.visible.has(rows[i][k]))).map(claimRow));
  const table = toggle.closest("table");
  if (!table.querySelector("td button[tabindex='0']")) table.querySelector("td button").tabIndex = 0;
  toggle.focus();
}

function draw() {
  const w = W();
  shown = D.outcomes.filter(passes);
  const visible = new Set(shown);
  const narrowed = Object.values(filter).some(v => v);
  const cells = [...new Set(shown.map(o => o.k))].sort((a, b) => a - b);
  const longest = Math.max(4, ...cells.map(k => D.cells[k].name.length));
  const head = el("tr", {}, el("th", {class: "r", scope: "col"}, `${w.claim} × ${w.cell}`),
    ...cells.map(k => el("th", {class: "c", scope: "col"}, el("a", {href: "#cell-" + D.cells[k].name}, D.cells[k].name))));
  const bodies = [];
  view = {visible, cells};
  for (const s of suites) {
    const claims = s.claims.filter(i => cells.some(k => visible.has(rows[i][k])));
    if (!claims.length) continue;
    const isOpen = opened.has(s.name) || narrowed && shown.length <= 600 && !opened.has("-" + s.name);
    const toggle = el("button", {type: "button", "aria-expanded": String(isOpen), "data-suite": s.name}, s.name, el("span", {class: "n"}, w.claims(claims.length)));
    const row = el("tr", {class: "s"}, el("th", {class: "r", scope: "row"}, toggle), ...cells.map(k => {
      const all = claims.map(i => rows[i][k]).filter(o => visible.has(o));
      if (!all.length) return el("td");
      const worst = order[all.reduce(shortest, order.length - 1)];
      const n = all.filter(o => o.s === worst).length;
      const m = mark(worst);
      const counted = worst !== "pass" && worst !== "unsupported";
      if (counted && n > 1) { m.classList.add("some", "wide"); m.dataset.n = n; }
      const opens = counted && n === 1 ? idOf(all.find(o => o.s === worst)) : undefined;
      return el("td", {}, el("button", {type: "button", tabindex: "-1", "data-opens": opens, "aria-label": `${s.name}, ${D.cells[k].name}: ${n} ${w[worst]}`, title: `${s.name} ${w.on} ${D.cells[k].name}: ${n} × ${w[worst]}`}, m));
    }));
    bodies.push(el("tbody", {}, row, ...(isOpen ? claims.map(claimRow) : [])));
  }
  const table = el("table", {class: "map"}, el("thead", {}, head), ...bodies);
  $("map").style.setProperty("--head", `${Math.min(longest * .5 + 1, 17)}rem`);
  $("map").replaceChildren(table);
  const first = table.querySelector("td button");
  if (first) first.tabIndex = 0;
  $("found").textContent = w.found(shown.length, D.outcomes.length);
  problems();
}

// problems lists what does not hold or was not decided, the worst first: a MUST before what
// changes no verdict.
const levels = ["MUST", "SHOULD", "MAY"];
let listed = 200;
function problems() {
  const w = W();
  const all = shown.filter(o => o.s !== "pass" && o.s !== "unsupported").sort((a, b) =>
    levels.indexOf(D.claims[a.c].level) - levels.indexOf(D.claims[b.c].level) || order.indexOf(a.s) - order.indexOf(b.s));
  const items = all.slice(0, listed).map(o => {
    const c = D.claims[o.c];
    const why = o.x ? `${w.expected}: ${T(o.x)} · ${w.observed}: ${T(o.o)}` : T(o.r).split("\n")[0];
    return el("li", {}, el("button", {type: "button", onclick: () => go(o)}, mark(o.s),
      el("span", {}, el("b", {}, c.id), ` ${c.level} `, el("span", {class: "dim"}, `${D.cells[o.k].name} · ${w[o.s]}`), el("br"), sentence(c)), el("small", {}, why)));
  });
  if (all.length > listed) items.push(el("li", {}, el("button", {type: "button", onclick: () => { listed += 500; problems(); }}, el("span", {}), el("span", {}, w.more(all.length - listed)))));
  if (!items.length) items.push(el("li", {class: "dim"}, w.none));
  $("problems").replaceChildren(...items);
}

// Detail of one outcome; the address names it.
const go = o => { location.hash = encodeURIComponent(idOf(o)); };
let before = null;
function detail() {
  let name = "";
  try { name = decodeURIComponent(location.hash.slice(1)); } catch { /* no outcome has such a name */ }
  const o = at.get(name), panel = $("detail"), w = W();
  if (!o) { panel.hidden = true; return; }
  const c = D.claims[o.c], k = D.cells[o.k], key = `${k.name}/${T(o.p)}`;
  const list = shown.includes(o) ? shown : D.outcomes, i = list.indexOf(o);
  const close = () => { history.pushState(null, "", location.pathname + location.search); panel.hidden = true; before?.isConnected ? before.focus() : $("map").focus(); };
  const command = k.again.replace("CLAIM", () => c.id);
  const copy = el("button", {type: "button", onclick: () => navigator.clipboard?.writeText(command).then(() => { copy.textContent = w.copied; })}, w.copy);
  const parts = [
    el("div", {class: "bar2"}, el("span", {},
      el("button", {type: "button", disabled: i <= 0, onclick: () => go(list[i - 1])}, "← " + w.previous),
      el("button", {type: "button", disabled: i >= list.length - 1, onclick: () => go(list[i + 1])}, w.next + " →")),
      el("button", {type: "button", id: "close", onclick: close}, w.close + " ✕")),
    el("h2", {id: "d-title"}, mark(o.s), el("span", {}, c.id), el("span", {class: "dim"}, `${c.level} · ${w[o.s]}`)),
    el("p", {}, el("a", {href: "#cell-" + k.name, onclick: () => { panel.hidden = true; }}, k.name)),
    el("p", {class: "sentence"}, sentence(c)),
  ];
  if (o.x) {
    parts.push(el("dl", {class: "cmp"}, el("dt", {}, w.expected), el("dd", {}, T(o.x)), el("dt", {}, w.observed), el("dd", {}, el("div", {class: o.s === "pass" ? "" : "bad"}, T(o.o)))));
    parts.push(el("p", {class: "dim"}, o.s === "pass" ? w.compared(o.n) : w.failedAt(o.n)));
  }
  if (o.r) parts.push(el("h3", {}, w.why), el("pre", {}, T(o.r)));
  if (o.q) parts.push(el("h3", {}, w.record), el("p", {}, T(o.q), " ", el("span", {class: "dim"}, `(${T(o.l)})`)));
  parts.push(el("h3", {}, w.again), el("div", {class: "cmd"}, el("pre", {}, command), copy));
  parts.push(el("h3", {}, w.source), el("p", {}, c.source));
  if (o.w) parts.push(el("h3", {}, w.where), el("p", {}, el("code", {}, T(o.w)), o.t ? ` ${w.step} ` : "", o.t ? el("code", {}, T(o.t)) : ""), el("p", {class: "dim"}, w.probe(T(o.p), D.seconds[key])));
  const steps = new Map((D.steps[key] || []).map(s => [s.t, s]));
  const read = (o.d || []).filter(t => steps.has(t));
  if (read.length) {
    // What decided comes first.
    read.sort((a, b) => (b === o.t) - (a === o.t));
    parts.push(el("h3", {}, `${w.transcript} (${read.length})`), ...read.map(t => stepOf(steps.get(t), t === o.t)));
  }
  const wrote = key in D.consoles ? T(D.consoles[key]) : undefined;
  if (o.p) parts.push(el("h3", {}, w.console), wrote ? el("pre", {}, wrote) : el("p", {class: "dim"}, wrote === "" ? w.silent : w.noConsole));
  if (panel.hidden) before = document.activeElement;
  panel.replaceChildren(...parts);
  panel.hidden = false;
  panel.scrollTop = 0;
  panel.focus({preventScroll: true});
}

function stepOf(s, here) {
  const line = (k, v, cls) => el("tr", {}, el("td", {}, k), el("td", {class: cls || ""}, v));
  return el("details", {class: here ? "step here" : "step", open: here},
    el("summary", {}, el("code", {}, T(s.t)), s.a ? " → " : "", s.a ? el("code", {}, T(s.a)) : ""),
    s.c ? el("code", {}, T(s.c)) : "",
    el("table", {}, ...(s.v || []).map(p => line(T(p[0]), T(p[1]))), ...(s.u || []).map(p => line(T(p[0]), `${W().unknown}: ${T(p[1])}`, "unknown"))));
}

function select(id, values, name) {
  const s = $(id), value = filter[name];
  s.replaceChildren(el("option", {value: ""}, W().all), ...values.map(([v, text]) => el("option", {value: v}, text)));
  s.value = value;
}

function speak() {
  root.lang = lang;
  const w = W();
  $("lang").textContent = lang === "zh" ? "English" : "中文";
  $("lang").lang = lang === "zh" ? "en" : "zh";
  $("legend").replaceChildren(...order.map(s => el("span", {}, mark(s), w[s])));
  const plain = list => [...new Set(list)].map(v => [v, v]);
  select("f-status", [["open", w.open], ...order.map(s => [s, w[s]])], "status");
  select("f-arch", plain(D.cells.map(c => c.arch)).sort(), "arch");
  select("f-suite", plain(D.claims.map(c => c.suite)), "suite");
  select("f-level", plain(["MUST", "SHOULD", "MAY"]), "level");
  draw();
  detail();
}

for (const name of ["status", "arch", "suite", "level"]) $("f-" + name).addEventListener("change", e => { filter[name] = e.target.value; opened.clear(); draw(); });
let soon;
$("q").addEventListener("input", e => { clearTimeout(soon); soon = setTimeout(() => { filter.q = e.target.value.trim().toLowerCase(); opened.clear(); draw(); }, 120); });
$("reset").addEventListener("click", () => { for (const k in filter) filter[k] = ""; $("q").value = ""; opened.clear(); speak(); });
$("lang").addEventListener("click", () => { lang = lang === "zh" ? "en" : "zh"; keep("mapstack-lang", lang); speak(); });
$("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
$("map").addEventListener("click", e => {
  const b = e.target.closest("button");
  if (!b) return;
  const id = b.dataset.id || b.dataset.opens;
  if (id) go(at.get(id)); else fold(b.closest("tbody").querySelector("[data-suite]"));
});
// Arrow keys move from mark to mark; one of them is in the order of Tab.
$("map").addEventListener("keydown", e => {
  const b = e.target.closest("td button");
  const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[e.key];
  if (!b || !step) return;
  e.preventDefault();
  let row = b.closest("tr"), col = [...row.children].indexOf(b.parentElement);
  for (;;) {
    if (step[0]) row = b.closest("table").rows[row.rowIndex + step[0]]; else col += step[1];
    if (!row || col < 1 || col >= row.children.length) return;
    const to = row.children[col].querySelector("button");
    if (!to) continue;
    b.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
    return;
  }
});
addEventListener("keydown", e => { if (e.key === "Escape" && !$("detail").hidden) $("close").click(); });
addEventListener("hashchange", detail);
// Paper has no folds: what is folded is opened for it, and folded again.
let unfolded = [];
addEventListener("beforeprint", () => { unfolded = [...document.querySelectorAll("main details:not([open])")]; for (const d of unfolded) d.open = true; });
addEventListener("afterprint", () => { for (const d of unfolded) d.open = false; });
const asked = new URLSearchParams(location.search);
if (words[asked.get("lang")]) lang = asked.get("lang");
if (asked.get("theme") === "dark" || asked.get("theme") === "light") root.dataset.theme = asked.get("theme");
for (const name of ["q", "status", "arch", "suite", "level"]) filter[name] = (asked.get(name) || "").toLowerCase();
filter.level = filter.level.toUpperCase();
$("q").value = filter.q;
speak();
})();
