"use strict";
// The labelling desk. A score is shown as pressed only when the server has it on disk. Changes that the server could
// not take are sent again until it can, and the page is not left before.
const form = document.getElementById("desk");
const state = document.getElementById("state");
const criteria = [...form.querySelectorAll(".criterion")];
const comment = document.getElementById("comment");
document.body.classList.add("with-script");
let current = 0;
let written = comment.value;

const buttons = (set) => [...set.querySelectorAll("button[name=set]")];
const isScored = (set) => buttons(set).some((button) => button.getAttribute("aria-pressed") === "true");
const choose = (at) => {
  current = Math.min(criteria.length - 1, Math.max(0, at));
  criteria.forEach((set, n) => {
    set.classList.toggle("current", n === current);
    set.setAttribute("aria-current", n === current);
  });
};
const say = (what) => { state.textContent = what ? state.dataset[what] : ""; state.className = what; };
const show = (said) => {
  for (const set of criteria) for (const button of buttons(set)) {
    const [name, score] = button.value.split(":");
    button.setAttribute("aria-pressed", said.scores[name] === Number(score));
    button.classList.remove("pending");
  }
  document.getElementById("progress").value = said.done;
  const done = document.getElementById("done");
  done.textContent = done.dataset.text.replace("#", said.done);
};

// Requests are sent one after another, in the order of the clicks.
let line = Promise.resolve();
const wait = (ms) => new Promise((go) => setTimeout(go, ms));
const send = (where, fields) => {
  const body = new URLSearchParams(new FormData(form));
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  line = line.then(async () => {
    for (;;) {
      say("saving");
      try {
        const reply = await fetch(`label/${where}`, { method: "POST", body, headers: { Accept: "application/json" } });
        if (!reply.ok) { say("stale"); return null; }
        const said = await reply.json();
        say("saved");
        return said;
      } catch { say("lost"); await wait(700); }
    }
  });
  return line;
};
const score = (button) => {
  const set = button.closest(".criterion");
  const at = criteria.indexOf(set);
  button.classList.add("pending");
  send("score", { set: button.value }).then((said) => said && show(said));
  const open = criteria.findIndex((other, n) => n > at && !isScored(other));
  choose(open < 0 ? Math.min(at + 1, criteria.length - 1) : open);
};
const clear = () => send("score", { set: `${criteria[current].dataset.criterion}:` }).then((said) => said && show(said));
const remark = () => {
  if (comment.value.trim() === written.trim()) return;
  written = comment.value;
  send("comment", { comment: comment.value }).then((said) => said && show(said));
};
const undo = async () => {
  const said = await send("undo", {});
  if (said?.at) go(`label?at=${said.at}`);
};
// The page is left only when the next one answers.
const go = (where) => {
  if (!where) return;
  remark();
  line = line.then(async () => {
    for (;;) {
      try { await fetch(where, { method: "HEAD" }); return location.assign(where); } catch { say("lost"); await wait(700); }
    }
  });
};
const link = (selector) => document.querySelector(selector)?.href;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter;
  if (button?.name === "set") score(button);
  else if (button?.id === "undo") undo();
  else remark();
});
form.addEventListener("focusin", (event) => {
  const set = event.target.closest(".criterion");
  if (set) choose(criteria.indexOf(set));
});
form.addEventListener("click", (event) => {
  const meaning = event.target.closest(".meaning");
  if (meaning) meaning.parentElement.querySelector("button").click();
});
comment.addEventListener("change", remark);
comment.addEventListener("keydown", (event) => {
  if (event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey))) comment.blur();
});
for (const way of document.querySelectorAll(".deskbar nav a, .onward a")) way.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(way.href);
});
addEventListener("keydown", (event) => {
  if (typing(event) || document.querySelector("dialog[open]")) return;
  const keys = {
    j: () => go(link("a[rel=next]")), k: () => go(link("a[rel=prev]")), n: () => go(link("#open")),
    u: undo, c: () => comment.focus(), Backspace: clear, Delete: clear,
    ArrowDown: () => choose(current + 1), ArrowUp: () => choose(current - 1),
  };
  const level = buttons(criteria[current]).find((button) => button.value.split(":")[1] === event.key);
  if (level) level.click();
  else if (event.key === "0") clear();
  else if (event.key in keys) keys[event.key]();
  else return;
  event.preventDefault();
});
choose(Math.max(0, criteria.findIndex((set) => !isScored(set))));
