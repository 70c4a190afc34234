"use strict";
(() => {
const root = document.documentElement;
const $ = id => document.getElementById(id);
const keep = (k, v) => { try { if (v === undefined) return localStorage.getItem(k); localStorage.setItem(k, v); } catch { return null; } };
const asked = new URLSearchParams(location.search);
let lang = [asked.get("lang"), keep("mapstack-lang")].find(l => l === "en" || l === "zh") || ((navigator.language || "").toLowerCase().startsWith("zh") ? "zh" : "en");
function speak() {
  root.lang = lang;
  $("lang").textContent = lang === "zh" ? "English" : "中文";
  $("lang").lang = lang === "zh" ? "en" : "zh";
}
$("lang").addEventListener("click", () => { lang = lang === "zh" ? "en" : "zh"; keep("mapstack-lang", lang); speak(); });
if (asked.get("theme") === "dark" || asked.get("theme") === "light") root.dataset.theme = asked.get("theme");
$("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
// Paper has no folds.
let unfolded = [];
addEventListener("beforeprint", () => { unfolded = [...document.querySelectorAll("main details:not([open])")]; for (const d of unfolded) d.open = true; });
addEventListener("afterprint", () => { for (const d of unfolded) d.open = false; });
speak();
})();
