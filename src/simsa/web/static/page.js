"use strict";
// Keys on every page. Nothing here reads a text of the run: it only moves the focus and follows the page's own links.
const typing = (event) =>
  event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.target.closest("input, select, textarea, dialog");
const help = document.getElementById("help");
document.querySelector("[data-help]").addEventListener("click", () => help.showModal());
for (const more of document.querySelectorAll("[data-wide-open]")) if (matchMedia("(min-width: 44rem)").matches) more.open = true;

const sections = () => [...document.querySelectorAll(".answers > section")];
const step = (by) => {
  const rows = [...document.querySelectorAll("a.row")];
  if (!rows.length) return document.querySelector(by > 0 ? "a[rel=next]" : "a[rel=prev]")?.click();
  const at = rows.indexOf(document.activeElement);
  if (at + by >= rows.length) return document.querySelector("a[rel=next]")?.click();
  rows[Math.max(0, at + by)].focus();
};
addEventListener("keydown", (event) => {
  if (typing(event)) return;
  if (event.key === "?") help.showModal();
  else if (document.getElementById("desk")) return;
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "/" && document.querySelector("[type=search]")) document.querySelector("[type=search]").focus();
  else if (event.key === "d") document.querySelector(".answers")?.classList.toggle("bare");
  else if (event.key >= "1" && event.key <= "5") {
    sections()[event.key - 1]?.focus();
    document.querySelector(`[data-sort="${event.key}"]`)?.click();
  } else return;
  event.preventDefault();
});
