"use strict";
// j and k: the next and the previous row of the list, or question.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const step = { j: 1, k: -1 }[event.key];
  if (step) {
    const rows = [...document.querySelectorAll("a.row")];
    if (rows.length) {
      const now = rows.indexOf(document.activeElement);
      rows[Math.min(rows.length - 1, Math.max(0, now + step))].focus();
    } else {
      document.querySelector(step > 0 ? "a[rel=next]" : "a[rel=prev]")?.click();
    }
    event.preventDefault();
  } else if ("12345".includes(event.key)) {
    document.querySelectorAll(".answers section")[event.key - 1]?.focus();
  }
});
