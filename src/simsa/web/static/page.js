"use strict";
// Keys on every page: they move the focus and follow the page's own links. Nothing here reads a text of the run.
const typing = (event) =>
  event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.target.closest("input, select, textarea, dialog");
const help = document.getElementById("help");
document.querySelector("[data-help]").addEventListener("click", () => help.showModal());
for (const more of document.querySelectorAll("[data-wide-open]")) if (matchMedia("(min-width: 44rem)").matches) more.open = true;
for (const more of document.querySelectorAll("[data-narrow-shut]")) if (matchMedia("(max-width: 52rem)").matches) more.open = false;

// scrollIntoView would move the starting point of the Tab key.
const shown = document.querySelector(".runs [aria-current]");
if (shown) {
  const runs = shown.parentElement;
  runs.scrollLeft = shown.offsetLeft - runs.offsetLeft - (runs.clientWidth - shown.offsetWidth) / 2;
}

// Another answer of the variant that has the focus, was linked to, or comes first.
const turn = (by) => {
  const of = document.activeElement.closest(".answer") ?? document.querySelector(".answer:target") ?? document;
  const links = [...(of.querySelector(".turns") ?? document.querySelector(".turns"))?.children ?? []];
  links[links.findIndex((link) => link.ariaCurrent) + by]?.click();
};
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
  else if (event.key === "[") turn(-1);
  else if (event.key === "]") turn(1);
  else if (event.key === "d") document.querySelector(".answers")?.classList.toggle("bare");
  else if (event.key >= "1" && event.key <= "9") {
    sections()[event.key - 1]?.focus();
    document.querySelector(`[data-sort="${event.key}"]`)?.click();
  } else return;
  event.preventDefault();
});

// The progress of an unfinished run.
const going = document.querySelector("[data-going]");
if (going) {
  const counter = going.querySelector("span");
  const before = counter.textContent;
  let rest = 2000;
  const look = async () => {
    let open = true;
    try {
      const said = await (await fetch(going.dataset.going)).json();
      rest = said.text && said.text !== counter.textContent ? 2000 : Math.min(30000, rest * 1.4);
      if (said.text) counter.textContent = said.text;
      going.querySelector("a").hidden = counter.textContent === before;
      open = said.open;
    } catch { rest = 10000; }
    if (open) setTimeout(look, rest);
  };
  setTimeout(look, rest);
}
